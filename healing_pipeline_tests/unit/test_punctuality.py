from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.control.punctuality import LOOP_S, REMEMBERED, Punctuality, at_tick

NOON = 1_795_694_400.0


def ticks(*gaps_s: float, switched_on_at: float | None = None) -> Punctuality:
    """The account of ticks with these gaps between their begins."""
    at = NOON
    account = at_tick(None, at, switched_on_at=switched_on_at)
    for gap in gaps_s:
        at += gap
        account = at_tick(Punctuality.of_cursor(account.cursor), at, switched_on_at=switched_on_at)
    return account


def test_a_first_tick_is_on_time():
    assert ticks().late_s == (0.0,)


@pytest.mark.parametrize(
    ("gap_s", "late_s"), [(0.3, 0.0), (5.0, 0.0), (5.04, 0.0), (7.5, 2.5), (65.0, 60.0)]
)
def test_a_tick_is_late_by_what_goes_beyond_one_turn_of_the_loop(gap_s, late_s):
    assert ticks(gap_s).latest_s == late_s


def test_a_sensor_that_was_switched_off_for_an_hour_did_not_tick_an_hour_late():
    assert ticks(3600.0, switched_on_at=NOON + 3599.0).latest_s == 1.0


def test_one_late_tick_in_many_shows_in_the_maximum_and_not_in_the_95th_percentile():
    account = ticks(12.0, *[5.0] * 30)
    assert (account.p95_s, account.max_s) == (0.0, 7.0)


def test_every_tenth_tick_late_shows_in_the_95th_percentile():
    assert ticks(*([5.0] * 9 + [12.0]) * 5).p95_s == 7.0


def test_ticks_that_miss_turns_stay_shorter_until_they_miss_none():
    assert ticks(*[5.0] * 20).stay_s(4.5) == 4.5
    assert ticks(*[5.0] * 20, 10.0).stay_s(4.5) == pytest.approx(4.2)
    assert ticks(*[10.0] * 20).stay_s(4.5) == pytest.approx(0.6 * 4.5)
    assert ticks(10.0, *[5.0] * 12).stay_s(4.5) == 4.5


def test_a_tick_that_is_to_look_once_does_so_on_a_busy_machine_too():
    assert ticks(*[10.0] * 20).stay_s(0.0) == 0.0


@given(gaps=st.lists(st.floats(0.0, 1e5), max_size=2 * REMEMBERED))
def test_the_account_stays_as_small_as_it_is_however_many_ticks_there_are(gaps):
    account = ticks(*gaps)
    assert len(account.late_s) == min(REMEMBERED, len(gaps) + 1)
    assert len(ticks(*[LOOP_S] * 500).cursor) < 200
    assert all(each >= 0 for each in account.late_s)
    assert account.p95_s <= account.max_s


@given(gaps=st.lists(st.floats(0.0, 1e5), max_size=5))
def test_a_cursor_says_what_was_put_into_it(gaps):
    account = ticks(*gaps)
    assert Punctuality.of_cursor(account.cursor).late_s == account.late_s


@pytest.mark.parametrize(
    "cursor",
    [
        None,
        "",
        "17",
        "null",
        "[]",
        "{}",
        '{"begun_at": 1}',
        '{"begun_at": "x", "late_ds": []}',
        "{",
    ],
)
def test_a_cursor_that_cannot_be_read_fails_no_tick(cursor):
    assert Punctuality.of_cursor(cursor) is None
