"""What the probes' share of a quota bears at any moment of any day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.control.allowance import AHEAD, DAY_S, allowance, windows_of

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
per_day = st.integers(1, 400)
moments = st.lists(st.integers(0, DAY_S - 1), min_size=1, max_size=80).map(sorted)


def at(seconds: float) -> datetime:
    return MIDNIGHT + timedelta(seconds=seconds)


@given(limit=per_day, asked=moments)
def test_a_day_is_never_ahead_of_an_even_pace_by_more_than_an_eighth_of_its_share(limit, asked):
    spent = 0
    for seconds in asked:
        spent += allowance({"day": limit}, {"day": spent}, at(seconds)).calls
        assert spent <= seconds * limit / DAY_S + 1 + limit // AHEAD
        assert spent <= limit


@given(limit=per_day)
def test_whoever_asks_every_minute_spends_the_whole_share_by_the_end_of_the_day(limit):
    spent = 0
    for minute in range(24 * 60):
        spent += allowance({"day": limit}, {"day": spent}, at(60 * minute)).calls
    assert spent == limit


@given(
    limits=st.dictionaries(
        st.sampled_from(["minute", "day", "month"]), st.integers(1, 1_000), min_size=1
    ),
    used=st.dictionaries(st.sampled_from(["minute", "day", "month"]), st.integers(0, 1_200)),
    seconds=st.integers(0, 40 * DAY_S),
    second_look=st.booleans(),
)
def test_no_window_is_overspent_and_the_next_call_can_be_had_when_it_says(
    limits, used, seconds, second_look
):
    now = at(seconds)
    room = allowance(limits, used, now, second_look=second_look)
    assert (
        0
        <= room.calls
        <= min(max(0, most - used.get(window, 0)) for window, most in limits.items())
    )
    assert room.opens_at > now
    # Once these are spent nothing is left, and a moment before it opens still nothing.
    spent = {window: used.get(window, 0) + room.calls for window in ("minute", "day", "month")}
    assert allowance(limits, spent, now, second_look=second_look).calls == 0


@given(limit=per_day, used=st.integers(0, 400), seconds=st.integers(0, DAY_S - 1))
def test_the_pace_opens_at_the_moment_it_says_and_not_before(limit, used, seconds):
    now = at(seconds)
    room = allowance({"day": limit}, {"day": used}, now)
    spent = {"day": used + room.calls}
    if room.opens_at >= at(DAY_S):
        assert spent["day"] >= limit
        return
    before = room.opens_at - timedelta(seconds=1)
    assert allowance({"day": limit}, spent, room.opens_at).calls >= 1
    if before > now:
        assert allowance({"day": limit}, spent, before).calls == 0


def test_five_calls_a_day_are_spread_and_a_second_look_may_still_have_one():
    # 86,400 s / 5 = 17,280 s from one to the next.
    assert allowance({"day": 5}, {}, MIDNIGHT).calls == 1
    after_one = allowance({"day": 5}, {"day": 1}, at(60))
    assert (after_one.calls, after_one.opens_at) == (0, at(17_280))
    assert allowance({"day": 5}, {"day": 1}, at(60), second_look=True).calls == 4


def test_a_months_share_is_spent_by_the_day():
    # 300 a month are 10 a day of the longest one: 2 at once, and one each 8,640 s.
    assert allowance({"month": 300}, {}, MIDNIGHT).calls == 2
    assert allowance({"month": 300}, {"day": 10, "month": 10}, at(DAY_S - 60)).calls == 0
    assert allowance({"month": 300}, {"month": 10}, at(DAY_S + 60)).calls == 2
    assert windows_of({"month": 300}) == ("day", "month")


def test_what_is_unmetered_has_no_limit_and_no_window():
    assert allowance({}, {}, MIDNIGHT).calls is None
    assert windows_of({}) == ()
