"""Data is late, or has holes, by the calendar of its market; a night or a weekend is neither."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog.market_hours import HOURS, Calendar
from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.healing.strategy import Snapshot
from healing_pipeline.healing.validation import Scrutiny, judge
from healing_pipeline.healing.validation.attendance import absent
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.recorded import request_line
from healing_pipeline.providers.registry import provider_named

RECORDED = Path(__file__).parents[3] / "shared" / "recorded"
XNYS = HOURS[Calendar.XNYS]
DAY = timedelta(days=1)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def at(day):
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def series(days, field="close", hours=XNYS):
    points = tuple(Point(at(day), field, 100.0 + n / 100) for n, day in enumerate(sorted(days)))
    return Reading("IBM", "1d", points, points[-1].at)


def sessions(until="2026-03-09", count=60, hours=XNYS):
    last = date.fromisoformat(until)
    return hours.sessions_between(last - timedelta(days=3 * count), last)[-count:]


# Monday 2026-03-09: New York closes at 20:00 UTC.
@pytest.mark.parametrize(
    ("newest", "now", "is_late"),
    [
        ("2026-03-06", "2026-03-08 12:00", False),  # Friday's, on Sunday
        ("2026-03-06", "2026-03-09 18:00", False),  # on Monday before the close
        ("2026-03-06", "2026-03-10 13:59", False),  # the night is for writing it
        ("2026-03-06", "2026-03-10 14:00", True),
        ("2026-03-05", "2026-03-07 10:00", False),
        ("2026-03-05", "2026-03-07 15:00", True),
        ("2026-04-02", "2026-04-06 13:00", False),  # Good Friday is no session
    ],
)
def test_a_daily_series_is_late_when_a_finished_session_is_not_there_by_the_next_day(
    newest, now, is_late
):
    verdict = absent(series(sessions(newest)), XNYS, None, utc(now))
    assert (verdict is not None) is is_late
    if verdict is not None:
        assert verdict.failure_class is FailureClass.STALE_DATA
        assert newest in verdict.evidence


@pytest.mark.parametrize(
    ("newest", "now", "is_late"),
    [
        ("2026-03-05", "2026-03-09 21:00", False),  # Thursday's, on Monday
        ("2026-03-05", "2026-03-10 12:00", False),  # one day later than usual
        ("2026-03-05", "2026-03-11 12:00", True),
    ],
)
def test_observations_may_come_two_business_days_later(newest, now, is_late):
    hours = HOURS[Calendar.US_BUSINESS]
    reading = series(sessions(newest, hours=hours), field="value")
    assert (absent(reading, hours, None, utc(now)) is not None) is is_late


@given(now=st.datetimes(datetime(2000, 1, 1), datetime(2034, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_series_that_ends_with_the_last_finished_session_is_never_late_nor_has_holes(now):
    newest = XNYS.last_session(now)
    days = XNYS.sessions_between(newest - 90 * DAY, newest)
    assert absent(series(days), XNYS, None, now) is None


@given(gone=st.integers(1, 58))
def test_a_hole_is_accused_while_it_is_new(gone):
    days = list(sessions())
    hole = days.pop(-1 - gone)
    verdict = absent(series(days), XNYS, None, utc("2026-03-09 22:00"))
    if gone > 9:
        assert verdict is None, "an old hole is how the provider keeps the series"
    else:
        assert verdict.failure_class is FailureClass.INVALID_DATA
        assert str(hole) in verdict.evidence


@given(gone=st.integers(1, 58))
def test_a_row_that_was_there_an_hour_ago_and_is_gone_is_accused_wherever_it_was(gone):
    days, now = list(sessions()), utc("2026-03-09 22:00")
    before = Snapshot(now - timedelta(hours=1), series(days), b"", "yahoo")
    days.pop(-1 - gone)
    assert absent(series(days), XNYS, before, now) is not None
    long_ago = replace(before, fetched_at=now - timedelta(hours=7))
    assert (absent(series(days), XNYS, long_ago, now) is None) is (gone > 9)


def test_a_window_that_moves_on_loses_its_first_rows():
    days, now = list(sessions()), utc("2026-03-09 22:00")
    before = Snapshot(now - timedelta(hours=1), series(days), b"", "yahoo")
    assert absent(series(days[5:]), XNYS, before, now) is None


def test_a_thin_share_has_holes_and_they_are_true():
    days = [day for n, day in enumerate(sessions()) if n % 5]
    assert absent(series(days), XNYS, None, utc("2026-03-09 22:00")) is None


def test_bars_within_the_day_and_weekly_ones_are_not_judged():
    for interval in ("5m", "1w", "1mo", "now"):
        old = replace(series(sessions("2025-03-07")), interval=interval)
        assert absent(old, XNYS, None, utc("2026-03-09 22:00")) is None


def test_a_window_that_a_reader_changed_may_have_ended_long_ago():
    endpoint = Endpoint("yahoo/x", "yahoo", "/x", calendar=Calendar.XNYS)
    old, now = series(sessions("2025-03-07")), utc("2026-03-09 22:00")
    assert Scrutiny().examine(("yahoo/x", ""), old, endpoint, None, now) is not None
    assert Scrutiny().examine(("yahoo/x", "period2=1"), old, endpoint, None, now) is None
    nothing_expected = replace(endpoint, calendar=None)
    assert Scrutiny().examine(("yahoo/x", ""), old, nothing_expected, None, now) is None


def test_the_roll_is_called_again_when_rows_change_or_time_passes():
    endpoint = Endpoint("yahoo/x", "yahoo", "/x", calendar=Calendar.XNYS)
    days, scrutiny = sessions("2026-03-06"), Scrutiny()

    def look(held, now):
        return scrutiny.examine(("yahoo/x", ""), series(held), endpoint, None, utc(now))

    for second in range(3):
        assert look(days, f"2026-03-09 18:00:0{second}") is None
    assert "2026-03-05" in look((*days[:-2], days[-1]), "2026-03-09 18:00:04").evidence
    assert look(days, "2026-03-09 18:00:05") is None
    assert look(days, "2026-03-10 18:00:05").failure_class is FailureClass.STALE_DATA


@pytest.mark.parametrize(
    ("now", "is_stale"),
    [
        ("2026-03-09 13:30", False),  # the bell
        ("2026-03-09 13:44", False),
        ("2026-03-09 13:46", True),  # sixteen minutes of open market after the weekend
        ("2026-03-08 12:00", False),
    ],
)
def test_age_is_counted_while_the_market_is_open(now, is_stale):
    closing = utc("2026-03-06 21:00")
    quote = Reading("IBM", "now", (Point(closing, "price", 100.0),), closing)
    endpoint = Endpoint("yahoo/q", "yahoo", "/q", max_age_s=900, calendar=Calendar.XNYS)
    verdict = judge(quote, endpoint, None, utc(now))
    assert (verdict is not None) is is_stale
    if verdict is not None:
        assert "960 s of open market" in verdict.evidence
    assert judge(quote, replace(endpoint, calendar=Calendar.ALWAYS), None, utc(now)) is not None


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded responses are not beside us")
def test_no_recorded_good_body_has_a_hole_or_stands_still():
    """Each as it would have come the evening of its newest row."""
    seen, refused = Counter(), []
    for line in (RECORDED / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["kind"] != "ok":
            continue
        asked = request_line(entry["endpoint"], entry["host"] or "")
        body = (RECORDED / entry["body_file"]).read_bytes()
        reading = provider_named(entry["source"]).read(body, asked)
        if not isinstance(reading, Reading):
            continue
        is_currency = reading.instrument.endswith("=X")
        calendar = Calendar.FX if is_currency else Calendar.XNYS
        endpoint = Endpoint(f"{entry['source']}/x", entry["source"], asked.path, calendar=calendar)
        now = max(reading.as_of, reading.newest_at) + timedelta(hours=22)
        verdict = Scrutiny().examine((endpoint.id, ""), reading, endpoint, None, now)
        seen[reading.interval] += 1
        if verdict is not None:
            refused.append((entry["body_file"], verdict.evidence))
    assert seen["1d"] >= 10
    assert seen.total() >= 50
    assert not refused
