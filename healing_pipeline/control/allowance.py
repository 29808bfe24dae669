"""How many probes a key's quota bears now: never beyond the probes' share, and spread over the day.

Pure: what is spent comes as an argument. A share of five calls a day that is spent by one in the
morning leaves the rest of it blind; so a first look may not run ahead of an even pace by more than
an eighth of the day's share. A second look, which confirms what a first one found, may: it is worth
more than the first look that it costs later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY_S = 86_400
LONGEST_MONTH = 31
AHEAD = 8


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be spent.

    Attributes
    ----------
    calls : int or None
        Now; None for any number.
    opens_at : datetime
        When the next one may be, once these are spent.
    """

    calls: int | None
    opens_at: datetime


def windows_of(limits: Mapping[str, int]) -> tuple[str, ...]:
    """The windows in which calls have to be noted: those with a limit, and the day for the pace."""
    paced = {"day"} if "month" in limits else set()
    return tuple(sorted({*limits, *paced}))


def allowance(
    limits: Mapping[str, int], used: Mapping[str, int], now: datetime, *, second_look: bool = False
) -> Allowance:
    """Say how many calls may be made now.

    Parameters
    ----------
    limits : Mapping
        ``minute``, ``day``, ``month`` to the most calls of the probes.
    used : Mapping
        What probes have spent of the same windows, in UTC; nothing where one is missing.
    now : datetime
        Aware UTC.
    second_look : bool
        Whether the calls confirm what others found.
    """
    if not limits:
        return Allowance(None, now)
    rooms = [
        (max(0, most - used.get(window, 0)), _next_window(window, now))
        for window, most in limits.items()
    ]
    per_day = None if second_look else _per_day(limits)
    if per_day is not None:
        rooms.append(_room_of_pace(per_day, used.get("day", 0), now))
    calls = min(room for room, _ in rooms)
    return Allowance(calls, max(opens_at for room, opens_at in rooms if room == calls))


def _per_day(limits: Mapping[str, int]) -> int | None:
    """A day's part of the share, by the day's limit and by the month's."""
    parts = [limits["day"]] if "day" in limits else []
    if "month" in limits:
        parts.append(-(-limits["month"] // LONGEST_MONTH))
    return min(parts, default=None)


def _room_of_pace(per_day: int, used: int, now: datetime) -> tuple[int, datetime]:
    midnight = _start_of_day(now)
    ahead = 1 + per_day // AHEAD
    passed_s = (now - midnight).total_seconds()
    due = min(per_day, int(passed_s * per_day / DAY_S) + ahead)
    room = max(0, due - used)
    reached = used + room + 1 - ahead
    if used + room >= per_day:
        return room, midnight + timedelta(days=1)
    return room, midnight + timedelta(microseconds=-(-reached * DAY_S * 1_000_000 // per_day))


def _next_window(window: str, now: datetime) -> datetime:
    if window == "minute":
        return now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    midnight = _start_of_day(now)
    if window == "day":
        return midnight + timedelta(days=1)
    return (midnight.replace(day=1) + timedelta(days=LONGEST_MONTH + 1)).replace(day=1)


def _start_of_day(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
