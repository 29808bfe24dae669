"""One question while it is being answered: its attempts, each on record, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from healing_pipeline.catalog.values import ApiKey, Host
from healing_pipeline.healing.account import (
    Question,
    Use,
    answer_fact,
    attempt_fact,
    snapshot_fact,
)
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed, Tried
from healing_pipeline.healing.facts import Fact, Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import SnapshotMemory
from healing_pipeline.healing.plan import Plan
from healing_pipeline.healing.strategy import (
    Healed,
    NotHealed,
    Observation,
    Situation,
    Snapshot,
    Strategy,
)
from healing_pipeline.healing.upstream import Asking, Clock
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict

NOTHING_MET = Verdict(FailureClass.OK, "")


@dataclass(slots=True)
class Attempting:
    """The state of one fetch.

    Attributes
    ----------
    host, key
        Where plain calls go.
    tried : list of Tried
        Strategies that did not give the answer, with the reason.
    number : int
        Attempts begun so far.
    """

    question: Question
    asking: Asking
    host: Host
    key: ApiKey | None
    snapshots: SnapshotMemory
    clock: Clock
    new_id: Callable[[], UUID]
    record: Callable[[Fact], None]
    attempt_timeout_s: float
    tried: list[Tried] = field(default_factory=list)
    number: int = 0

    def situation(self, failure: Verdict) -> Situation:
        """What is known now."""
        question = self.question
        return Situation(
            endpoint=question.endpoint,
            provider=question.provider,
            host=self.host,
            key=self.key,
            params=question.params,
            failure=failure,
            now=self.clock.now(),
            remaining_s=self.asking.remaining_s,
            accepts=question.accepts,
            snapshot=self.snapshots.get(question.endpoint.id, question.key),
            attempt_timeout_s=self.attempt_timeout_s,
        )

    async def observe(self) -> Observation:
        """Ask the primary once, off the record; good data is remembered."""
        request = self.situation(NOTHING_MET).request()
        seen = await self.asking.ask(request, self.attempt_timeout_s)
        if seen.reading is not None:
            self.remember(self._exact(seen))
        return seen

    async def plain(self) -> Healed | NotHealed:
        """Ask the primary once, as the reader asked."""

        async def ask() -> Healed | NotHealed:
            request = self.situation(NOTHING_MET).request()
            seen = await self.asking.ask(request, self.attempt_timeout_s)
            return NotHealed(seen.verdict) if seen.reading is None else self._exact(seen)

        return await self._on_record(PLAIN, ask)

    async def use(self, strategy: Strategy, failure: Verdict) -> Healed | None:
        """Use one strategy, if it fits by now; None when it did not give an accepted answer."""
        situation = self.situation(failure)
        applicability = strategy.applies(situation)
        if not applicability.ok:
            self.tried.append(Tried(strategy.name, "left out", applicability.because))
            return None

        async def heal() -> Healed | NotHealed:
            try:
                async with asyncio.timeout(max(self.asking.remaining_s, 0.001)):
                    result = await strategy.heal(situation, self.asking)
            except TimeoutError:
                evidence = f"{strategy.name} ran into the deadline"
                return NotHealed(Verdict(FailureClass.TIMEOUT, evidence))
            if isinstance(result, Healed) and result.fidelity not in self.question.accepts:
                evidence = f"the reader does not accept {result.fidelity}"
                return NotHealed(Verdict(failure.failure_class, evidence))
            return result

        result = await self._on_record(strategy.name, heal)
        if isinstance(result, Healed):
            return result
        self.tried.append(Tried(strategy.name, "did not heal", result.verdict.evidence))
        return None

    def answered(self, healed: Healed, strategy: str, met: Verdict | None) -> Answer:
        """End with an answer; `met` is what the first attempt failed with."""
        if self.asking.calls and healed.fidelity is Fidelity.EXACT:
            self.remember(healed)
        answer = Answer(
            request_id=self.question.request_id,
            endpoint=self.question.endpoint.id,
            fidelity=healed.fidelity,
            as_of=healed.reading.as_of,
            fetched_at=healed.fetched_at,
            reading=healed.reading,
            body=healed.body,
            strategy=strategy,
            provider=healed.provider,
            attempts=self.asking.calls,
            seconds=self.clock.monotonic() - self.question.began,
        )
        self._tell_end(answer, met)
        return answer

    def failed(self, plan: Plan, met: Verdict) -> HealingFailed:
        """End without one, with the reason for every strategy of the plan."""
        left_out = (
            Tried(each.strategy.name, "left out", each.applicability.because)
            for each in plan.left_out
        )
        failed = HealingFailed(
            request_id=self.question.request_id,
            endpoint=self.question.endpoint.id,
            verdict=met,
            tried=(*self.tried, *left_out),
            attempts=self.asking.calls,
            seconds=self.clock.monotonic() - self.question.began,
        )
        self._tell_end(failed, met)
        return failed

    def remember(self, healed: Healed) -> None:
        """Keep good data for the next time."""
        snapshot = Snapshot(
            healed.fetched_at, healed.reading, healed.body, healed.provider, healed.fidelity
        )
        self.snapshots.put(self.question.endpoint.id, self.question.key, snapshot)
        self.record(snapshot_fact(self.question, healed))

    async def _on_record(
        self, strategy: str, attempt: Callable[[], Awaitable[Healed | NotHealed]]
    ) -> Healed | NotHealed:
        self.number += 1
        began, began_at, calls = self.clock.monotonic(), self.clock.now(), self.asking.calls
        result = await attempt()
        spent = self.asking.calls - calls
        use = Use(
            id=self.new_id(),
            strategy=strategy,
            number=self.number,
            began_at=began_at,
            seconds=self.clock.monotonic() - began,
            result=result,
            seen=self.asking.latest if spent else None,
            calls=spent,
            late=self.asking.remaining_s <= 0,
        )
        self.record(attempt_fact(self.question, use))
        return result

    def _tell_end(self, end: Answer | HealingFailed, met: Verdict | None) -> None:
        if self.question.origin is Origin.READER:
            self.record(answer_fact(self.question, end, met))

    def _exact(self, seen: Observation) -> Healed:
        assert seen.reading is not None, "only good observations become answers"
        return Healed(
            fidelity=Fidelity.EXACT,
            reading=seen.reading,
            body=seen.response.body,
            fetched_at=self.clock.now(),
            provider=self.question.endpoint.source,
            evidence=seen.verdict.evidence,
        )
