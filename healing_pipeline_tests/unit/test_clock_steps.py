"""A wall clock that is set back or forward: what waits by it, and what is as old as it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog.market_hours import HOURS
from healing_pipeline.catalog.values import Calendar, Quota
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.guard.ledger import Ledger
from healing_pipeline.healing.guard.retry_after import retry_after_s
from healing_pipeline.healing.memory import SnapshotMemory
from healing_pipeline.healing.strategy import MOST_AHEAD, Snapshot
from healing_pipeline.healing.wall_clock import WORTH_A_WORD, WallClock
from healing_pipeline.incidents.detection import KnownIncident, overdue
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.providers.alpha_vantage.reading import local_moment

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NEW_YORK, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")
STEPS = [timedelta(minutes=5), timedelta(hours=1), timedelta(days=1), timedelta(days=400)]
seconds = st.floats(0.0, 1e8, allow_nan=False)


def snapshot(at: datetime) -> Snapshot:
    reading = Reading("AAPL", "quote", (Point(NOON, "close", 231.4),), NOON)
    return Snapshot(at, reading, b"{}", "yahoo", Fidelity.EXACT)


@given(st.lists(st.tuples(seconds, st.floats(-1e6, 1e6)), min_size=1, max_size=20))
def test_a_step_back_is_told_once_and_by_as_much_as_it_was(moves):
    """Whatever time passes meanwhile, and however often the clock is set forward."""
    watch, wall, monotonic = WallClock(), NOON, 0.0
    watch.was_set_back(wall, monotonic)
    for passed, step in moves:
        wall += timedelta(seconds=passed + step)
        monotonic += passed
        told = watch.was_set_back(wall, monotonic)
        if step <= -WORTH_A_WORD.total_seconds() - 0.01 and passed + step != 0:
            assert told is not None
            assert abs(told.total_seconds() + step) < 0.01
        elif step > -WORTH_A_WORD.total_seconds() + 0.01:
            assert told is None
        wall += timedelta(seconds=0.5)
        monotonic += 0.5
        assert watch.was_set_back(wall, monotonic) is None


def test_a_clock_that_stands_still_and_a_machine_that_slept_were_not_set_back():
    watch = WallClock()
    assert [watch.was_set_back(NOON, float(each)) for each in range(0, 60, 10)] == [None] * 6
    slept = NOON + timedelta(hours=8)  # the monotonic clock does not count it
    assert watch.was_set_back(slept, 61.0) is None


@pytest.mark.parametrize("by", STEPS)
def test_what_is_remembered_ages_with_the_time_that_passed_not_with_the_clock(by):
    memory = SnapshotMemory()
    memory.put("yahoo/quote-aapl", "", snapshot(NOON))
    memory.put("yahoo/quote-aapl", "range=5d", snapshot(NOON))
    later = NOON + timedelta(minutes=20) - by
    memory.set_back(by)
    for key in ("", "range=5d"):
        assert later - memory.get("yahoo/quote-aapl", key).fetched_at == timedelta(minutes=20)


@pytest.mark.parametrize("by", STEPS)
def test_data_read_after_a_step_back_takes_the_place_of_what_was_read_before(by):
    memory = SnapshotMemory()
    memory.put("yahoo/quote-aapl", "", snapshot(NOON))
    now = NOON - by
    memory.put("yahoo/quote-aapl", "", snapshot(now), now)
    assert memory.get("yahoo/quote-aapl", "").fetched_at == now


def test_data_that_arrives_late_still_never_takes_the_place_of_newer_data():
    memory = SnapshotMemory()
    memory.put("yahoo/quote-aapl", "", snapshot(NOON), NOON)
    late = NOON - MOST_AHEAD / 2
    memory.put("yahoo/quote-aapl", "", snapshot(late), late)
    assert memory.get("yahoo/quote-aapl", "").fetched_at == NOON


@given(
    st.sampled_from([State.OPEN, State.HEALING, State.ESCALATED]),
    st.timedeltas(timedelta(days=-800), timedelta(days=800)),
)
def test_no_incident_waits_longer_than_a_minute_wherever_the_clock_was_set(state, step):
    """A heal that died before the clock was set back by a day would be missed for a day."""
    incident = KnownIncident(7, state, NOON)
    signals = {State.HEALING: Signal.HEAL_LOST}
    waits = [overdue(incident, NOON + step + timedelta(seconds=each)) for each in (0, 61, 122)]
    moves = [each for each in waits if each is not None]
    assert moves
    assert {each.signal for each in moves} == {signals.get(state, Signal.TRIED_AGAIN)}


@pytest.mark.parametrize("ahead", [timedelta(days=3), timedelta(days=400)])
def test_a_quota_that_was_spent_on_a_day_that_is_not_yet_is_not_spent_today(ahead):
    ledger = Ledger(Quota(per_minute=None, per_day=2, per_month=None), 0.5)
    for _ in range(2):
        ledger.count(NOON + ahead, is_probe=False)
    ledger.mark_spent(NOON + ahead)
    assert ledger.refusal(NOON + ahead, is_probe=False) is not None
    assert ledger.refusal(NOON, is_probe=False) is None
    assert ledger.marked(NOON) is None


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(hours=20)])
def test_a_step_back_within_a_day_gives_no_second_quota(back):
    ledger = Ledger(Quota(per_minute=None, per_day=2, per_month=None), 0.5)
    midnight = NOON.replace(hour=0)
    for _ in range(2):
        ledger.count(midnight + timedelta(seconds=0.5), is_probe=False)
    assert ledger.refusal(midnight + timedelta(seconds=0.5) - back, is_probe=False) is not None


@pytest.mark.parametrize("zone", [UTC, NEW_YORK, BERLIN])
@pytest.mark.parametrize("day", ["2016-12-31", "2015-06-30"])
def test_a_leap_second_in_a_body_belongs_to_the_minute_that_it_ends(zone, day):
    found = local_moment(f"{day} 23:59:60", zone)
    assert found == local_moment(f"{day} 23:59:59", zone)
    assert found.astimezone(zone).date().isoformat() == day
    assert local_moment(f"{day} 23:59:61", zone) is None


def test_a_leap_second_in_a_header_makes_no_trouble():
    told = {"retry-after": "Sat, 31 Dec 2016 23:59:60 GMT"}
    now = datetime(2016, 12, 31, 23, 59, 30, tzinfo=UTC)
    assert retry_after_s(told, now, 60.0) in (None, 29.0, 30.0)


# Days on which a clock on the wall is set: New York 2026-03-08 and 2026-11-01, Berlin 2026-03-29
# and 2026-10-25.
CHANGES = [datetime(2026, *each, tzinfo=UTC) for each in ((3, 8), (11, 1), (3, 29), (10, 25))]


@given(
    st.sampled_from(list(Calendar)),
    st.sampled_from(CHANGES),
    st.integers(-4 * 1440, 4 * 1440),
)
def test_sessions_around_a_day_of_another_length_neither_overlap_nor_turn_round(
    calendar, change, minutes
):
    at = change + timedelta(minutes=minutes)
    hours = HOURS[calendar]
    day = at.date()
    sessions = [
        session
        for back in range(-3, 4)
        if (session := hours.session_on(day + timedelta(days=back))) is not None
    ]
    for session in sessions:
        assert session.opens_at.utcoffset() == session.closes_at.utcoffset() == timedelta(0)
        assert timedelta(0) < session.closes_at - session.opens_at <= timedelta(hours=25)
    for one, next_one in pairwise(sessions):
        assert one.closes_at <= next_one.opens_at


def test_the_new_york_stock_exchange_is_open_for_as_long_on_the_days_around_a_change():
    hours = HOURS[Calendar.XNYS]
    friday, monday = (
        hours.session_on(datetime(2026, 3, each, tzinfo=UTC).date()) for each in (6, 9)
    )
    assert friday.opens_at.hour == 14
    assert monday.opens_at.hour == 13
    assert friday.closes_at - friday.opens_at == monday.closes_at - monday.opens_at
