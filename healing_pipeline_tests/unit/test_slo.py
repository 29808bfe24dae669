"""Service levels: what may fail, what did, how fast it goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.reporting.slo import Counts, burn_rate, service_level, total


@st.composite
def counted(draw):
    requests = draw(st.integers(0, 10**7))
    met = draw(st.integers(0, requests))
    healed = draw(st.integers(0, met))
    return Counts(requests, met - healed, met, healed)


def level(counts: Counts, objective: float = 0.99, **spans: Counts):
    return service_level("yahoo", objective, counts, spans)


def test_one_of_a_hundred_uses_up_a_budget_of_one_per_cent():
    # 1 % of 100 requests is 1 request, and 1 failed.
    found = level(Counts(100, 1, 5, 4))
    assert (found.budget, found.budget_left, found.is_met) == (1.0, 0.0, True)
    assert found.sli == pytest.approx(0.99)
    assert burn_rate(found.counts, 0.99) == pytest.approx(1.0)


def test_a_healed_fault_costs_nothing_of_the_budget():
    found = level(Counts(1000, 0, 400, 400))
    assert (found.sli, found.budget_left, found.is_met) == (1.0, 1.0, True)


def test_an_overdrawn_budget_is_below_zero():
    # 10 may fail, 25 did: 15 too many, 1.5 budgets.
    found = level(Counts(1000, 25, 25, 0))
    assert found.budget_left == pytest.approx(-1.5)
    assert found.is_met is False


def test_where_nobody_asked_nothing_is_said():
    found = level(Counts())
    assert (found.sli, found.budget_left, found.is_met) == (None, None, None)
    assert set(found.burn.values()) == {None}


def test_where_nothing_may_fail_one_failure_breaks_it_and_no_rate_is_infinite():
    assert level(Counts(10, 0), 1.0).is_met is True
    found = level(Counts(10, 1), 1.0, **{"1h": Counts(10, 1)})
    assert (found.is_met, found.budget_left, found.burn["1h"]) == (False, None, None)


def test_each_span_has_its_own_rate_and_denominator():
    # 10 % and 2 % of errors where 1 % is allowed.
    found = level(Counts(1000, 5), **{"1h": Counts(50, 5), "6h": Counts(250, 5)})
    assert found.burn["1h"] == pytest.approx(10.0)
    assert found.burn["6h"] == pytest.approx(2.0)
    assert found.burn["3d"] is None
    assert found.burn_requests == {"1h": 50, "6h": 250, "3d": 0}


@given(counted(), st.floats(0.5, 0.99999))
def test_the_budget_is_met_exactly_when_it_is_not_overdrawn(counts, objective):
    found = level(counts, objective)
    if found.budget_left is not None:
        assert found.is_met is (found.budget_left >= 0)
    if found.sli is not None:
        assert 0.0 <= found.sli <= 1.0


@given(st.lists(counted(), max_size=6))
def test_counts_add_up_in_any_order(many):
    assert total(many) == total(reversed(many))
    assert total(many).requests == sum(each.requests for each in many)


@pytest.mark.parametrize("objective", [0.0, -1.0, 1.5])
def test_an_objective_that_is_no_share_is_refused(objective):
    with pytest.raises(ValueError, match="objective"):
        level(Counts(), objective)
