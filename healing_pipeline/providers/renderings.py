"""Writing a body in a provider's form, and never one that says something else than was read.

Every rendering is read back before anyone gets it. A number that a form has no place for, rounds or
dates differently makes it None: no answer in this form, instead of a wrong one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from urllib.parse import unquote

from healing_pipeline.probing.reading import Point, Reading, Unreadable
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.dates import filled, filled_all

Read = Callable[[bytes, RequestLine], Reading | Unreadable]

# Every whole number up to here is a float of its own.
_WHOLE = 2.0**53


def line_of(path: str, params: Mapping[str, str], now: datetime) -> RequestLine:
    """The question as a reader of its answer sees it: date marks filled, nothing quoted."""
    return RequestLine(unquote(filled(path, now)), filled_all(params, now))


def rows_of(points: Iterable[Point]) -> dict[datetime, dict[str, float]]:
    """The points by moment, in their order, and by field within."""
    rows: dict[datetime, dict[str, float]] = {}
    for each in points:
        rows.setdefault(each.at, {})[each.field] = each.value
    return rows


def to_the_second(points: Iterable[Point]) -> tuple[Point, ...]:
    """The points with the fraction of their seconds cut off, for forms that write none."""
    # Sorted anew: what was a moment apart is now in the order of the fields.
    cut = (Point(each.at.replace(microsecond=0), each.field, each.value) for each in points)
    return tuple(sorted(cut))


def compact(value: object) -> bytes:
    """`value` as JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def whole(value: float) -> int | float:
    """A whole number as one (``100``, not ``100.0``), as providers write volumes."""
    return int(value) if value.is_integer() and abs(value) < _WHOLE else value


def numeral(value: float, places: int = 0) -> str:
    """`value` as text that reads back as exactly it, with at least so many decimals if it may."""
    padded = f"{value:.{places}f}"
    return padded if float(padded) == value else repr(value)


def read_back(
    body: bytes, line: RequestLine, read: Read, reading: Reading, said: tuple[Point, ...]
) -> bytes | None:
    """`body`, if reading it yields `said` of the reading's instrument, no newer than `reading`.

    Parameters
    ----------
    said : tuple of Point
        The points of `reading` as this form says them: those the question asks for, in the
        resolution that the form has.
    """
    back = read(body, line)
    if isinstance(back, Unreadable) or back.as_of > reading.as_of:
        return None
    same = (back.instrument, back.interval) == (reading.instrument, reading.interval)
    return body if same and back.points == said else None
