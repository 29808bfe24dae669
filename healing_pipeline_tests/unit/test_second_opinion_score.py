"""Advice is worth what it knew better than the plan, and no more is claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.second_opinion.score import Case, by_chance, score_of

PLAN = ("exponential_backoff_retry", "alternate_host", "fallback_provider")
CASE = Case(
    outcome="advice",
    cost_usd=0.01,
    seconds=2.0,
    plan=PLAN,
    order=("fallback_provider", "alternate_host"),
    healed_by="fallback_provider",
    tried=("plain", *PLAN),
    root_cause="provider down",
    settled_root_cause="provider down",
)
BOTH = replace(CASE, order=PLAN[:1], healed_by=PLAN[0], tried=("plain", PLAN[0]))
PLAN_KNEW = replace(CASE, healed_by=PLAN[0], tried=("plain", PLAN[0]))
NOTHING = replace(CASE, outcome="timeout", order=None, root_cause=None)
cases = st.builds(
    replace,
    st.just(CASE),
    order=st.none() | st.lists(st.sampled_from(PLAN), unique=True).map(tuple),
    healed_by=st.none() | st.sampled_from(("plain", *PLAN)),
    is_over=st.booleans(),
    after_plan=st.booleans(),
)


def test_each_case_counts_for_what_it_is():
    told = score_of([CASE, BOTH, PLAN_KNEW, NOTHING, replace(CASE, healed_by="plain")])
    assert (told.calls, told.advices, told.no_advice) == (5, 4, {"timeout": 1})
    assert (told.right, told.wrong, told.unused, told.plan_right) == (2, 1, 1, 2)
    assert (told.better, told.worse, told.turned) == (1, 1, 0)
    assert told.attempts_saved == 2
    assert told.cost_usd == pytest.approx(0.05)
    assert (told.causes_right, told.causes) == (4, 4)


def test_to_call_for_people_is_right_where_nothing_healed():
    nothing = replace(CASE, order=(), healed_by=None)
    assert score_of([nothing]).right == 1
    assert score_of([replace(nothing, order=PLAN)]).wrong == 1
    assert score_of([replace(nothing, healed_by=PLAN[0])]).wrong == 1
    assert score_of([replace(nothing, is_over=False)]).unused == 1


def test_what_healed_after_the_plan_had_failed_is_told_apart():
    assert score_of([replace(CASE, after_plan=True), CASE]).turned == 1


@given(some=st.lists(cases, max_size=12))
def test_the_counts_add_up(some):
    told = score_of(some)
    assert told.right + told.wrong + told.unused == told.advices
    assert told.advices + sum(told.no_advice.values()) == told.calls
    assert told.right - told.better == told.plan_right - told.worse
    assert "$" in told.verdict


@pytest.mark.parametrize(
    ("some", "verdict"),
    [
        ([], "No advice can be judged"),
        ([CASE] * 5, "Too few"),
        ([CASE] * 25, "It knows better than the plan: $0.01 for each"),
        ([replace(CASE, after_plan=True)] * 25, "only `ask: always` shows"),
        ([PLAN_KNEW] * 25, "not worth its money"),
        ([BOTH] * 25, "that could not be chance"),
        ([CASE] * 12 + [PLAN_KNEW] * 13, "that could not be chance"),
    ],
)
def test_the_verdict_claims_what_the_cases_show(some, verdict):
    assert verdict in score_of(some).verdict


def test_the_verdict_says_what_was_counted():
    told = score_of([CASE, PLAN_KNEW, BOTH]).verdict
    assert told.startswith(
        "2 of 3 advices named what then healed; the plan's own first choice did so in 2; $0.03."
    )


def test_chance_is_that_of_a_coin():
    assert by_chance(0, 0) == 1.0
    assert by_chance(5, 0) == pytest.approx(1 / 32)
    assert by_chance(1, 1) == pytest.approx(0.75)
