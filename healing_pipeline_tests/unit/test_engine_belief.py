"""Belief in the data path: what fails together is tried later, and what heals clears it."""

from __future__ import annotations

import pytest
from worlds import World, bad, good

from healing_pipeline.healing.facts import Attempt, Decision
from healing_pipeline.healing.parts import falls_back_to
from healing_pipeline.learning.belief import Belief
from healing_pipeline.learning.policy import EMPTY
from healing_pipeline.probing.failure_class import FailureClass

NAMES = ("exponential_backoff_retry", "alternate_host", "fallback_provider")


def down_world() -> World:
    """Two hosts and another provider, none of which works."""
    return World(
        lambda request, at: bad(FailureClass.SERVER_ERROR), hosts=("one", "two"), alternate=True
    )


def weights(world: World) -> dict[str, float]:
    return world.engine._parts.belief.weights("line", NAMES, world.time.now())


def test_what_failed_for_one_request_is_doubted_by_the_next():
    world = down_world()
    world.fetch()
    first, *_, last = world.facts_of(Decision)
    assert first.considered["belief"].get("alternate_host", 1.0) == 1.0
    assert weights(world)["alternate_host"] < 1.0
    assert weights(world)["fallback_provider"] < 1.0
    world.fetch()
    again = [each for each in world.facts_of(Decision) if each.request_id != first.request_id]
    assert again[0].considered["belief"]["fallback_provider"] < 1.0
    assert last.decision_no > 1


def test_what_is_doubted_is_tried_later_but_tried():
    world = down_world()
    belief = world.engine._parts.belief
    for _ in range(6):
        belief.saw(
            "line",
            "alternate_host",
            world.time.now(),
            healed=False,
            failure_class="server_error",
            p=0.8,
        )
    world.fetch()
    tried = [each.strategy for each in world.facts_of(Attempt)]
    assert tried[0] == "plain"
    assert tried[1] == "fallback_provider"
    assert "alternate_host" in tried


def test_a_success_clears_the_doubt():
    world = down_world()
    world.fetch()
    assert weights(world)
    world.time.elapsed += 60.0  # breakers open again
    world.script = lambda request, at: good()
    world.fetch()
    assert "exponential_backoff_retry" not in weights(world)


def test_the_belief_is_the_fold_of_the_attempts_on_record():
    world = down_world()
    for script in (None, None, lambda request, at: good(), None):
        world.script = script or (lambda request, at: bad(FailureClass.SERVER_ERROR))
        world.fetch()
        world.time.elapsed += 7.0
    folded = Belief(falls_back_to(world.catalog))
    for each in world.facts_of(Attempt):
        if not each.healed and not each.upstream_calls:
            continue
        p = {} if each.met is None else {"p": EMPTY.rate("line", each.met, each.strategy)[0].p}
        folded.saw(
            each.source,
            each.strategy,
            each.at,
            healed=each.healed,
            failure_class=each.failure_class,
            **p,
        )
    now = world.time.now()
    assert folded.down("line", now) == pytest.approx(
        world.engine._parts.belief.down("line", now), abs=1e-12
    )


def test_what_our_own_limits_kept_back_tells_nothing():
    world = World(lambda request, at: bad(FailureClass.RATE_LIMIT))
    world.fetch()
    assert world.engine._parts.belief.down("line", world.time.now()) == {}


def test_a_source_falls_back_to_whoever_has_most_of_its_data():
    assert falls_back_to(down_world().catalog) == {"line": "other"}
    assert falls_back_to(World(lambda request, at: good()).catalog) == {}
