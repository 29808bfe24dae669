"""Reading untrusted bodies: JSON, its shapes, finite numbers, plausible moments, a `Reading`.

What any body can hold is checked here, once; what one provider means by it is in its folder.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from operator import attrgetter
from typing import ParamSpec

from healing_pipeline.probing.reading import Point, Reading, Unreadable

P = ParamSpec("P")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Outside of these a timestamp is a unit mixed up (ms for s) or garbage, not data.
OLDEST_BAR = datetime(1900, 1, 1, tzinfo=UTC)
OLDEST_QUOTE = datetime(1990, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_NUMERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_JSON_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "a boolean",
    type(None): "null",
}


class NotReadableError(Exception):
    """Why a body cannot be read.

    The way out of nested rows inside this package; `unreadable_as_value` turns it into an
    `Unreadable`, so that no caller of a provider ever sees it.
    """


def unreadable_as_value(read: Callable[P, Reading]) -> Callable[P, Reading | Unreadable]:
    """`read`, with its `NotReadableError` turned into the value that callers expect."""

    @wraps(read)
    def reader(*args: P.args, **kwargs: P.kwargs) -> Reading | Unreadable:
        try:
            return read(*args, **kwargs)
        except NotReadableError as why:
            return Unreadable(str(why))

    return reader


def json_object(body: bytes) -> dict[str, object]:
    """The JSON object that `body` is; anything else, a truncated one included, is not readable."""
    if not body.strip():
        raise NotReadableError("the body is empty, expected JSON")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as exc:
        at = f" at character {exc.pos}" if isinstance(exc, json.JSONDecodeError) else ""
        raise NotReadableError(f"not JSON{at} of {len(body)} bytes") from None
    return mapping(value, "the body")


def kind_of(value: object) -> str:
    """What a JSON value is, in words; never the value, which may echo a key."""
    return _JSON_NAMES.get(type(value), "a number")


def mapping(value: object, what: str) -> dict[str, object]:
    """`value`, if it is an object."""
    if not isinstance(value, dict):
        raise NotReadableError(f"{what} is {kind_of(value)}, expected an object")
    return value


def sequence(value: object, what: str) -> list[object]:
    """`value`, if it is a list."""
    if not isinstance(value, list):
        raise NotReadableError(f"{what} is {kind_of(value)}, expected a list")
    return value


def text(value: object, what: str) -> str:
    """`value`, if it is text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise NotReadableError(f"{what} is {kind_of(value)}, expected text")
    return value.strip()


_BY_TIME = attrgetter("at", "field", "value")


def number(value: object, what: str, *, as_text: bool = False) -> float:
    """`value` as a finite float; `as_text` takes ``"1.5"`` too, never ``"nan"`` or ``"1_0"``."""
    if as_text and isinstance(value, str) and _NUMERAL.fullmatch(value.strip()):
        found = float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
    else:
        raise NotReadableError(f"{what} is {kind_of(value)}, expected a number")
    if not math.isfinite(found):
        raise NotReadableError(f"{what} is not a finite number")
    return found


def positive(value: object, what: str, *, as_text: bool = False) -> float:
    """`value` as a finite float above 0, as a price or a rate has to be."""
    found = number(value, what, as_text=as_text)
    if found <= 0.0:
        raise NotReadableError(f"{what} is {found:g}, expected more than 0")
    return found


def not_negative(value: object, what: str, *, as_text: bool = False) -> float:
    """`value` as a finite float of at least 0, as a volume has to be."""
    found = number(value, what, as_text=as_text)
    if found < 0.0:
        raise NotReadableError(f"{what} is {found:g}, expected at least 0")
    return found


def moment(
    value: object, what: str, *, per_second: int = 1, oldest: datetime = OLDEST_QUOTE
) -> datetime | None:
    """The UTC moment that `value` counts from 1970; None where it cannot be one.

    Parameters
    ----------
    per_second : int
        1 for seconds, 1000 for milliseconds, 10**9 for nanoseconds.
    oldest : datetime
        Earlier moments are not believed.
    """
    counted = number(value, what)
    seconds = counted / per_second
    if not (oldest - EPOCH).total_seconds() <= seconds < (LATEST - EPOCH).total_seconds():
        return None
    exact = value if isinstance(value, int) else int(counted)
    return EPOCH + timedelta(microseconds=exact * 1_000_000 // per_second)


def assembled_reading(
    instrument: str, interval: str, points: Iterable[Point], as_of: datetime | None = None
) -> Reading:
    """A `Reading` of `points` in order; not readable when empty or when two points contradict."""
    # Same order as `Point`'s own, by a key: comparing the values themselves is ten times slower.
    ordered: list[Point] = []
    for point in sorted(points, key=_BY_TIME):
        if ordered and ordered[-1].at == point.at and ordered[-1].field == point.field:
            if ordered[-1].value == point.value:
                continue
            raise NotReadableError(f"two values for {point.field} at {point.at:%Y-%m-%d %H:%M:%S}")
        ordered.append(point)
    if not ordered:
        raise NotReadableError("no row holds a number with a plausible time")
    newest_at = ordered[-1].at
    return Reading(instrument, interval, tuple(ordered), newest_at if as_of is None else as_of)
