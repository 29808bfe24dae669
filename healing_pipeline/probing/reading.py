"""What a body says, in one form for all providers: dated numbers about one instrument.

Two readings of the same thing by different providers compare equal here, which is what healing by
another provider, verification and the drill's score all need.

A `Reading` is points to whoever compares or stores it and columns to whoever reads much and asks
little, as the data path does; whichever it was not made of is made when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One number.

    Attributes
    ----------
    at : datetime
        Aware UTC. The start of a bar (midnight UTC of the date for a daily bar or a dated
        observation), the moment of a quote or of a rate table.
    field : str
        ``open``, ``high``, ``low``, ``close``, ``volume``, ``price``, ``value``, or a currency
        code in a rate table.
    value : float
        Finite.
    """

    at: datetime
    field: str
    value: float


@dataclass(frozen=True, slots=True)
class Columns:
    """The same numbers by field, a place for each row.

    Attributes
    ----------
    at_s : tuple of int or float
        Seconds since 1970 of each row, strictly ascending; whole ones are ints. Fractions are
        exact to the microsecond from 1750 to 2230, beyond which no provider is believed.
    values : Mapping[str, tuple]
        Per field as many values as there are rows, None where a row has none; no row is all None.
    """

    at_s: tuple[int | float, ...]
    values: Mapping[str, tuple[float | None, ...]]


class _Made:
    """What a `Reading` holds besides its fields: its columns, once there are any."""

    __slots__ = ("_columns",)
    _columns: Columns


@dataclass(frozen=True, slots=True, init=False)
class Reading(_Made):
    """The numbers of one body.

    Attributes
    ----------
    instrument : str
        Upper case: ``AAPL``, ``DGS10``, the base currency ``USD``.
    interval : str
        ``1d``, ``5m``, ``1mo``, ... for a series of bars or observations; ``now`` for a quote
        or a rate table.
    points : tuple of Point
        Ascending by (at, field), at least one; rows the provider marked as missing are left out.
        Made when first asked for in a reading of columns: ask `newest`, `column` and the like
        where they will do.
    as_of : datetime
        Aware UTC: the moment the newest number speaks of, as the provider states it. For bars the
        start of the newest bar unless the provider says more.
    """

    instrument: str
    interval: str
    points: tuple[Point, ...]
    as_of: datetime

    def __init__(
        self, instrument: str, interval: str, points: tuple[Point, ...], as_of: datetime
    ) -> None:
        _set(self, "instrument", instrument)
        _set(self, "interval", interval)
        _set(self, "points", points)
        _set(self, "as_of", as_of)

    @classmethod
    def of_columns(
        cls,
        instrument: str,
        interval: str,
        at_s: Sequence[int | float],
        values: Mapping[str, Sequence[float | None]],
        as_of: datetime,
    ) -> Reading:
        """A reading by columns, as `Columns` wants them; who calls answers for that."""
        made = cls.__new__(cls)
        _set(made, "instrument", instrument)
        _set(made, "interval", interval)
        _set(made, "as_of", as_of)
        columns = {field: tuple(column) for field, column in values.items()}
        _set(made, "_columns", Columns(tuple(at_s), columns))
        return made

    if not TYPE_CHECKING:  # to a type checker the two are plain attributes

        def __getattr__(self, name: str) -> object:
            if name == "points":
                made = tuple(_points(self._columns))
            elif name == "_columns":
                made = _columns(self.points)
            else:
                raise AttributeError(f"a Reading has no {name!r}")
            _set(self, name, made)
            return made

    def __reduce__(self) -> tuple[object, ...]:
        return Reading, (self.instrument, self.interval, self.points, self.as_of)

    @property
    def _is_by_points(self) -> bool:
        """Whether the points are there and the columns are not: a quote needs no columns."""
        try:
            _get(self, "_columns")
        except AttributeError:
            return True
        return False

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in alphabetical order."""
        return tuple(sorted(self._columns.values))

    @property
    def rows(self) -> int:
        """How many different moments there are numbers for."""
        return len(self._columns.at_s)

    @property
    def at_s(self) -> tuple[int | float, ...]:
        """Seconds since 1970 of each row, strictly ascending."""
        return self._columns.at_s

    @property
    def newest_at(self) -> datetime:
        """The moment of the newest row, aware UTC; that of ``points[-1]``."""
        if self._is_by_points:
            return self.points[-1].at
        return _EPOCH + timedelta(seconds=self._columns.at_s[-1])

    def column(self, field: str) -> tuple[float | None, ...]:
        """A field's value in each row, None where it has none."""
        columns = self._columns
        return columns.values.get(field) or (None,) * len(columns.at_s)

    def newest(self, field: str) -> float | None:
        """The newest value of a field; None for a field without one."""
        column = self._columns.values.get(field)
        if column is None:
            return None
        if column[-1] is not None:
            return column[-1]
        return next((value for value in reversed(column) if value is not None), None)

    def newest_values(self) -> dict[str, float]:
        """The newest value of every field."""
        if self._is_by_points:
            # Points ascend in time, so what stays is the newest of each field.
            return {point.field: point.value for point in self.points}
        columns = self._columns.values
        newest = {field: column[-1] for field, column in columns.items()}
        if None in newest.values():
            newest = {field: self.newest(field) for field in columns}
        return {field: value for field, value in newest.items() if value is not None}


_set = object.__setattr__
_get = object.__getattribute__


def _points(columns: Columns) -> Iterator[Point]:
    fields = sorted(columns.values)
    for at_s, row in zip(
        columns.at_s, zip(*(columns.values[field] for field in fields), strict=True), strict=True
    ):
        at = _EPOCH + timedelta(seconds=at_s)
        for field, value in zip(fields, row, strict=True):
            if value is not None:
                yield Point(at, field, value)


def _columns(points: Sequence[Point]) -> Columns:
    rows: dict[datetime, dict[str, float]] = {}
    fields: dict[str, None] = {}
    for each in points:
        rows.setdefault(each.at, {})[each.field] = each.value
        fields[each.field] = None
    return Columns(
        tuple(_seconds(at) for at in rows),
        {field: tuple(row.get(field) for row in rows.values()) for field in fields},
    )


def _seconds(at: datetime) -> int | float:
    passed = at - _EPOCH
    whole = passed.days * 86_400 + passed.seconds
    return whole + passed.microseconds / 1_000_000 if passed.microseconds else whole


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that says nothing usable, and why."""

    evidence: str
