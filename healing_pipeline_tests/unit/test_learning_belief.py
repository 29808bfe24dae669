"""The belief in what strategies depend on: probabilities, by Bayes, from attempts alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.learning.belief import (
    DEPENDENCIES,
    PRIOR_DOWN,
    SHOWS,
    SUREST_DOWN,
    Belief,
)
from healing_pipeline.probing.failure_class import FailureClass

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SOURCES = ("yahoo", "polygon", "fred")
NAMES = ("plain", *(each.name for each in STRATEGIES), "of_somebody")

attempts = st.lists(
    st.tuples(
        st.sampled_from(SOURCES),
        st.sampled_from(NAMES),
        st.floats(0, 7200),
        st.booleans(),
        st.sampled_from(("timeout", "rate_limit", "not_found")),
        st.floats(0, 1),
    ),
    max_size=40,
)


def folded(seen):
    belief = Belief({"polygon": "yahoo", "fred": "yahoo"})
    for source, strategy, seconds, healed, failure_class, p in seen:
        at = NOON + timedelta(seconds=seconds)
        belief.saw(source, strategy, at, healed=healed, failure_class=failure_class, p=p)
    return belief


def fail(belief, source, strategy, at=NOON, p=0.8):
    belief.saw(source, strategy, at, healed=False, failure_class="timeout", p=p)


def heal(belief, source, strategy, at=NOON):
    belief.saw(source, strategy, at, healed=True, failure_class="ok")


@given(seen=attempts, later_s=st.floats(0, 1e6))
def test_what_is_believed_is_always_a_chance_that_is_left(seen, later_s):
    belief, now = folded(seen), NOON + timedelta(seconds=later_s)
    for source in SOURCES:
        for strategy in NAMES:
            assert 0.0 < belief.up(source, strategy, now) <= 1.0
        assert all(0.0 <= each <= SUREST_DOWN for each in belief.down(source, now).values())


@given(seen=attempts)
def test_replaying_the_attempts_gives_the_same_belief(seen):
    now = NOON + timedelta(hours=3)
    first, second = folded(seen), folded(seen)
    assert [first.up(s, n, now) for s in SOURCES for n in NAMES] == [
        second.up(s, n, now) for s in SOURCES for n in NAMES
    ]


@given(seen=attempts, source=st.sampled_from(SOURCES), strategy=st.sampled_from(NAMES))
def test_a_failure_never_makes_a_strategy_more_likely_to_work(seen, source, strategy):
    belief, now = folded(seen), NOON + timedelta(hours=2)
    before = belief.up(source, strategy, now)
    fail(belief, source, strategy, now)
    assert belief.up(source, strategy, now) <= before + 1e-12


def test_a_failure_is_weighed_by_bayes():
    # down before: 0.02. P(fails) = 1 - 0.8 * 0.98 = 0.216, so down after: 0.02 / 0.216.
    belief = Belief()
    fail(belief, "yahoo", "fallback_provider")
    assert belief.up("yahoo", "fallback_provider", NOON) == pytest.approx(1 - 0.02 / 0.216)


def test_the_failure_of_what_never_works_tells_nothing():
    belief = Belief()
    fail(belief, "yahoo", "fallback_provider", p=0.0)
    assert belief.up("yahoo", "fallback_provider", NOON) == pytest.approx(1 - PRIOR_DOWN)


def test_what_shares_a_dependency_shares_the_doubt_and_the_all_clear():
    belief = Belief()
    fail(belief, "yahoo", "plain", p=0.97)
    assert belief.up("yahoo", "exponential_backoff_retry", NOON) < 0.8
    assert belief.up("yahoo", "use_cached_data", NOON) == pytest.approx(1 - PRIOR_DOWN)
    assert belief.up("fred", "plain", NOON) == pytest.approx((1 - PRIOR_DOWN) ** 2)
    heal(belief, "yahoo", "use_daily_data")
    assert belief.up("yahoo", "exponential_backoff_retry", NOON) == 1.0


def test_all_who_fall_back_to_one_provider_learn_of_it_together():
    belief = Belief({"polygon": "yahoo", "alpha_vantage": "yahoo"})
    for _ in range(3):
        fail(belief, "polygon", "fallback_provider")
    assert belief.up("alpha_vantage", "fallback_provider", NOON) < 0.5
    assert belief.up("fred", "fallback_provider", NOON) == pytest.approx(1 - PRIOR_DOWN)


def test_doubt_fades_to_the_prior_by_the_hour():
    belief = Belief()
    for _ in range(5):
        fail(belief, "yahoo", "fallback_provider")
    hour = belief.down("yahoo", NOON + timedelta(hours=1))["other_provider"]
    assert 0.2 < hour < 0.25  # 0.02 + 0.58 e^-1.02
    assert belief.down("yahoo", NOON + timedelta(days=1))["other_provider"] == pytest.approx(
        PRIOR_DOWN
    )


def test_a_host_that_fails_says_nothing_of_the_key_nor_the_key_of_the_host():
    belief = Belief()
    for _ in range(9):
        fail(belief, "yahoo", "plain", p=0.97)
    assert set(belief.down("yahoo", NOON)) == {"origin"}
    assert belief.weights("yahoo", NAMES, NOON).keys() >= {"exponential_backoff_retry", "etf_proxy"}
    assert "alternate_host" not in belief.weights("yahoo", NAMES, NOON)
    belief.saw("fred", "plain", NOON, healed=False, failure_class="auth_error")
    assert set(belief.down("fred", NOON)) == {"auth"}


def test_with_nothing_seen_learned_rates_stay_as_they_are():
    assert Belief().weights("yahoo", NAMES, NOON) == {}


@pytest.mark.parametrize("failure_class", sorted({*FailureClass} - set(SHOWS)))
def test_the_callers_own_mistakes_limits_and_one_endpoints_data_teach_nothing(failure_class):
    belief = Belief()
    belief.saw("yahoo", "plain", NOON, healed=False, failure_class=failure_class)
    assert belief.down("yahoo", NOON) == {}


def test_names_every_strategy_of_ours_and_no_other():
    assert set(DEPENDENCIES) == {"plain", *(each.name for each in STRATEGIES)}
