"""The breaker: when it ejects, for how long, and how it comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.healing.guard.breaker import Breaker, BreakerRules, Window
from healing_pipeline.probing.failure_class import FailureClass

RULES = BreakerRules()
NETWORK, AUTH = FailureClass.NETWORK_ERROR, FailureClass.AUTH_ERROR

# What befalls a breaker: seconds that pass, then a call begins, or one of those under way ends.
passing = st.floats(min_value=0.0, max_value=30.0)
happenings = st.lists(
    st.tuples(
        passing,
        st.sampled_from(["begin", "begin anyway", "good", "bad", "refused", "given up"]),
        st.integers(min_value=0, max_value=20),
    ),
    max_size=120,
)


def breaker() -> Breaker:
    return Breaker("host query1", RULES)


def fails(guarded: Breaker, now: float, times: int = 1) -> None:
    for _ in range(times):
        guarded.failed(now, now, NETWORK)


@given(happenings)
def test_however_calls_begin_and_end_half_open_lets_one_trial_through_at_a_time(story):
    guarded, now, under_way = breaker(), 1000.0, []
    for seconds, what, which in story:
        now += seconds
        if what in ("begin", "begin anyway"):
            half_open = guarded.until is not None and now >= guarded.until
            if guarded.refusal(now) is None:
                assert not (half_open and under_way), "a second call while one is on trial"
                assert guarded.until is None or half_open
            elif what == "begin":
                continue
            guarded.begin()
            under_way.append(now)
        elif under_way:
            began = under_way.pop(which % len(under_way))
            guarded.end()
            end(guarded, now, began, what)


@given(happenings)
def test_whatever_ends_an_ejection_never_gets_shorter(story):
    guarded, now, under_way = breaker(), 1000.0, []
    for seconds, what, which in story:
        now += seconds
        if what.startswith("begin"):
            guarded.begin()
            under_way.append(now)
        elif under_way:
            before = guarded.until
            guarded.end()
            end(guarded, now, under_way.pop(which % len(under_way)), what)
            if before is not None and guarded.until is not None:
                assert guarded.until >= before
            if guarded.until is not None:
                assert guarded.until <= max(before or 0.0, now + RULES.max_s)


def end(guarded: Breaker, now: float, began: float, how: str) -> None:
    if how == "good":
        guarded.succeeded(now, began)
    elif how == "bad":
        guarded.failed(now, began, NETWORK)
    elif how == "refused":
        guarded.eject(now, began, AUTH)


@given(
    st.lists(
        st.tuples(st.floats(min_value=0.0, max_value=4.0), st.booleans(), st.booleans()),
        max_size=80,
    )
)
def test_the_window_counts_what_a_list_of_the_last_ten_seconds_counts(outcomes):
    window, now, seen = Window(10), 50.0, []
    for seconds, failed, slow in outcomes:
        now += seconds
        window.add(now, failed=failed, slow=slow)
        seen.append((int(now), failed, slow))
        recent = [each for each in seen if each[0] > int(now) - 10]
        assert window.total == len(recent)
        assert window.failed == sum(failed for _, failed, _ in recent)
        assert window.slow == sum(slow for _, _, slow in recent)


def test_it_ejects_at_half_of_at_least_five_outcomes():
    guarded = breaker()
    fails(guarded, 10.0, times=4)
    assert guarded.refusal(10.0) is None  # four are too few to tell
    guarded.succeeded(10.1, 10.0)  # 4 of 5
    assert guarded.refusal(10.1) is None  # a good answer never ejects
    fails(guarded, 10.2)  # 5 of 6
    assert guarded.until == pytest.approx(12.2)
    assert guarded.refusal(10.2) == (
        "host query1: network_error (83% of 6 calls failed), not asked for another 2.0 s"
    )


def test_failures_that_are_fewer_than_half_do_not_eject():
    guarded = breaker()
    for second in range(10):
        guarded.succeeded(100.0 + second, 100.0 + second)
        guarded.succeeded(100.0 + second, 100.0 + second)
        fails(guarded, 100.0 + second)  # a third
    assert guarded.until is None


def test_failures_that_lie_further_apart_than_the_window_do_not_add_up():
    guarded = breaker()
    for nth in range(20):
        fails(guarded, 3.0 * nth)  # four within any ten seconds
    assert guarded.until is None


def test_answers_that_are_good_but_slow_eject_too():
    guarded = breaker()
    for nth in range(5):
        assert guarded.until is None
        guarded.succeeded(10.0 + nth, 10.0 + nth - RULES.slow_s)
    assert guarded.cause is FailureClass.SLOW
    assert guarded.refusal(14.0) == (
        "host query1: slow (100% of 5 slow), not asked for another 2.0 s"
    )


def test_each_ejection_in_a_row_lasts_longer_up_to_a_minute():
    guarded, now, lasted = breaker(), 0.0, []
    for _ in range(40):
        guarded.eject(now, now, AUTH)
        assert guarded.until is not None
        lasted.append(guarded.until - now)
        now = guarded.until  # the trial begins and fails at once
    # base x 1, 2, 3 ... = 2, 4, 6 ..., and 2 x 30 = 60 is the most.
    assert lasted == pytest.approx([min(2.0 * nth, 60.0) for nth in range(1, 41)])


def test_a_row_is_forgiven_by_one_per_healthy_base_period():
    guarded, now = breaker(), 0.0
    for _ in range(5):
        guarded.eject(now, now, AUTH)
        assert guarded.until is not None
        now = guarded.until
    guarded.succeeded(now, now)
    # Five in a row, closed for 7 s: 3 periods of 2 s are forgiven, so this is the third.
    guarded.eject(now + 7.0, now + 7.0, AUTH)
    assert guarded.until == pytest.approx(now + 7.0 + 3 * 2.0)


def test_a_burst_of_failures_under_way_is_one_ejection_not_many_in_a_row():
    guarded = breaker()
    for nth in range(20):
        guarded.eject(100.0 + nth / 100, 99.0, AUTH)
    # Twenty in a row would be 40 s; the last of the burst counts 2 s from its own end.
    assert guarded.until == pytest.approx(100.19 + 2.0)


def test_an_answer_that_was_under_way_before_the_ejection_does_not_end_it():
    guarded = breaker()
    guarded.eject(100.0, 99.9, AUTH)
    guarded.succeeded(100.5, 99.5)
    assert guarded.refusal(100.5) is not None
    guarded.succeeded(100.7, 100.6)  # begun since: the last candidate's, and it works again
    assert guarded.refusal(100.7) is None


def test_after_a_good_trial_old_failures_are_forgotten():
    guarded = breaker()
    fails(guarded, 10.0, times=5)
    guarded.succeeded(12.1, 12.0)
    fails(guarded, 12.2, times=3)  # 3 of 3 since it closed: too few to tell
    assert guarded.until is None


def test_an_upstreams_own_word_on_how_long_is_kept():
    guarded = breaker()
    guarded.eject(10.0, 10.0, FailureClass.RATE_LIMIT, at_least_s=30.0)
    assert guarded.until == pytest.approx(40.0)
    guarded.eject(11.0, 10.5, FailureClass.RATE_LIMIT, at_least_s=5.0)
    assert guarded.until == pytest.approx(40.0)
