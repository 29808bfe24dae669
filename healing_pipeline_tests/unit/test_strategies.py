"""The contract that every registered strategy is held to."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import START, World, bad, good

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.healing.strategy import (
    Applicability,
    Healed,
    NotHealed,
    Observation,
    Situation,
    Snapshot,
)
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import NoAnswer, Response, Verdict

ORDER = list(Fidelity)


class Counting:
    """An upstream that counts what a strategy spends, by a script of answers."""

    def __init__(self, world: World, answers: list[Response]) -> None:
        self.world, self.answers = world, answers
        self.calls, self.seconds = 0, 0.0

    async def ask(self, request, timeout_s):
        answer = self.answers[self.calls % len(self.answers)]
        self.calls += 1
        if answer.elapsed_s > timeout_s:
            answer = Response(no_answer=NoAnswer.TIMEOUT, detail="silence", elapsed_s=timeout_s)
        self.seconds += answer.elapsed_s
        verdict = self.world.provider.classify(answer, request.line)
        reading = self.world.provider.read(answer.body, request.line) if verdict.is_ok else None
        return Observation(request, answer, verdict, reading)

    async def wait(self, seconds):
        assert seconds >= 0
        self.seconds += seconds

    def now(self):
        return START + timedelta(seconds=self.seconds)

    def jitter(self):
        return 0.999


answers = st.lists(
    st.one_of(
        st.sampled_from([each for each in FailureClass if each.is_failure]).map(bad),
        st.floats(0, 20).map(lambda seconds: replace(good(), elapsed_s=seconds)),
    ),
    min_size=1,
    max_size=5,
)


@st.composite
def situations(draw):
    world = World(lambda request, at: good(), reducible=draw(st.booleans()))
    body = good().body
    reading = world.provider.read(body, None)
    age = draw(st.integers(0, 10_000))
    snapshot = draw(
        st.one_of(
            st.none(),
            st.sampled_from(Fidelity).map(
                lambda label: Snapshot(START - timedelta(seconds=age), reading, body, "line", label)
            ),
        )
    )
    source = world.catalog.sources["line"]
    failure = draw(st.sampled_from([each for each in FailureClass if each.is_failure]))
    situation = Situation(
        endpoint=world.endpoint,
        provider=world.provider,
        host=source.hosts[0],
        key=source.keys[0],
        params=None,
        failure=Verdict(failure, "seen"),
        now=START,
        remaining_s=draw(st.floats(0, 5)),
        accepts=frozenset(draw(st.sets(st.sampled_from(Fidelity))) | {Fidelity.EXACT}),
        snapshot=snapshot,
        attempt_timeout_s=1.0,
    )
    return world, situation


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: each.name)
class TestEveryStrategy:
    @given(case=situations(), script=answers)
    def test_heals_or_declines_within_its_declared_cost(self, strategy, case, script):
        world, situation = case
        upstream = Counting(world, script)
        if not strategy.applies(situation).ok:
            return
        result = asyncio.run(strategy.heal(situation, upstream))
        assert isinstance(result, Healed | NotHealed)
        assert upstream.calls <= strategy.cost.upstream_calls
        assert upstream.seconds <= strategy.cost.seconds + 1e-9
        assert upstream.seconds <= situation.remaining_s + 1e-6

    @given(case=situations(), script=answers)
    def test_what_it_heals_is_accepted_and_no_better_labelled_than_it_is(
        self, strategy, case, script
    ):
        world, situation = case
        if not strategy.applies(situation).ok:
            return
        result = asyncio.run(strategy.heal(situation, Counting(world, script)))
        if isinstance(result, Healed):
            assert result.fidelity in situation.accepts
            if result.fetched_at < situation.now:
                assert result.fidelity is not Fidelity.EXACT

    @given(case=situations())
    def test_gives_its_reason_whether_it_applies_or_not(self, strategy, case):
        _, situation = case
        applicability = strategy.applies(situation)
        assert isinstance(applicability, Applicability)
        assert applicability.because.strip()

    @given(case=situations())
    def test_never_applies_to_a_request_that_is_itself_wrong(self, strategy, case):
        _, situation = case
        wrong = replace(situation, failure=Verdict(FailureClass.BAD_REQUEST, "seen"))
        assert not strategy.applies(wrong).ok

    def test_is_a_frozen_value_with_a_name_and_a_docstring_that_says_when_it_is_wrong(
        self, strategy
    ):
        assert dataclasses.is_dataclass(strategy)
        assert type(strategy).__dataclass_params__.frozen
        assert strategy.name.isidentifier()
        assert "Wrong" in type(strategy).__doc__


def test_names_are_unique():
    names = [each.name for each in STRATEGIES]
    assert len(set(names)) == len(names)
