"""What stands in one cell: made of a value, and read back from what a format kept of it.

What is written is normal: times are UTC, no number is infinite or minus zero, no text holds half a
surrogate pair. So two cells are equal exactly when every format writes them alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.reporting.columns import Column

Cell: TypeAlias = str | int | float | bool | datetime | None

_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MOMENT = re.compile(
    r"\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d:?\d\d"
    r"(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
# Past these, a whole number is no longer the same to every reader of JSON.
_LEAST_IN_JSON, _MOST_IN_JSON = -(2**63), 2**64 - 1
_MOST_EXACT_FLOAT = 2**53
# Longer ones cost more than a second to read, and Python refuses them for that.
_MOST_DIGITS = 4000


class UnreadableError(HealingPipelineError, ValueError):
    """A text that is not the tables it should be.

    Attributes
    ----------
    line : int or None
        Where it is wrong, the first line being 1; None where no line is to blame.
    problem, cure : str
        What is wrong, and what to do about it.
    """

    def __init__(self, problem: str, cure: str, line: int | None = None) -> None:
        self.problem, self.cure, self.line = problem, cure, line
        where = "" if line is None else f"Line {line}: "
        super().__init__(f"{where}{problem} {cure}")

    def at(self, line: int | None, where: str = "") -> UnreadableError:
        """The same, with the place."""
        return UnreadableError(f"{where}{self.problem}", self.cure, line)

    def __reduce__(self) -> tuple[type[UnreadableError], tuple[str, str, int | None]]:
        return type(self), (self.problem, self.cure, self.line)


def cell_of(value: Any, column: Column) -> Cell:
    """`value` as a cell of `column`.

    A number that is not finite becomes None: it is a rate of nothing, and no format can say it.
    Half a surrogate pair becomes a question mark: no UTF-8 can hold it.

    Raises
    ------
    ValueError
        If the column is of another type: nothing is rounded, cut, or put into words.
    """
    try:
        made = _made(value, column.type)
    except (ValueError, TypeError, OverflowError) as exc:
        raise ValueError(
            f"{column.name!r} takes {_SAID[column.type]}, not {_shown(value)}: {exc}"
        ) from None
    if made is None and not column.nullable:
        raise ValueError(f"{column.name!r} always has a value, not {_shown(value)}.")
    return made


def read_cell(said: Any, column: Column) -> Cell:
    """A cell from a text, number, yes or no, or null, as TOON and JSON give them back.

    Raises
    ------
    UnreadableError
        If `column` cannot hold it.
    """
    if said is None:
        if not column.nullable:
            raise UnreadableError(f"{column.name!r} is null.", "It always has a value: give one.")
        return None
    try:
        return _READ[column.type](said)
    except ValueError as exc:
        raise UnreadableError(
            f"{column.name!r} takes {_SAID[column.type]}, not {_shown(said)}.", str(exc)
        ) from None


def read_written(text: str, column: Column) -> Cell:
    """A cell from a text that says everything, numbers as well, as CSV does; empty is null.

    Raises
    ------
    UnreadableError
        If `column` cannot hold it.
    """
    if not text and column.type != "string":
        return read_cell(None, column)
    if column.type == "int" and _INT.fullmatch(text) and len(text) <= _MOST_DIGITS:
        return int(text)
    if column.type == "float" and _FLOAT.fullmatch(text):
        return read_cell(float(text), column)
    if column.type == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"  # spreadsheets shout it
    return read_cell(text, column)


def moment(at: datetime) -> str:
    """ISO 8601 in UTC: ``2026-03-02T12:00:00Z``, with a fraction where there is one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def brief_moment(at: datetime) -> str:
    """The same in the basic form: ``20260302T120000Z``, which has no colon."""
    at = at.astimezone(UTC)
    fraction = f".{at.microsecond:06d}" if at.microsecond else ""
    # strftime does not fill a year before 1000 up to four digits.
    return f"{at.year:04d}{at:%m%dT%H%M%S}{fraction}Z"


def moment_of(text: str) -> datetime:
    """The moment that either form says; with another offset than UTC's it is the same moment.

    Raises
    ------
    ValueError
        If it says none, or not exactly which. The message is the cure.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("Write 20260302T120000Z or 2026-03-02T12:00:00Z.")
    if found["zone"] is None:
        raise ValueError("It has no time zone: add a Z if it is UTC.")
    if found["fraction"] is not None and len(found["fraction"]) > 6:
        raise ValueError("Times are kept to the microsecond: leave out the further digits.")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"There is no such moment ({exc}).") from None


def printable(text: str) -> str:
    """`text` without what no UTF-8 can hold: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def fits_json(value: int) -> bool:
    """Whether every reader of JSON takes the number for what it is."""
    return _LEAST_IN_JSON <= value <= _MOST_IN_JSON


_SAID = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "timestamp": "a moment",
    "bool": "true or false",
}


def _made(value: Any, kind: str) -> Cell:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if kind == "string":
        if isinstance(value, (bytes, bytearray, memoryview, dict, list, tuple, set, frozenset)):
            raise TypeError("a cell holds one value")
        return printable(str(value))
    if kind == "timestamp":
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise TypeError("a time needs its zone")
        return value.astimezone(UTC).replace(fold=0)  # no hour comes twice in UTC
    if kind == "bool":
        if not isinstance(value, bool):
            raise TypeError("nothing else is")
        return value
    if isinstance(value, (bool, str)):
        raise TypeError("that is no number")
    if kind == "int":
        if int(value) != value:
            raise ValueError("nothing is rounded")
        return int(value)
    number = float(value)
    # Minus zero is zero: TOON has only one of them.
    return number + 0.0 if math.isfinite(number) else None


def _read_text(said: Any) -> str:
    if not isinstance(said, str):
        raise ValueError("Write it in quotes if it is meant as a text.")
    if printable(said) != said:
        raise ValueError("Half a surrogate pair is no text: take it out.")
    return said


def _read_int(said: Any) -> int:
    if isinstance(said, str):
        # So JSON gets what its readers would round.
        if _INT.fullmatch(said) and len(said) <= _MOST_DIGITS and not fits_json(int(said)):
            return int(said)
        raise ValueError("Write digits without quotes.")
    if isinstance(said, float) and said.is_integer() and abs(said) <= _MOST_EXACT_FLOAT:
        return int(said)
    if isinstance(said, bool) or not isinstance(said, int):
        raise ValueError("Write digits, without a fraction.")
    return said


def _read_float(said: Any) -> float:
    if isinstance(said, bool) or not isinstance(said, (int, float)):
        raise ValueError("Write digits without quotes.")
    try:
        number = float(said)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("Write null where there is no number, or a smaller one.")
    return number + 0.0


def _read_moment(said: Any) -> datetime:
    if not isinstance(said, str):
        raise ValueError("Write 20260302T120000Z or 2026-03-02T12:00:00Z.")
    return moment_of(said)


def _read_bool(said: Any) -> bool:
    if not isinstance(said, bool):
        raise ValueError("Write true or false, without quotes.")
    return said


_READ: dict[str, Callable[[Any], Cell]] = {
    "string": _read_text,
    "int": _read_int,
    "float": _read_float,
    "timestamp": _read_moment,
    "bool": _read_bool,
}


def _shown(value: Any) -> str:
    # What a stranger wrote may be long.
    try:
        said = repr(value)
    except ValueError:  # digits without end
        return "a number of too many digits"
    return said if len(said) <= 60 else f"{said[:57]}..."
