"""The contract that every registered strategy is held to, ours and those of other packages."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
from dataclasses import replace

import pytest
from first_days import ORDER
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from situations import NOW, Scripted, run, situations, truth, upstreams

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.healing.strategies.registry import all_strategies
from healing_pipeline.healing.strategy import (
    Applicability,
    Healed,
    NotHealed,
    Situation,
    Strategy,
)
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import Verdict

WORSE = list(Fidelity)


async def healed_by(
    strategy: Strategy, situation: Situation, upstream: Scripted
) -> tuple[Healed | NotHealed, float]:
    """The result and the seconds it took."""
    began = asyncio.get_running_loop().time()
    result = await strategy.heal(situation, upstream)
    return result, asyncio.get_running_loop().time() - began


def untrue(result: Healed, situation: Situation) -> str | None:
    """Why the data is worse than its label; None if it is not.

    Another provider's numbers may be half a percent off and still be the same data.
    """
    reading, snapshot = result.reading, situation.snapshot
    line = situation.request().line
    if situation.provider.read(result.body, line) != reading:
        return "the body says something else than the reading"
    whole = truth(line, result.fetched_at)
    if result.fidelity is Fidelity.PROXY:
        return "a proxy under the asked name" if reading.instrument == "X" else None
    if reading.instrument != "X":
        return f"{reading.instrument} is no X"
    if result.fidelity is Fidelity.STALE:
        was_stored = snapshot is not None and reading == snapshot.reading
        return None if was_stored or alike(reading, truth(line, reading.as_of)) else "never true"
    if result.fidelity is Fidelity.EXACT:
        if result.fetched_at < NOW:
            return "what is exact was had just now"
        return None if alike(reading, whole) else "not the whole truth"
    return None


def alike(one: Reading, other: Reading) -> bool:
    return [(each.at, each.field) for each in one.points] == [
        (each.at, each.field) for each in other.points
    ] and all(
        abs(mine.value / theirs.value - 1) < 0.005
        for mine, theirs in zip(one.points, other.points, strict=True)
    )


@pytest.mark.parametrize("strategy", all_strategies(), ids=lambda each: each.name)
class TestEveryStrategy:
    @given(data=st.data(), upstream=upstreams)
    def test_heals_or_declines_within_its_declared_cost_and_labels_it_honestly(
        self, strategy, data, upstream
    ):
        situation = data.draw(situations(strategy.name))
        if not strategy.applies(situation).ok:
            return
        upstream.provider = situation.provider
        result, seconds = run(healed_by(strategy, situation, upstream))
        assert len(upstream.sent) <= strategy.cost.upstream_calls
        assert upstream.asked <= strategy.cost.upstream_calls
        assert seconds <= strategy.cost.seconds + 1e-9
        assert seconds <= situation.remaining_s + 1e-9
        assert upstream.running == 0
        if isinstance(result, NotHealed):
            assert result.verdict.evidence.strip()
            return
        assert isinstance(result, Healed)
        assert untrue(result, situation) is None
        assert result.fidelity in situation.accepts
        assert result.evidence.strip()
        stored = situation.snapshot
        if stored is not None and result.reading == stored.reading and not upstream.sent:
            assert WORSE.index(result.fidelity) >= WORSE.index(stored.fidelity)
        else:
            assert WORSE.index(result.fidelity) <= WORSE.index(strategy.cost.worst)

    @settings(max_examples=40)
    @given(data=st.data(), upstream=upstreams, after_s=st.sampled_from([0.0, 0.01, 0.2, 0.32, 0.7]))
    def test_leaves_nothing_running_when_it_is_cancelled(self, strategy, data, upstream, after_s):
        situation = data.draw(situations(strategy.name))
        if not strategy.applies(situation).ok:
            return
        upstream.provider = situation.provider

        async def cut_short() -> set[asyncio.Task]:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(after_s):
                    await strategy.heal(situation, upstream)
            return asyncio.all_tasks() - {asyncio.current_task()}

        assert run(cut_short()) == set()
        assert upstream.running == 0

    @given(data=st.data())
    def test_says_whether_it_applies_and_why_and_the_same_again(self, strategy, data):
        situation = data.draw(situations(strategy.name))
        before = repr(situation)
        applicability = strategy.applies(situation)
        assert isinstance(applicability, Applicability)
        assert applicability.because.strip()
        assert "s3cret" not in applicability.because
        assert strategy.applies(situation) == applicability
        assert repr(situation) == before
        wrong = replace(situation, failure=Verdict(FailureClass.BAD_REQUEST, "seen"))
        assert not strategy.applies(wrong).ok
        if strategy.cost.worst is Fidelity.PROXY:
            unwilling = replace(situation, accepts=situation.accepts - {Fidelity.PROXY})
            assert not strategy.applies(unwilling).ok

    def test_is_a_frozen_value_with_a_name_and_a_docstring_that_says_when_it_is_wrong(
        self, strategy
    ):
        assert dataclasses.is_dataclass(strategy)
        assert type(strategy).__dataclass_params__.frozen
        assert strategy.name.isidentifier()
        assert "Right" in type(strategy).__doc__
        assert "Wrong" in type(strategy).__doc__
        for each in dataclasses.fields(strategy):
            assert each.name in type(strategy).__doc__, "a parameter that nobody explains"
        assert hash(strategy) == hash(replace(strategy))

    def test_can_be_had_with_its_parameters_alone(self, strategy):
        assert type(strategy)() == strategy
        assert inspect.iscoroutinefunction(strategy.heal)


@pytest.mark.parametrize("strategy", all_strategies(), ids=lambda each: each.name)
def test_the_contract_sees_every_strategy_heal(strategy):
    """One that only ever declined would be held to nothing."""

    def heals(case: tuple[Situation, Scripted]) -> bool:
        situation, upstream = case
        upstream.provider = situation.provider
        if not strategy.applies(situation).ok:
            return False
        return isinstance(run(healed_by(strategy, situation, upstream))[0], Healed)

    find(
        st.tuples(situations(strategy.name), upstreams),
        heals,
        settings=settings(max_examples=3000, phases=[Phase.generate], database=None),
    )


class TestOrder:
    def test_names_are_unique(self):
        names = [each.name for each in all_strategies()]
        assert len(set(names)) == len(names)

    @given(situation=situations())
    def test_leaves_out_of_a_row_only_what_never_applies_there(self, situation):
        row = ORDER[situation.failure.failure_class]
        applicable = {each.name for each in STRATEGIES if each.applies(situation).ok}
        assert applicable <= set(row)
