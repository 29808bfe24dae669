"""Learning on after a reader's end: late, at nobody's cost, and never instead of the answer."""

from __future__ import annotations

import asyncio

import pytest
from worlds import World, bad, good

from healing_pipeline.catalog.values import Quota
from healing_pipeline.healing.afterwards import SPACING_S, LearnsOn, worth_trying
from healing_pipeline.healing.answer import HealingFailed
from healing_pipeline.healing.facts import AnswerFact, Attempt, Decision, Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Rate
from healing_pipeline.probing.failure_class import FailureClass

RETRY = "exponential_backoff_retry"
FAILURE = "server_error"
# What was learned: asking again never helps here, so that stored data comes first.
HOPELESS = Policy(inner={("line", FAILURE): {RETRY: Rate(0.001, 50, 0.4, None)}})


def served_from_memory(quota: Quota | None = None) -> World:
    """A world that has good data in store, fails once, and is well when asked again."""
    world = World(lambda request, at: good(), quota=quota or Quota())
    world.observe()
    world.engine._parts.policy.put(HOPELESS)
    answers = iter([bad(FailureClass.SERVER_ERROR)])
    world.script = lambda request, at: next(answers, good(value=10.01, as_of=1.0))
    world.time.elapsed += 5.0
    return world


def late(world: World) -> list[Attempt]:
    return [each for each in world.facts_of(Attempt) if each.late]


def test_what_was_not_tried_is_tried_late_and_its_data_kept_for_the_next_reader():
    world = served_from_memory()
    end = world.fetch(learn_on=True)
    assert (end.fidelity, end.strategy, end.attempts) == (Fidelity.STALE, "use_cached_data", 1)
    assert end.reading.points[0].value == 10.0
    (attempt,) = late(world)
    assert (attempt.strategy, attempt.met, attempt.healed) == (RETRY, FAILURE, True)
    assert attempt.request_id == end.request_id
    assert attempt.attempt_no == 3
    assert [each.late for each in world.facts_of(Decision)] == [False, True]
    (fact,) = world.facts_of(AnswerFact)
    assert fact.fidelity == Fidelity.STALE
    assert world.engine.last_good("line/x").reading.points[0].value == 10.01


def test_the_reader_does_not_wait_for_it():
    world = served_from_memory()
    world.fetch(learn_on=True)
    assert world.ended_at < world.time.elapsed


def test_a_failed_request_goes_on_until_something_heals_or_nothing_is_left():
    world = World(lambda request, at: bad(FailureClass.SERVER_ERROR), hosts=("one", "two"))
    end = world.fetch(learn_on=True, deadline_s=0.35)
    assert isinstance(end, HealingFailed)
    assert all(each.met == FAILURE and not each.healed for each in late(world))
    tried = [each.strategy for each in world.facts_of(Attempt) if each.strategy != "plain"]
    assert len(set(tried)) == len(tried), "nothing is tried twice"


def test_an_exact_answer_ends_it():
    world = World(lambda request, at: good())
    world.fetch(learn_on=True)
    assert not late(world)
    assert len(world.sent) == 1


def test_one_failure_of_a_kind_is_followed_up_at_a_time_and_not_again_soon():
    learns_on = LearnsOn()

    async def live() -> None:
        gate = asyncio.Event()

        async def going_on() -> None:
            await gate.wait()

        assert learns_on.is_due("line", "timeout", 0.0)
        learns_on.begin("line", "timeout", going_on())
        assert not learns_on.is_due("line", "timeout", 2 * SPACING_S)
        assert learns_on.is_due("line", "slow", 0.0)
        gate.set()
        await asyncio.sleep(0.01)
        assert not learns_on.is_due("line", "timeout", SPACING_S - 0.1)
        assert learns_on.is_due("line", "timeout", SPACING_S)

    asyncio.run(live())


def test_closing_gives_up_what_is_under_way():
    async def live() -> None:
        learns_on = LearnsOn()
        assert learns_on.is_due("line", "timeout", 0.0)
        learns_on.begin("line", "timeout", asyncio.sleep(60.0))
        await asyncio.sleep(0)
        await asyncio.wait_for(learns_on.aclose(), 1.0)

    asyncio.run(live())


@pytest.mark.parametrize(
    "quota", [Quota(per_day=4), Quota(per_month=4), Quota(per_minute=4)], ids=repr
)
def test_a_quota_that_is_half_spent_is_left_to_readers(quota):
    # A probe and the reader's own call: 2 of 4.
    world = served_from_memory(quota)
    world.fetch(learn_on=True)
    assert not late(world)


@pytest.mark.parametrize("quota", [Quota(per_day=40), Quota(per_minute=40)], ids=repr)
def test_a_quota_with_much_left_bears_it(quota):
    world = served_from_memory(quota)
    world.fetch(learn_on=True)
    assert late(world)


@pytest.mark.parametrize("origin", [Origin.HEAL, Origin.PROBE])
def test_only_readers_requests_are_followed_up(origin):
    world = served_from_memory()
    world.fetch(learn_on=True, origin=origin)
    assert not late(world)


def test_only_what_could_have_served_better_and_asks_somebody_is_worth_trying():
    world = served_from_memory()
    stale = world.fetch()
    names = {each.name for each in worth_trying(stale, STRATEGIES)}
    assert {RETRY, "alternate_host", "fallback_provider"} <= names
    assert not names & {"use_cached_data", "long_ttl_cache", "etf_proxy", "alternate_series"}
