"""An order that somebody advised moves the plan's own steps and nothing else."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from worlds import World, bad, good

from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.facts import Attempt, Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.probing.failure_class import FailureClass

NAMES = [each.name for each in STRATEGIES]
orders = st.lists(st.sampled_from([*NAMES, "format_disk", PLAIN, ""]), max_size=6)


def healed(world, order=()):
    return asyncio.run(
        world.engine.fetch("line/x", origin=Origin.HEAL, follow_route=False, order=order)
    )


def used(world):
    return [each.strategy for each in world.facts_of(Attempt) if each.strategy != PLAIN]


def test_what_is_advised_first_is_tried_first():
    def broken():
        return World(lambda request, at: bad(FailureClass.TIMEOUT), hosts=("one", "two"))

    world, other = broken(), broken()
    healed(world)
    own = used(world)
    assert len(own) > 1
    healed(other, [own[-1]])
    assert used(other)[0] == own[-1]


@given(order=orders, failure=st.sampled_from([each for each in FailureClass if each.is_failure]))
def test_no_order_brings_in_a_strategy_that_the_plan_does_not_have(order, failure):
    plain, advised = (World(lambda request, at: bad(failure)) for _ in range(2))
    own = healed(plain)
    end = healed(advised, order)
    assert isinstance(own, HealingFailed)
    assert isinstance(end, HealingFailed)
    assert set(used(advised)) <= set(used(plain)) | {
        each.strategy.name for each in advised.engine.plan_for("line/x", own.verdict).steps
    }


@given(order=orders)
def test_no_order_changes_a_label(order):
    answers = iter([good(), *[bad(FailureClass.RATE_LIMIT)] * 30])
    world = World(lambda request, at: next(answers))
    world.observe()
    end = healed(world, order)
    assert isinstance(end, Answer)
    assert end.fidelity is Fidelity.STALE
