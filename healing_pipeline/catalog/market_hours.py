"""When markets are open: what tells late data from a closed exchange. Standard library only.

Four calendars: ``always`` (24 hours, 7 days; what simulators trade), ``XNYS`` (New York stock
exchanges), ``fx`` (Sunday 17:00 to Friday 17:00 New York) and ``us_business`` (days on which the
Federal Reserve publishes daily rates).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from healing_pipeline.catalog.market_days import US_BUSINESS_CLOSED, XNYS_CLOSED, XNYS_EARLY

NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)

# No exchange rests longer; looking back further for a session is in vain.
LONGEST_REST_DAYS = 15


class Calendar(StrEnum):
    """The name of a calendar, as configurations write it."""

    ALWAYS = "always"
    XNYS = "XNYS"
    FX = "fx"
    US_BUSINESS = "us_business"


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: its date, and when it begins and ends, aware UTC."""

    day: date
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True)
class MarketHours:
    """The sessions of one market.

    Attributes
    ----------
    calendar : Calendar
    zone : tzinfo
        Where the dates of its sessions are told.
    session_on : callable
        The session of a date, None where there is none.

    Notes
    -----
    Known from 1990 to 2035, as far as the exchanges' rules are; any other weekday is taken for a
    session of regular hours.
    """

    calendar: Calendar
    zone: ZoneInfo
    session_on: Callable[[date], Session | None]

    def is_open(self, at: datetime) -> bool:
        """Whether there is trade at a moment."""
        if self.calendar is Calendar.ALWAYS:
            return True
        day = at.astimezone(self.zone).date()
        # An evening may belong to the session of the next date.
        return self._covers(day, at) or self._covers(day + DAY, at)

    def _covers(self, day: date, at: datetime) -> bool:
        session = self.session_on(day)
        return session is not None and session.opens_at <= at < session.closes_at

    def sessions_between(self, first: date, last: date) -> tuple[date, ...]:
        """The dates of all sessions from `first` to `last`, both included."""
        return _sessions_between(self.calendar, first, last)

    def open_seconds_between(self, since: datetime, until: datetime) -> float:
        """How long there was trade between two moments; 0 where `until` is not later."""
        if self.calendar is Calendar.ALWAYS:
            return max(0.0, (until - since).total_seconds())
        day, last = since.astimezone(self.zone).date(), until.astimezone(self.zone).date() + DAY
        seconds = 0.0
        while day <= last:
            session = self.session_on(day)
            if session is not None:
                shared = min(session.closes_at, until) - max(session.opens_at, since)
                seconds += max(0.0, shared.total_seconds())
            day += DAY
        return seconds

    def last_session(self, at: datetime) -> date | None:
        """The date of the newest session that is over at a moment; None where none is known."""
        day = at.astimezone(self.zone).date()
        for back in range(LONGEST_REST_DAYS):
            session = self.session_on(day - back * DAY)
            if session is not None and session.closes_at <= at:
                return session.day
        return None


@lru_cache(maxsize=1024)
def _sessions_between(calendar: Calendar, first: date, last: date) -> tuple[date, ...]:
    session_on = HOURS[calendar].session_on
    days = (first + n * DAY for n in range((last - first).days + 1))
    return tuple(day for day in days if session_on(day) is not None)


def _days(text: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(each) for each in text.split())


_XNYS_CLOSED = _days(XNYS_CLOSED)
_XNYS_EARLY = {
    date.fromisoformat(day): time(int(hour))
    for day, hour in (each.split("@") for each in XNYS_EARLY.split())
}
_US_BUSINESS_CLOSED = _days(US_BUSINESS_CLOSED)


def _in_new_york(day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=NEW_YORK).astimezone(UTC)


def _every_day(day: date) -> Session | None:
    began = datetime.combine(day, time(), tzinfo=UTC)
    return Session(day, began, began + DAY)


@lru_cache(maxsize=4096)
def _new_york_stock_exchange(day: date) -> Session | None:
    if day.weekday() > 4 or day in _XNYS_CLOSED:
        return None
    closes = _XNYS_EARLY.get(day, time(16))
    return Session(day, _in_new_york(day, time(9, 30)), _in_new_york(day, closes))


@lru_cache(maxsize=4096)
def _currencies(day: date) -> Session | None:
    # Nobody makes prices on the two days that are holidays nearly everywhere.
    if day.weekday() > 4 or (day.month, day.day) in {(1, 1), (12, 25)}:
        return None
    return Session(day, _in_new_york(day - DAY, time(17)), _in_new_york(day, time(17)))


@lru_cache(maxsize=4096)
def _us_business(day: date) -> Session | None:
    if day.weekday() > 4 or day in _US_BUSINESS_CLOSED:
        return None
    return Session(day, _in_new_york(day, time()), _in_new_york(day + DAY, time()))


HOURS: Mapping[Calendar, MarketHours] = MappingProxyType(
    {
        Calendar.ALWAYS: MarketHours(Calendar.ALWAYS, ZoneInfo("UTC"), _every_day),
        Calendar.XNYS: MarketHours(Calendar.XNYS, NEW_YORK, _new_york_stock_exchange),
        Calendar.FX: MarketHours(Calendar.FX, NEW_YORK, _currencies),
        Calendar.US_BUSINESS: MarketHours(Calendar.US_BUSINESS, NEW_YORK, _us_business),
    }
)
