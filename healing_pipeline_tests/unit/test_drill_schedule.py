"""When a drill's readers ask: the same for the same seed, open loop, at the rate asked for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.drill.schedule import arrivals

ENDPOINTS = ("yahoo/a", "yahoo/b", "fred/c", "polygon/d")
seeds = st.integers(0, 2**32)
rates = st.floats(0.5, 50)
durations = st.floats(0.1, 30)


@given(seed=seeds, rate=rates, duration_s=durations)
def test_one_seed_is_one_schedule(seed, rate, duration_s):
    assert arrivals(ENDPOINTS, rate, duration_s, seed) == arrivals(
        ENDPOINTS, rate, duration_s, seed
    )


@given(seed=seeds, rate=rates, duration_s=durations)
def test_everything_is_asked_within_the_drill_in_order_and_of_known_endpoints(
    seed, rate, duration_s
):
    drawn = arrivals(ENDPOINTS, rate, duration_s, seed)
    assert all(0 <= each.at_s < duration_s for each in drawn)
    assert all(one.at_s <= other.at_s for one, other in pairwise(drawn))
    assert {each.endpoint for each in drawn} <= set(ENDPOINTS)


@given(seed=seeds, rate=rates, duration_s=durations)
def test_a_longer_drill_begins_like_a_shorter_one(seed, rate, duration_s):
    short = arrivals(ENDPOINTS, rate, duration_s, seed)
    assert arrivals(ENDPOINTS, rate, duration_s * 2, seed)[: len(short)] == short


@given(seed=st.integers(0, 1000))
def test_another_seed_is_another_schedule(seed):
    assert arrivals(ENDPOINTS, 40, 30, seed) != arrivals(ENDPOINTS, 40, 30, seed + 1)


@given(seed=seeds)
def test_the_mean_rate_is_the_one_asked_for(seed):
    # 40 a second for 100 s: 4000, with a standard deviation of sqrt(4000) = 63; six of them.
    drawn = arrivals(ENDPOINTS, 40, 100, seed)
    assert abs(len(drawn) - 4000) < 6 * 63.3
    # A quarter each: 1000, with a standard deviation below 32.
    counts = Counter(each.endpoint for each in drawn)
    assert all(abs(counts[name] - len(drawn) / 4) < 6 * 32 for name in ENDPOINTS)
