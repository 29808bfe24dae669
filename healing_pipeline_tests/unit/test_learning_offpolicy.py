from __future__ import annotations

from types import MappingProxyType

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.learning.offpolicy import compare
from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.learning.rates import Rate

KIND = ("yahoo", "timeout")
COLUMNS = ["event_id", "source", "failure_class", "strategy", "healed", "seconds"]


def policy(**rates: float) -> Policy:
    known = {name: Rate(p, 100) for name, p in rates.items()}
    return Policy(inner=MappingProxyType({KIND: MappingProxyType(known)}))


def day(*attempts: tuple[str, str, bool, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (event, *KIND, strategy, healed, seconds)
            for event, strategy, healed, seconds in attempts
        ],
        columns=COLUMNS,
    )


def a_day_of(events: int) -> pd.DataFrame:
    """`slow` fails for two seconds each time, then `good` heals in two."""
    return day(
        *(
            attempt
            for number in range(events)
            for attempt in ((f"{number}", "slow", False, 2.0), (f"{number}", "good", True, 2.0))
        )
    )


def test_a_day_without_failures_speaks_against_nothing():
    found = compare(policy(slow=0.9), EMPTY, day())
    assert (found.events, found.is_worse) == (0, False)
    assert "no failure" in found.reason


def test_a_policy_that_spends_the_budget_on_what_fails_is_worse():
    # Either strategy takes two of the three seconds: only the first of the order is judged.
    found = compare(policy(slow=0.9, good=0.1), policy(slow=0.1, good=0.9), a_day_of(40))
    assert (found.value_new, found.value_old) == (0.0, 1.0)
    assert found.is_worse
    assert "40 failures it would heal 0.0%, the one before 100.0%" in found.reason


def test_the_better_policy_is_not_called_worse():
    found = compare(policy(slow=0.1, good=0.9), policy(slow=0.9, good=0.1), a_day_of(40))
    assert not found.is_worse


def test_what_one_event_says_may_be_chance():
    # Of 20 events one turns on the order: a mean loss of 5 points with a standard error of 5.
    lost = day(("x", "slow", False, 2.0), ("x", "good", True, 2.0))
    same = day(
        *((f"{number}", each, True, 2.0) for number in range(19) for each in ("slow", "good"))
    )
    found = compare(policy(slow=0.9, good=0.1), policy(slow=0.1, good=0.9), pd.concat([lost, same]))
    assert found.value_old is not None
    assert found.value_new is not None
    assert found.value_old - found.value_new == pytest.approx(0.05)
    assert found.standard_error == pytest.approx(0.05)
    assert not found.is_worse


def test_a_loss_of_less_than_a_point_is_let_pass():
    lost = a_day_of(9)
    same = day(
        *((f"s{number}", each, True, 2.0) for number in range(991) for each in ("slow", "good"))
    )
    found = compare(policy(slow=0.9, good=0.1), policy(slow=0.1, good=0.9), pd.concat([lost, same]))
    assert found.value_old == 1.0
    assert found.value_new == pytest.approx(0.991)
    assert not found.is_worse


def test_a_strategy_that_an_event_did_not_try_has_the_rate_of_the_day():
    attempts = day(("1", "good", True, 1.0), ("2", "slow", False, 1.0), ("2", "good", True, 1.0))
    found = compare(policy(slow=0.9, good=0.1), EMPTY, attempts, budget_s=1.0)
    # `slow` alone fits: known to fail in 2, and (0 + 0.5) / (1 + 1) in 1.
    assert found.value_new == pytest.approx((0.25 + 0.0) / 2)


outcomes = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["slow", "good", "other"]),
        st.booleans(),
        st.floats(0.0, 4.0),
    ),
    max_size=30,
)


@given(outcomes, st.floats(0, 1), st.floats(0, 1))
def test_a_policy_is_never_worse_than_itself_and_values_are_chances(attempts, one, other):
    mine = policy(slow=one, good=other)
    found = compare(mine, mine, day(*attempts))
    assert not found.is_worse
    if found.events:
        assert found.value_new == found.value_old
        assert 0.0 <= found.value_new <= 1.0
        assert found.standard_error == 0.0


def test_headroom_is_measured_from_no_learning_to_hindsight():
    # Published: the two are strangers of equal rates, so `good` comes first by its name. In
    # hindsight it does too; what puts `slow` first stands below no learning.
    found = compare(policy(slow=0.9, good=0.1), EMPTY, a_day_of(40))
    assert (found.value_floor, found.value_ceiling, found.headroom) == (1.0, 1.0, None)
    # By their names the wrong one comes first, and there is something to learn.
    names = {"slow": "a_slow", "good": "z_good"}
    turned = a_day_of(40).replace({"strategy": names})
    learned = compare(policy(a_slow=0.1, z_good=0.9), EMPTY, turned)
    assert (learned.value_floor, learned.value_ceiling, learned.headroom) == (0.0, 1.0, 1.0)
    untaught = compare(EMPTY, EMPTY, turned)
    assert untaught.headroom == 0.0
