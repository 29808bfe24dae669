"""Whether a daily series has a row for each day on which its market traded.

Only daily series: a bar within the day is there when there was a trade, so a thin share's holes are
true, and `max_age_s` tells when the newest bar is late.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from healing_pipeline.catalog.market_hours import MarketHours
from healing_pipeline.healing.strategy import Snapshot
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import Verdict

DAY = timedelta(days=1)

# The slowest of our providers of bars writes a day's bar in the night after it.
BAR_GRACE = timedelta(hours=18)

# Published one business day later in the afternoon; a day more is no news.
OBSERVATIONS_BEHIND = 2

# A hole is accused while it is new, in a series that has hardly any. An old one is how the provider
# keeps the series, and refusing it would refuse the series for ever.
NEWEST_SESSIONS = 10
FEWEST_ROWS = 20
HOLES_SHARE = 0.02

# What was there this recently has not been taken back.
LOST_WITHIN = timedelta(hours=6)


def absent(
    reading: Reading, hours: MarketHours, last: Snapshot | None, now: datetime
) -> Verdict | None:
    """Find a session that a daily series lacks: the newest, one in the middle, or one it had.

    Only for a question whose window ends now, as an endpoint's own does.
    """
    if reading.interval != "1d":
        return None
    return _late(reading, hours, now) or _hole(reading, hours) or _lost(reading, hours, last, now)


def _late(reading: Reading, hours: MarketHours, now: datetime) -> Verdict | None:
    newest = _day(reading.at_s[-1])
    if newest >= now.astimezone(UTC).date() - DAY:
        return None
    if _has_bars(reading):
        due = hours.last_session(now - BAR_GRACE)
    else:
        due = hours.last_session(now)
        for _ in range(OBSERVATIONS_BEHIND):
            due = None if due is None else _session_before(due, hours)
    if due is None or newest >= due:
        return None
    return Verdict(
        FailureClass.STALE_DATA,
        f"the newest row is of {newest}, though {due} is over ({hours.calendar} calendar)",
    )


def _hole(reading: Reading, hours: MarketHours) -> Verdict | None:
    at_s = reading.at_s
    if not _has_bars(reading) or len(at_s) < FEWEST_ROWS:
        return None
    sessions = hours.sessions_between(_day(at_s[0]), _day(at_s[-1]))
    if len(at_s) >= len(sessions):
        return None
    held = {_day(each) for each in at_s}
    if sum(day not in held for day in sessions) > max(1.0, HOLES_SHARE * len(sessions)):
        return None
    return _lacking([day for day in sessions[-NEWEST_SESSIONS:] if day not in held])


def _lost(
    reading: Reading, hours: MarketHours, last: Snapshot | None, now: datetime
) -> Verdict | None:
    if last is None or now - last.fetched_at > LOST_WITHIN or last.reading.at_s == reading.at_s:
        return None
    known = last.reading
    if known.instrument != reading.instrument or known.interval != reading.interval:
        return None
    held, first, newest = set(reading.at_s), reading.at_s[0], reading.at_s[-1]
    gone = (_day(each) for each in known.at_s if first < each < newest and each not in held)
    return _lacking([day for day in gone if hours.session_on(day) is not None])


def _lacking(days: Iterable[date]) -> Verdict | None:
    named = [str(day) for day in days]
    if not named:
        return None
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return Verdict(
        FailureClass.INVALID_DATA, f"there is no row of {', '.join(named[:3])}{more}, a session"
    )


def _has_bars(reading: Reading) -> bool:
    return "close" in reading.fields


def _day(at_s: float) -> date:
    return datetime.fromtimestamp(at_s, tz=UTC).date()


def _session_before(day: date, hours: MarketHours) -> date | None:
    before = hours.sessions_between(day - 15 * DAY, day - DAY)
    return before[-1] if before else None
