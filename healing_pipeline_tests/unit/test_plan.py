"""Plans: what the policy makes of the strategies that fit, and what labels are worth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
from first_days import ORDER, STORED
from hypothesis import given
from hypothesis import strategies as st
from situations import situations
from worlds import World, bad, good

from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.facts import Attempt, Decision
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import PolicyInForce
from healing_pipeline.healing.plan import make_plan
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.healing.strategies.registry import all_strategies
from healing_pipeline.healing.strategy import Cost
from healing_pipeline.healing.tuning import LEAST_TIMEOUT_S, time_limit_s, tuned
from healing_pipeline.healing.weighing import chosen_again, weighed
from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.learning.rates import Parameters, Rate
from healing_pipeline.probing.failure_class import FailureClass

NAMES = [each.name for each in STRATEGIES]


@dataclass(frozen=True)
class Strange:
    worst: Fidelity
    name: ClassVar[str] = "strange"

    @property
    def cost(self) -> Cost:
        return Cost(1, 1.0, self.worst)


def order(failure, strategies, policy=EMPTY, budget_s=2.8, belief=None, failed=()):
    _, found = weighed(
        "line",
        failure,
        strategies,
        budget_s,
        policy=policy,
        belief=belief or {},
        failed=failed,
    )
    return [each.strategy for each in found]


def of(*names):
    return [each for name in names for each in STRATEGIES if each.name == name]


def taught(**rates: Rate) -> Policy:
    classes = {(source, str(each)): rates for source in ("line", "yahoo") for each in FailureClass}
    return Policy(inner=classes)


class TestNothingLearned:
    @pytest.mark.parametrize("budget_s", [2.8, 1.8, 0.9])
    @pytest.mark.parametrize("failure", FailureClass)
    def test_what_calls_once_goes_in_the_order_of_the_first_days(self, failure, budget_s):
        row = ORDER[failure]
        # No endpoint has a daily form, another series and an ETF at once.
        for last in ("use_daily_data", "alternate_series", "etf_proxy"):
            names = [
                each
                for each in row
                if each not in {"use_daily_data", "alternate_series", "etf_proxy"} or each == last
            ]
            found = order(failure, of(*sorted(names)), budget_s=budget_s)
            if budget_s > 1.0:
                assert found == names
            else:
                # With less time than all of them need, the likeliest of one label comes first.
                assert [each for each in found if each in STORED] == [
                    each for each in names if each in STORED
                ]

    @pytest.mark.parametrize("failure", FailureClass)
    def test_tries_what_is_stored_before_it_settles_for_another_instrument(self, failure):
        found = order(failure, STRATEGIES)
        for proxy in ("etf_proxy", "alternate_series"):
            for stored in STORED:
                assert found.index(stored) < found.index(proxy)

    @pytest.mark.parametrize(
        ("worst", "neighbour"),
        [
            (Fidelity.EXACT, "alternate_host"),
            (Fidelity.STALE, "use_cached_data"),
            (Fidelity.COARSER, "reduce_request_size"),
        ],
    )
    def test_tries_what_another_package_adds_before_ours_of_its_label(self, worst, neighbour):
        ours = of(*ORDER[FailureClass.TIMEOUT])
        names = order(FailureClass.TIMEOUT, (*ours, Strange(worst)))
        assert names[names.index("strange") + 1] == neighbour

    def test_tries_a_proxy_of_another_package_behind_ours(self):
        assert order(FailureClass.NOT_FOUND, (Strange(Fidelity.PROXY), *STRATEGIES))[-1] == (
            "strange"
        )


class TestLearned:
    def test_what_never_works_falls_behind_a_stored_answer(self):
        policy = taught(
            alternate_host=Rate(0.02, 50, 0.3, None), use_cached_data=Rate(0.97, 50, 0.001, 0.0)
        )
        names = ("alternate_host", "use_cached_data")
        assert order(FailureClass.TIMEOUT, of(*names), policy) == [*reversed(names)]
        assert order(FailureClass.TIMEOUT, of(*names)) == [*names]

    def test_an_answer_that_is_mostly_less_than_exact_is_worth_less(self):
        names = ("fallback_provider", "exponential_backoff_retry")
        rates = {"exponential_backoff_retry": Rate(0.6, 50, 0.4, 1.0)}
        often = taught(fallback_provider=Rate(0.9, 50, 0.4, 1.0), **rates)
        rarely = taught(fallback_provider=Rate(0.9, 50, 0.4, 0.1), **rates)
        assert order(FailureClass.TIMEOUT, of(*names), often) == [*names]
        assert order(FailureClass.TIMEOUT, of(*names), rarely) == [*reversed(names)]

    def test_belief_moves_a_strategy_back_and_leaves_none_out(self):
        names = ("alternate_host", "fallback_provider")
        found = order(FailureClass.TIMEOUT, of(*names), belief={"alternate_host": 0.0})
        assert found == [*reversed(names)]

    def test_another_packages_strategy_that_was_seen_goes_where_its_rate_puts_it(self):
        policy = taught(strange=Rate(0.05, 40, 1.0, 1.0))
        found = order(FailureClass.TIMEOUT, (Strange(Fidelity.EXACT), *of(*STORED)), policy)
        assert found == [*STORED, "strange"]

    @given(data=st.data())
    def test_a_choice_is_made_again_from_what_was_written(self, data):
        situation = data.draw(situations())
        rate = st.builds(
            Rate,
            st.floats(0, 1),
            st.integers(0, 99),
            st.none() | st.floats(0, 3),
            st.none() | st.floats(0, 1),
        )
        rates = data.draw(st.dictionaries(st.sampled_from(NAMES), rate))
        policy = Policy(
            inner={(situation.endpoint.source, situation.failure.failure_class): rates},
            after={"alternate_host": {"exponential_backoff_retry": 0.3}},
        )
        belief = data.draw(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1)))
        failed = data.draw(st.lists(st.sampled_from(NAMES), unique=True))
        plan = make_plan(situation, all_strategies(), policy, belief=belief, failed=failed)
        written = json.loads(json.dumps(plan.written()))
        again = chosen_again(
            situation.endpoint.source,
            situation.failure.failure_class,
            plan.budget_s,
            written,
            policy,
        )
        assert [each.strategy for each in again] == [each.strategy.name for each in plan.steps]
        assert list(again) == list(plan.weights)

    @given(situation=situations())
    def test_a_plan_has_each_strategy_once_and_those_that_fit_as_steps(self, situation):
        plan = make_plan(situation, all_strategies())
        names = [each.strategy.name for each in (*plan.steps, *plan.left_out)]
        assert sorted(names) == sorted(each.name for each in all_strategies())
        assert all(each.applicability.ok for each in plan.steps)
        assert not any(each.applicability.ok for each in plan.left_out)


class TestParameters:
    def test_a_retry_takes_the_delay_that_was_learned(self):
        found = {each.name: each for each in tuned(STRATEGIES, Parameters(retry_delay_s=0.07))}
        assert found["exponential_backoff_retry"].first_delay_s == 0.07
        assert found["exponential_backoff_retry"].cost.seconds == pytest.approx(3 * 0.07 + 2 * 0.7)
        assert [*found] == NAMES
        assert tuned(STRATEGIES, None) == STRATEGIES
        assert tuned(STRATEGIES, Parameters(timeout_s=0.5)) == STRATEGIES

    @given(declared=st.floats(0.25, 5), learned=st.none() | st.floats(0, 20))
    def test_a_time_limit_is_never_above_the_declared_one_nor_too_short(self, declared, learned):
        limit = time_limit_s(declared, Parameters(timeout_s=learned))
        assert LEAST_TIMEOUT_S <= limit <= declared
        assert time_limit_s(declared, None) == declared


def world_with(policy: Policy, script) -> World:
    world = World(script, hosts=("one", "two"), alternate=True)
    world.engine._parts.policy.put(policy)
    return world


def only_the_other_has_it(request, _):
    return good() if request.source == "other" else bad(FailureClass.SERVER_ERROR)


class TestEngine:
    def test_learning_shows_in_what_is_tried_first(self):
        hopeless = Rate(0.01, 60, 0.3, None)
        policy = taught(alternate_host=hopeless, fallback_provider=Rate(0.95, 60, 0.3, 1.0))
        before = world_with(EMPTY, only_the_other_has_it)
        after = world_with(policy, only_the_other_has_it)
        for world, tried in (
            (before, ["plain", "alternate_host", "fallback_provider"]),
            (after, ["plain", "fallback_provider"]),
        ):
            answer = world.fetch(accepts=frozenset(Fidelity))
            assert isinstance(answer, Answer)
            assert answer.strategy == "fallback_provider"
            assert [each.strategy for each in world.facts_of(Attempt)] == tried

    def test_a_policy_takes_effect_at_the_next_plan(self):
        in_force = PolicyInForce()
        assert in_force.fingerprint is None
        policy = taught(alternate_host=Rate(0.5))
        in_force.put(policy)
        assert in_force.policy is policy
        assert policy.fingerprint.startswith(in_force.fingerprint)

    def test_it_plans_anew_after_each_attempt_that_failed(self):
        world = world_with(EMPTY, lambda *_: bad(FailureClass.SERVER_ERROR))
        world.fetch()
        decisions = world.facts_of(Decision)
        assert [each.decision_no for each in decisions] == [1, 2, 3]
        assert [each.considered["failed"] for each in decisions] == [
            [],
            ["alternate_host"],
            ["alternate_host", "fallback_provider"],
        ]
        budgets = [each.budget_s for each in decisions]
        assert budgets == sorted(budgets, reverse=True)
        chosen = [each.considered["candidates"][0]["strategy"] for each in decisions]
        attempts = world.facts_of(Attempt)
        assert [each.strategy for each in attempts] == ["plain", *chosen]
        assert [each.met for each in attempts] == [None, *3 * ["server_error"]]
        assert {each.request_id for each in decisions} == {attempts[0].request_id}
        left_out = {each["strategy"] for each in decisions[0].considered["left_out"]}
        assert "rotate_api_key" in left_out

    def test_a_healthy_read_makes_no_plan(self):
        world = world_with(EMPTY, lambda *_: good())
        world.fetch()
        assert world.facts_of(Decision) == []

    def test_a_learned_time_limit_holds_for_plain_calls_of_readers(self):
        policy = Policy(parameters={"line": Parameters(timeout_s=0.4)})
        world = world_with(policy, lambda *_: 5.0)
        world.fetch()
        assert world.facts_of(Attempt)[0].seconds == pytest.approx(0.4)

    def test_what_a_retry_waited_is_on_record(self):
        world = World(lambda *_: bad(FailureClass.SERVER_ERROR))
        world.fetch()
        retry = world.facts_of(Attempt)[1]
        assert retry.strategy == "exponential_backoff_retry"
        # Half of 0.2 s, then half of 0.4 s.
        assert retry.params["waited_s"] == pytest.approx(0.3)
        assert "waited_s" not in world.facts_of(Attempt)[0].params

    def test_what_was_asked_is_on_record_where_it_was_not_just_the_endpoints_own_question(self):
        calls = iter([good(), good(), bad(FailureClass.AUTH_ERROR), good()])
        world = World(lambda *_: next(calls), keys=("primary", "spare"))
        world.fetch()
        world.fetch(params={"rows": "5"})
        world.fetch()
        usual, own, failed, healed = world.facts_of(Attempt)
        assert usual.params == {}
        assert own.params == {"asked": {"path": "/x", "params": {"rows": "5"}}}
        assert failed.params == {"asked": {"path": "/x", "params": {"rows": "100"}}}
        assert (healed.key_name, healed.params["asked"]["path"]) == ("spare", "/x")
        assert "s3cret" not in str([each.params for each in world.facts_of(Attempt)])
