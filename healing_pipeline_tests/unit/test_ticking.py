"""What is wrong with sensors and schedules: a table of cases, and a property."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.control.ticking import FORGOTTEN_S, Ticker, complaints

NOW = 1_000_000.0
OURS = Ticker(
    name="probe_fred",
    kind="sensor",
    location="healing_pipeline",
    is_known=True,
    is_by_hand=False,
    begun_at=NOW - 5.0,
    due_at=NOW,
    every_s=5.0,
)
THEIRS = replace(OURS, name="letters", location="theirs", is_known=False)


def silent(ticker: Ticker, for_s: float) -> Ticker:
    return replace(ticker, begun_at=NOW - for_s - ticker.every_s, due_at=NOW - for_s)


def told(*tickers: Ticker, watched_since: float = 0.0) -> set[str]:
    return {each.fingerprint for each in complaints(tickers, NOW, watched_since)}


def test_a_sensor_that_ticks_is_no_matter():
    assert told(OURS, THEIRS) == set()


def test_one_of_ours_that_is_silent_for_minutes_is_told_of():
    assert told(silent(OURS, 60.0)) == set()
    assert told(silent(OURS, 120.0)) == {"dagster:sensor:probe_fred"}
    (complaint,) = complaints([silent(OURS, 120.0)], NOW, 0.0)
    assert complaint.is_stopped
    assert "due 120 s ago" in complaint.evidence


def test_one_that_ticks_seldom_is_waited_for_longer():
    seldom = replace(OURS, every_s=60.0)
    assert told(silent(seldom, 200.0)) == set()
    assert told(silent(seldom, 300.0)) == {"dagster:sensor:probe_fred"}


def test_what_nobody_could_do_while_the_daemon_was_off_is_no_fault():
    off_all_night = silent(OURS, 30_000.0)
    assert told(off_all_night, watched_since=NOW - 60.0) == set()
    assert told(off_all_night, watched_since=NOW - 120.0) == {"dagster:sensor:probe_fred"}


def test_one_that_never_ticked_and_of_which_no_time_is_known_is_no_matter():
    assert told(replace(OURS, begun_at=None, due_at=None)) == set()


def test_one_of_theirs_that_ceased_while_its_neighbours_tick_was_taken_out_of_the_code():
    neighbour = replace(THEIRS, name="parcels")
    assert told(silent(THEIRS, 600.0), neighbour) == set()
    by_hand = replace(silent(THEIRS, 600.0), is_by_hand=True)
    assert told(by_hand, neighbour) == {"dagster:sensor:letters"}
    hangs = replace(silent(THEIRS, 600.0), is_in_tick=True)
    assert told(hangs, neighbour) == {"dagster:sensor:letters"}


def test_when_all_of_a_code_location_are_silent_it_is_one_matter():
    theirs = [silent(replace(THEIRS, name=name), 600.0) for name in ("a", "b", "c")]
    assert told(*theirs, OURS) == {"dagster:location:theirs"}


def test_a_code_location_that_has_been_away_for_a_day_was_taken_out():
    theirs = [silent(replace(THEIRS, name=name), FORGOTTEN_S + 1.0) for name in ("a", "b")]
    assert told(*theirs) == set()


def test_three_ticks_in_a_row_that_fail_are_told_of_with_what_the_last_said():
    twice = replace(OURS, failures=("no disk", "no disk"))
    assert told(twice) == set()
    (complaint,) = complaints([replace(OURS, failures=("full", "no disk", "no disk"))], NOW, 0.0)
    assert (complaint.fingerprint, complaint.evidence) == ("dagster:sensor:probe_fred", "full")
    assert not complaint.is_stopped


def test_one_failed_tick_of_what_ticks_each_hour_is_enough():
    hourly = replace(OURS, kind="schedule", every_s=3600.0, due_at=NOW + 10.0, failures=("no",))
    assert told(hourly) == {"dagster:schedule:probe_fred"}


tickers = st.builds(
    Ticker,
    name=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(["sensor", "schedule"]),
    location=st.sampled_from(["ours", "theirs"]),
    is_known=st.booleans(),
    is_by_hand=st.booleans(),
    begun_at=st.none() | st.floats(0.0, NOW),
    due_at=st.none() | st.floats(0.0, 2 * NOW),
    every_s=st.floats(0.0, 100_000.0),
    is_in_tick=st.booleans(),
    failures=st.lists(st.text(), max_size=4).map(tuple),
)


@given(st.lists(tickers, max_size=6, unique_by=lambda each: (each.kind, each.name)))
def test_nothing_is_told_of_twice_and_nothing_that_is_in_time_and_works(given):
    found = complaints(given, NOW, 0.0)
    fingerprints = [each.fingerprint for each in found]
    assert len(fingerprints) == len(set(fingerprints))
    for each in given:
        in_time = each.due_at is None or each.due_at >= NOW
        if in_time and not each.failures:
            assert each.fingerprint not in fingerprints


@pytest.mark.parametrize("for_s", [0.0, 30.0, 74.0])
def test_the_daemons_own_loop_on_a_busy_machine_is_no_silence(for_s):
    assert told(silent(OURS, for_s)) == set()
