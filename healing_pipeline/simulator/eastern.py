"""US Eastern wall clock by rule, so that bodies do not depend on a machine's time zone files."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

DAY_S = 86_400
HOUR_S = 3_600
_EPOCH = date(1970, 1, 1)


def day_of(at_s: int) -> date:
    """The UTC date of a second since 1970."""
    return _EPOCH + timedelta(days=at_s // DAY_S)


def day_start_s(day: date) -> int:
    """Seconds since 1970 at midnight UTC of a date."""
    return (day - _EPOCH).days * DAY_S


@lru_cache(maxsize=256)
def _summer_s(year: int) -> tuple[int, int]:
    """UTC seconds of both changes: second Sunday of March, first Sunday of November."""
    march, november = date(year, 3, 1), date(year, 11, 1)
    begins = march + timedelta(days=(6 - march.weekday()) % 7 + 7)
    ends = november + timedelta(days=(6 - november.weekday()) % 7)
    return day_start_s(begins) + 7 * HOUR_S, day_start_s(ends) + 6 * HOUR_S


def offset_s(at_s: int) -> int:
    """Seconds to add to UTC to get US Eastern: -14400 in summer, -18000 in winter."""
    begins, ends = _summer_s(day_of(at_s).year)
    return -4 * HOUR_S if begins <= at_s < ends else -5 * HOUR_S


def is_repeated_hour(at_s: int) -> bool:
    """Whether the wall clock shows a second that it has shown already, an hour before."""
    ends = _summer_s(day_of(at_s).year)[1]
    return ends <= at_s < ends + HOUR_S


def midnight_s(day: date) -> int:
    """UTC second of midnight US Eastern of a date."""
    start = day_start_s(day)
    return start - offset_s(start + 5 * HOUR_S)
