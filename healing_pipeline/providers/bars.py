"""Bars in one form for all providers: names of intervals, where a bar starts, which fields it has.

Providers date the same week by its Monday, its Sunday or its last trading day, and the same day by
local midnight, the opening bell or the close. Here they become one moment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from healing_pipeline.probing.reading import Point
from healing_pipeline.providers.bodies import NotReadableError, not_negative, number, positive

PRICES = ("open", "high", "low", "close")
BAR_FIELDS = (*PRICES, "volume")

_COUNT_AND_UNIT = re.compile(r"(\d{1,4})\s*([a-z]+)", re.ASCII)
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", re.ASCII)
_WORDS = {"daily": "1d", "weekly": "1w", "monthly": "1mo", "quarterly": "3mo", "yearly": "1y"}
_UNITS = {
    "s": "s", "sec": "s", "second": "s",
    "m": "m", "min": "m", "minute": "m",
    "h": "h", "hour": "h",
    "d": "d", "day": "d",
    "w": "w", "wk": "w", "week": "w",
    "mo": "mo", "month": "mo",
    "y": "y", "year": "y",
}  # fmt: skip
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def interval_named(said: str) -> str:
    """Our name for a provider's interval: ``60min`` is ``1h``, ``1wk`` is ``1w``."""
    said = said.strip().lower()
    if said in _WORDS:
        return _WORDS[said]
    found = _COUNT_AND_UNIT.fullmatch(said)
    if found is None or int(found[1]) == 0:
        raise NotReadableError("the interval of the bars has no name we know")
    count, unit = int(found[1]), found[2]
    if unit == "quarter":
        count, unit = count * 3, "mo"
    if unit not in _UNITS:
        raise NotReadableError("the interval of the bars has no name we know")
    unit = _UNITS[unit]
    for small, per_large, large in (("s", 60, "m"), ("m", 60, "h"), ("mo", 12, "y")):
        if unit == small and count % per_large == 0:
            count, unit = count // per_large, large
    return f"{count}{unit}"


def is_dated(interval: str) -> bool:
    """Whether a bar of this interval belongs to a date rather than to a moment of the day."""
    return interval.endswith(("d", "w", "mo", "y"))


def bar_start(day: date, interval: str) -> datetime:
    """Midnight UTC of the first day of the bar that `day` belongs to: Monday, or the first."""
    if interval == "1w":
        day -= timedelta(days=min(day.weekday(), day.toordinal() - 1))
    elif interval.endswith("mo"):
        day = day.replace(day=1)
    elif interval == "1y":
        day = day.replace(month=1, day=1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def as_of(newest_at: datetime, interval: str, stated_at: datetime | None, zone: tzinfo) -> datetime:
    """The moment the newest bar speaks of: the provider's statement where it is about that bar.

    A provider states the time of its last trade even beside bars of years ago. Believing it there
    would make old bars look fresh, so a statement outside of the newest bar is not used.
    """
    if stated_at is None:
        return newest_at
    if is_dated(interval):
        about_it = bar_start(stated_at.astimezone(zone).date(), interval) == newest_at
        return stated_at if about_it else newest_at
    length = timedelta(seconds=int(interval[:-1]) * _SECONDS[interval[-1]])
    return stated_at if newest_at <= stated_at <= newest_at + length else newest_at


def zone_named(name: object, offset_s: object = None) -> tzinfo:
    """The time zone `name`, or the fixed `offset_s` from UTC where the name is not known here."""
    if isinstance(name, str) and _ZONE_NAME.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (LookupError, ValueError, OSError):
            pass  # not a zone, or no tzdata on this machine: the offset may still do
    if isinstance(offset_s, int) and not isinstance(offset_s, bool) and abs(offset_s) < 86_400:
        return timezone(timedelta(seconds=offset_s))
    raise NotReadableError("the time zone of the rows has no name known on this machine")


def bar_points(
    at: datetime,
    row: Mapping[str, object],
    *,
    as_text: bool = False,
    may_be_negative: bool = False,
) -> list[Point]:
    """The points of one bar; a field that is None is left out.

    Parameters
    ----------
    row : Mapping[str, object]
        Our field name to what the provider wrote.
    as_text : bool
        Whether this provider writes numbers as text.
    may_be_negative : bool
        For what can really trade below zero.
    """
    points = []
    for field in BAR_FIELDS:
        said = row.get(field)
        if said is None:
            continue
        try:
            if field == "volume":
                value = not_negative(said, field, as_text=as_text)
            elif may_be_negative:
                value = number(said, field, as_text=as_text)
            else:
                value = positive(said, field, as_text=as_text)
        except NotReadableError as exc:
            # Dated here and not before: writing a date for every good number costs more than
            # reading it.
            said_of = str(exc).removeprefix(field)
            raise NotReadableError(f"{field} at {at:%Y-%m-%d %H:%M:%S}{said_of}") from None
        points.append(Point(at, field, value))
    return points
