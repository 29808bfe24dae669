"""When markets are open: held against the calendars that exchanges' followers keep."""

from __future__ import annotations

import runpy
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog import market_days
from healing_pipeline.catalog.market_days import FIRST_YEAR, LAST_YEAR
from healing_pipeline.catalog.market_hours import HOURS, Calendar

DAY = timedelta(days=1)
XNYS, FX = HOURS[Calendar.XNYS], HOURS[Calendar.FX]
FIRST, LAST = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)

GENERATOR = Path(__file__).parents[2] / "scripts" / "make_market_days.py"

moments = st.integers(0, (LAST - FIRST).days * 86_400).map(
    lambda s: datetime(FIRST_YEAR, 1, 20, tzinfo=UTC) + timedelta(seconds=s)
)
# The library is older than the pandas that is installed.
of_its_age = pytest.mark.filterwarnings(
    "ignore:Series.values returning an:pandas.errors.Pandas4Warning"
)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@cache
def new_york():
    import exchange_calendars

    return exchange_calendars.get_calendar("XNYS", start=str(FIRST), end=str(LAST))


@of_its_age
def test_every_session_of_forty_six_years_is_the_exchanges_own_to_the_minute():
    kept = new_york()
    days = XNYS.sessions_between(FIRST, LAST)
    assert days == tuple(each.date() for each in kept.sessions)
    for day, opens_at, closes_at in zip(days, kept.opens, kept.closes, strict=True):
        session = XNYS.session_on(day)
        assert session.opens_at == opens_at.to_pydatetime()
        assert session.closes_at == closes_at.to_pydatetime()


@of_its_age
def test_the_kept_days_are_what_the_generator_writes_today():
    """Fails when an exchange announces a closing day: run the generator, and look at the change."""
    kept = Path(market_days.__file__).read_text(encoding="utf-8")
    assert runpy.run_path(str(GENERATOR))["market_days_text"]() == kept


@pytest.mark.parametrize("calendar", Calendar)
@given(at=moments)
def test_open_means_that_the_next_second_counts(calendar, at):
    hours = HOURS[calendar]
    second = hours.open_seconds_between(at, at + timedelta(seconds=1))
    assert (second == 1.0) is hours.is_open(at)


@pytest.mark.parametrize("calendar", Calendar)
@given(at=moments, first=st.floats(0, 1e6), then=st.floats(0, 1e6))
def test_open_seconds_add_up_and_are_no_more_than_all_seconds(calendar, at, first, then):
    hours = HOURS[calendar]
    middle, end = at + timedelta(seconds=first), at + timedelta(seconds=first + then)
    whole = hours.open_seconds_between(at, end)
    parts = hours.open_seconds_between(at, middle) + hours.open_seconds_between(middle, end)
    assert whole == pytest.approx(parts, abs=0.01)
    assert 0 <= whole <= (end - at).total_seconds() + 0.01
    assert hours.open_seconds_between(end, at) == 0 or end == at


@pytest.mark.parametrize("calendar", Calendar)
@given(at=moments)
def test_the_last_session_is_over_and_none_ended_after_it(calendar, at):
    hours = HOURS[calendar]
    last = hours.last_session(at)
    assert hours.session_on(last).closes_at <= at
    for later in hours.sessions_between(last + DAY, at.date() + DAY):
        assert hours.session_on(later).closes_at > at


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-03-06 14:29:59", False),
        ("2026-03-06 14:30:00", True),
        ("2026-03-06 20:59:59", True),
        ("2026-03-06 21:00:00", False),
        ("2026-03-09 13:30:00", True),  # summer time began the day before
        ("2026-03-09 13:29:59", False),
        ("2026-11-27 17:59:59", True),  # the Friday after Thanksgiving ends at 13:00
        ("2026-11-27 18:00:00", False),
        ("2001-09-12 15:00:00", False),
        ("2025-01-09 15:00:00", False),  # a day of mourning
    ],
)
def test_new_york(at, is_open):
    assert XNYS.is_open(utc(at)) is is_open


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-03-06 21:59:59", True),  # Friday, 16:59:59 New York
        ("2026-03-06 22:00:00", False),
        ("2026-03-08 20:59:59", False),  # Sunday, summer time by now
        ("2026-03-08 21:00:00", True),
        ("2026-03-10 03:00:00", True),
        ("2025-12-25 12:00:00", False),
    ],
)
def test_currencies(at, is_open):
    assert FX.is_open(utc(at)) is is_open


def test_a_weekend_is_not_age():
    friday, monday = utc("2026-03-06 20:59:00"), utc("2026-03-09 13:31:00")
    assert XNYS.open_seconds_between(friday, monday) == 120
    assert XNYS.last_session(monday) == date(2026, 3, 6)
    assert XNYS.last_session(utc("2026-03-09 20:00:00")) == date(2026, 3, 9)


def test_the_federal_reserve_makes_up_for_a_sunday_and_not_for_a_saturday():
    session_on = HOURS[Calendar.US_BUSINESS].session_on
    assert session_on(date(2026, 7, 3)) is not None  # the 4th is a Saturday
    assert session_on(date(2027, 7, 5)) is None  # the 4th is a Sunday
    assert session_on(date(2021, 6, 18)) is not None
    assert session_on(date(2023, 6, 19)) is None
    assert session_on(date(2026, 10, 12)) is None  # Columbus Day, and New York trades
    assert XNYS.session_on(date(2026, 10, 12)) is not None


@given(day=st.dates(date(2036, 1, 1), date(2100, 1, 1)))
def test_beyond_what_is_known_every_weekday_is_a_session(day):
    assert (XNYS.session_on(day) is not None) is (day.weekday() < 5)


def test_hours_cost_no_pandas():
    code = "import sys, healing_pipeline.catalog.market_hours; print('pandas' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
