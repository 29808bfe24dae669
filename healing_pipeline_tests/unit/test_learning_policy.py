"""What a policy promises whoever asks it: an order, the reasons, and the same text for the same."""

from __future__ import annotations

import json
from itertools import permutations
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_attempts import FITTED, SOURCES, STRATEGIES, after, attempts

from healing_pipeline.learning import Policy, fit
from healing_pipeline.learning.packing import PARTS, packed
from healing_pipeline.learning.published import PUBLISHED
from healing_pipeline.learning.rates import Rate

NAMES = (*STRATEGIES, "fallback_provider", "never_heard_of")

candidate_sets = st.dictionaries(
    st.sampled_from(NAMES), st.floats(0, 4, allow_nan=False), max_size=len(NAMES)
)
budgets = st.floats(0, 6, allow_nan=False)


def policy_of(rates: dict[str, float], *, source: str = "yahoo", **given: object) -> Policy:
    found = {name: Rate(p, tries=10) for name, p in rates.items()}
    return Policy(inner={(source, "timeout"): found}, **given)  # type: ignore[arg-type]


@settings(max_examples=FITTED)
@given(attempts(), candidate_sets, budgets)
def test_an_order_names_every_candidate_once_and_equals_the_choice(found, candidates, budget):
    policy = fit(found, after(24 * 50))
    for source in (*SOURCES, "somebody_new"):
        order = policy.order(source, "timeout", candidates, budget)
        assert sorted(order) == sorted(candidates)
        choice = policy.choose(source, "timeout", candidates, budget)
        assert choice.order == order
        assert all(0.0 <= each.p <= 1.0 and each.score >= 0.0 for each in choice.considered)


@settings(max_examples=FITTED)
@given(attempts(), candidate_sets, budgets)
def test_an_order_does_not_depend_on_the_order_of_asking(found, candidates, budget):
    policy = fit(found, after(24 * 50))
    turned = dict(reversed(list(candidates.items())))
    assert policy.order("yahoo", "timeout", candidates, budget) == policy.order(
        "yahoo", "timeout", turned, budget
    )


@settings(max_examples=FITTED)
@given(attempts())
def test_a_policy_survives_its_own_text(found):
    policy = fit(found, after(24 * 50))
    again = Policy.from_json(policy.to_json())
    assert again == policy
    assert again.fingerprint == policy.fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '{"format": 2}',
        '{"format": 1}',
        Policy().to_json().replace('"inner":{}', '"inner":{"a":{"b":{"c":[1.5,1,null,null]}}}'),
        Policy().to_json().replace('"inner":{}', '"inner":{"a":{"b":{"c":["x",1,null,null]}}}'),
        Policy().to_json().replace('"inner":{}', '"inner":{"a":{"b":{"c":[0.5]}}}'),
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"policy|probability|unpack"):
        Policy.from_json(text)


def test_success_per_second_decides_between_two_that_fit() -> None:
    # 0.9 / 1.0 s = 0.9 a second; 0.5 / 0.2 s = 2.5 a second.
    policy = policy_of({"slow_and_sure": 0.9, "quick": 0.5})
    assert policy.order("yahoo", "timeout", {"slow_and_sure": 1.0, "quick": 0.2}, 3.0) == [
        "quick",
        "slow_and_sure",
    ]


def test_what_fits_the_budget_comes_before_what_is_cheap_for_its_chance() -> None:
    # Per second the long shot is better (0.3 / 0.6 > 0.9 / 2.0), but after it there is no time left
    # for what nearly always helps.
    policy = policy_of({"long_shot": 0.3, "sure": 0.9})
    candidates = {"long_shot": 0.6, "sure": 2.0}
    assert policy.order("yahoo", "timeout", candidates, 2.2) == ["sure", "long_shot"]
    assert policy.order("yahoo", "timeout", candidates, 3.0) == ["long_shot", "sure"]


def test_belief_lowers_what_depends_on_what_is_down() -> None:
    policy = policy_of({"alternate_host": 0.8, "fallback_provider": 0.6})
    costs = {"alternate_host": 0.3, "fallback_provider": 0.3}
    assert policy.order("yahoo", "timeout", costs, 3.0)[0] == "alternate_host"
    belief = {"alternate_host": 0.1}
    assert policy.order("yahoo", "timeout", costs, 3.0, belief)[0] == "fallback_provider"


def test_a_belief_may_be_asked_for_by_source() -> None:
    class Down:
        def up(self, source: str, strategy: str) -> float:
            return 0.1 if (source, strategy) == ("yahoo", "alternate_host") else 1.0

    policy = policy_of({"alternate_host": 0.8, "fallback_provider": 0.6})
    costs = {"alternate_host": 0.3, "fallback_provider": 0.3}
    assert policy.order("yahoo", "timeout", costs, 3.0, Down())[0] == "fallback_provider"


def test_a_failure_lowers_what_fails_with_it() -> None:
    policy = policy_of(
        {"first": 0.9, "shares_its_cause": 0.8, "independent": 0.6},
        after={"first": {"shares_its_cause": 0.1}},
    )
    costs = {"first": 0.3, "shares_its_cause": 0.3, "independent": 0.3}
    # Odds of 4 to 1, a tenth of them after the failure: 0.8 becomes 0.29.
    choice = policy.choose("yahoo", "timeout", costs, 3.0)
    assert choice.order == ["first", "independent", "shares_its_cause"]
    assert choice.considered[2].p == pytest.approx(0.4 / 1.4)
    left = {name: costs[name] for name in ("shares_its_cause", "independent")}
    assert policy.choose("yahoo", "timeout", left, 2.0, failed=["first"]).order == [
        "independent",
        "shares_its_cause",
    ]


def test_a_worse_label_costs_what_it_loses() -> None:
    policy = policy_of({"exact": 0.5, "stored": 1.0})
    costs = {"exact": 0.5, "stored": 0.01}
    assert policy.choose("yahoo", "timeout", costs, 3.0).order == ["stored", "exact"]
    losses = {"stored": 3.0}  # 1 / 3.01 < 0.5 / 0.5
    assert policy.choose("yahoo", "timeout", costs, 3.0, losses=losses).order == [
        "exact",
        "stored",
    ]


def test_with_no_history_published_rates_decide() -> None:
    costs = dict.fromkeys(PUBLISHED, 0.5)
    order = Policy().order("anybody", "anything_at_all", costs, 60.0)
    assert order == sorted(PUBLISHED, key=lambda name: (-PUBLISHED[name], name))
    assert fit(attempts_none(), after(1)).order("a", "anything_at_all", costs, 60.0) == order


def attempts_none():
    import pandas as pd

    return pd.DataFrame()


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 4)), max_size=7), st.floats(0.01, 6))
def test_packing_is_as_good_as_trying_every_subset(items, budget):
    rates, seconds = [each[0] for each in items], [each[1] for each in items]
    unit = budget / PARTS
    weights = [int(each / unit + 0.5) for each in seconds]

    def misses(chosen) -> float:
        product = 1.0
        for each in chosen:
            product *= 1.0 - min(rates[each], 1.0 - 1e-6)
        return product

    def fits(chosen) -> bool:
        return sum(weights[each] for each in chosen) <= PARTS

    chosen = packed(rates, seconds, budget)
    assert fits(chosen)
    subsets = [
        [each for each in range(len(items)) if bits >> each & 1] for bits in range(2 ** len(items))
    ]
    best = min(misses(each) for each in subsets if fits(each))
    assert misses(chosen) == pytest.approx(best, abs=1e-9)


def test_nothing_is_packed_into_no_time() -> None:
    assert packed([0.9], [0.1], 0.0) == []


def test_equal_scores_are_in_the_order_of_names() -> None:
    policy = policy_of(dict.fromkeys("abc", 0.5))
    for names in permutations("abc"):
        assert policy.order("yahoo", "timeout", dict.fromkeys(names, 0.5), 3.0) == ["a", "b", "c"]


def test_the_layers_are_asked_from_the_inside_out() -> None:
    policy = Policy(
        inner=MappingProxyType({("yahoo", "timeout"): {"a": Rate(0.1)}}),
        outer=MappingProxyType({"timeout": {"a": Rate(0.2), "b": Rate(0.3)}}),
        anywhere=MappingProxyType({"a": Rate(0.4), "c": Rate(0.5)}),
    )
    asked = [
        ("yahoo", "timeout", "a"),
        ("fred", "timeout", "a"),
        ("yahoo", "timeout", "b"),
        ("yahoo", "empty", "a"),
        ("yahoo", "timeout", "c"),
        ("yahoo", "timeout", "use_cached_data"),
    ]
    layers = [policy.rate(*each)[1] for each in asked]
    assert layers == ["inner", "outer", "outer", "anywhere", "anywhere", "published"]


def test_the_text_of_a_policy_is_canonical_json() -> None:
    text = policy_of({"b": 0.5, "a": 0.25}).to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
