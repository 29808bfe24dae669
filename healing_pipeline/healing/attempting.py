"""One question while it is being answered: its attempts, each on record, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from healing_pipeline.healing.account import (
    Question,
    Use,
    answer_fact,
    attempt_fact,
    decision_fact,
    snapshot_fact,
)
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed, Tried
from healing_pipeline.healing.facts import Origin
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.parts import Parts
from healing_pipeline.healing.plan import Plan, make_plan
from healing_pipeline.healing.strategy import (
    Healed,
    NotHealed,
    Observation,
    Situation,
    Snapshot,
    Strategy,
    Way,
)
from healing_pipeline.healing.tuning import tuned
from healing_pipeline.healing.upstream import Asking
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict

# Good data comes with every call; on disk it is worth a new copy only this often.
SNAPSHOT_EVERY_S = 5.0

# Between two looks whether there is room for a healing call, and what is left for one at least.
TURN_S = 0.04
LEAST_TURN_S = 0.3

# What is left of the deadline for answering from memory when a strategy runs into it.
LAST_RESORT_S = 0.1


@dataclass(slots=True)
class Attempting:
    """The state of one fetch.

    Attributes
    ----------
    way : Way
        Where the plain call goes.
    tried : list of Tried
        Strategies that did not give the answer, with the reason.
    number : int
        Attempts begun so far.
    failed_with : list of str
        Strategies whose attempts did not heal.
    held_back : list of Strategy
        Those of them that were not let through, because others were being healed.
    decisions : int
        Plans put on record so far.
    is_late : bool
        Whether the reader had their end before: see `afterwards`.
    """

    question: Question
    parts: Parts
    asking: Asking
    way: Way
    attempt_timeout_s: float
    tried: list[Tried] = field(default_factory=list)
    number: int = 0
    failed_with: list[str] = field(default_factory=list)
    held_back: list[Strategy] = field(default_factory=list)
    decisions: int = 0
    is_late: bool = False

    def situation(self, failure: Verdict) -> Situation:
        """What is known now."""
        question, parts = self.question, self.parts
        now = parts.clock.now()
        return Situation(
            endpoint=question.endpoint,
            provider=question.provider,
            host=self.way.host,
            key=self.way.key,
            params=question.params,
            failure=failure,
            now=now,
            remaining_s=max(0.0, self.asking.remaining_s - LAST_RESORT_S),
            accepts=question.accepts,
            snapshot=parts.snapshots.get(question.endpoint.id, question.key),
            attempt_timeout_s=self.attempt_timeout_s,
            source=question.source,
            path=question.path,
            ways=parts.guard.ways(question.source.name, parts.clock.monotonic(), now),
            alternates=parts.alternates_of(question.endpoint, self.way),
        )

    def plan(self, strategies: Sequence[Strategy], failure: Verdict) -> tuple[Plan, Situation]:
        """Choose among `strategies` now, off the record; and what was known for it."""
        situation, policy = self.situation(failure), self.parts.policy.policy
        source = self.question.source.name
        fitting = tuned(strategies, policy.parameters.get(source))
        names = [each.name for each in strategies]
        belief = self.parts.belief.weights(source, names, situation.now)
        plan = make_plan(situation, fitting, policy, belief=belief, failed=self.failed_with)
        return plan, situation

    def decide(self, strategies: Sequence[Strategy], failure: Verdict) -> tuple[Plan, Situation]:
        """Choose among `strategies` now, on the record."""
        plan, situation = self.plan(strategies, failure)
        if plan.steps or not self.decisions:
            self.decisions += 1
            decision = decision_fact(
                self.question,
                plan,
                failure,
                number=self.decisions,
                at=situation.now,
                policy=self.parts.policy.fingerprint,
                late=self.is_late,
            )
            self.parts.record(decision)
        return plan, situation

    async def observe(self) -> Observation:
        """Ask the primary once, off the record; good data is remembered."""
        seen = await self._seen(last=True)
        if seen.reading is not None:
            self.remember(self._exact(seen))
        return seen

    async def plain(
        self, *, name: str = PLAIN, last: bool = False, met: Verdict | None = None
    ) -> Healed | NotHealed:
        """Ask as the reader asked, by `way`; `name` and `met` are what it goes on record as."""

        async def ask() -> Healed | NotHealed:
            seen = await self._seen(last=last)
            return NotHealed(seen.verdict) if seen.reading is None else self._exact(seen)

        return await self._on_record(name, ask, met)

    async def use(
        self, strategy: Strategy, failure: Verdict, situation: Situation | None = None
    ) -> Healed | None:
        """Use one strategy; None when it did not give an accepted answer.

        `situation` is the one it was just planned for; without one it has to fit first.
        """
        if situation is None:
            situation = self.situation(failure)
            applicability = strategy.applies(situation)
            if not applicability.ok:
                self.tried.append(Tried(strategy.name, "left out", applicability.because))
                return None
        self.asking.met, self.asking.held_back = failure, False
        calls = self.asking.calls

        async def heal() -> Healed | NotHealed:
            try:
                async with asyncio.timeout(max(situation.remaining_s, 0.001)):
                    result = await strategy.heal(situation, self.asking)
            except TimeoutError:
                evidence = f"{strategy.name} ran into the deadline"
                return NotHealed(Verdict(FailureClass.TIMEOUT, evidence))
            if isinstance(result, Healed) and result.fidelity not in self.question.accepts:
                evidence = f"the reader does not accept {result.fidelity}"
                return NotHealed(Verdict(failure.failure_class, evidence))
            return result

        result = await self._on_record(strategy.name, heal, failure)
        if isinstance(result, Healed):
            return result
        self.tried.append(Tried(strategy.name, "did not heal", result.verdict.evidence))
        if self.asking.held_back and self.asking.calls == calls:
            self.held_back.append(strategy)
        return None

    async def let_through(self) -> list[Strategy]:
        """Wait until what was held back may be tried, and take it back; empty when time is short.

        The retry budget bounds how many healing calls a source bears at once, not who may be
        healed: when many endpoints fail in one moment each has its turn.
        """
        if not self.held_back:
            return []
        source = self.question.source.name
        while self.asking.remaining_s > LEAST_TURN_S:
            await self.asking.wait(TURN_S * (1.0 + self.parts.random()))
            if self.parts.guard.bears_healing(source):
                back, self.held_back = self.held_back, []
                names = {each.name for each in back}
                self.tried = [each for each in self.tried if each.strategy not in names]
                self.failed_with = [each for each in self.failed_with if each not in names]
                return back
        return []

    def answered(self, healed: Healed, strategy: str, met: Verdict | None) -> Answer:
        """End with an answer; `met` is what the first attempt failed with."""
        question = self.question
        if (
            self.asking.calls
            and healed.fidelity is Fidelity.EXACT
            and healed.provider == question.source.name
        ):
            # Another provider dates the same numbers in its own way, and would make ours look old.
            self.remember(healed)
        answer = Answer(
            request_id=question.request_id,
            endpoint=question.endpoint.id,
            fidelity=healed.fidelity,
            as_of=healed.reading.as_of,
            fetched_at=healed.fetched_at,
            reading=healed.reading,
            body=healed.body,
            strategy=strategy,
            provider=healed.provider,
            attempts=self.asking.calls,
            seconds=self.parts.clock.monotonic() - question.began,
            met=met,
        )
        self._tell_end(answer, met)
        return answer

    def failed(self, plan: Plan, met: Verdict) -> HealingFailed:
        """End without one, with the reason for every strategy of the plan."""
        left_out = (
            Tried(each.strategy.name, "left out", each.applicability.because)
            for each in plan.left_out
        )
        question, parts = self.question, self.parts
        now = parts.clock.monotonic()
        failed = HealingFailed(
            request_id=question.request_id,
            endpoint=question.endpoint.id,
            verdict=met,
            tried=(*self.tried, *left_out),
            attempts=self.asking.calls,
            seconds=now - question.began,
            retry_after_s=parts.guard.opens_in(question.source.name, now, parts.clock.now()),
        )
        self._tell_end(failed, met)
        return failed

    def remember(self, healed: Healed) -> None:
        """Keep good data for the next time."""
        question, snapshots = self.question, self.parts.snapshots
        snapshots.put(
            question.endpoint.id,
            question.key,
            Snapshot(
                healed.fetched_at, healed.reading, healed.body, healed.provider, healed.fidelity
            ),
            self.parts.clock.now(),
        )
        now = self.parts.clock.monotonic()
        if snapshots.take_turn_to_tell(question.endpoint.id, question.key, now, SNAPSHOT_EVERY_S):
            self.parts.record(snapshot_fact(question, healed))

    async def _seen(self, *, last: bool) -> Observation:
        question = self.question
        request = question.request(self.way.host, self.way.key)
        rules = question.provider.session
        if rules is not None:
            token = self.asking.session(self.way.host)
            if token is not None:
                request = rules.applied(request, token)
        return await self.asking.plain(request, self.attempt_timeout_s, last=last)

    async def _on_record(
        self,
        strategy: str,
        attempt: Callable[[], Awaitable[Healed | NotHealed]],
        met: Verdict | None,
    ) -> Healed | NotHealed:
        self.number += 1
        clock, asking = self.parts.clock, self.asking
        waited_s = asking.waited_s
        began, began_at, calls = clock.monotonic(), clock.now(), asking.calls
        result = await attempt()
        spent = asking.calls - calls
        use = Use(
            id=self.parts.new_id(),
            strategy=strategy,
            number=self.number,
            began_at=began_at,
            seconds=clock.monotonic() - began,
            result=result,
            seen=asking.latest if spent else None,
            calls=spent,
            late=self.is_late or asking.remaining_s <= 0,
            met=met,
            waited_s=asking.waited_s - waited_s,
        )
        if strategy != PLAIN and isinstance(result, NotHealed):
            self.failed_with.append(strategy)
        self.parts.record(attempt_fact(self.question, use))
        if isinstance(result, Healed):
            self.parts.belief.healed(self.question.endpoint.source, strategy, began_at)
        elif spent:  # what our own limits kept back tells nothing
            source, failed_as = self.question.endpoint.source, result.verdict.failure_class
            self.parts.doubt(source, strategy, began_at, failed_as, met)
        return result

    def _tell_end(self, end: Answer | HealingFailed, met: Verdict | None) -> None:
        if self.question.origin is Origin.READER:
            self.parts.record(answer_fact(self.question, end, met))

    def _exact(self, seen: Observation) -> Healed:
        assert seen.reading is not None, "only good observations become answers"
        return Healed(
            fidelity=Fidelity.EXACT,
            reading=seen.reading,
            body=seen.response.body,
            fetched_at=self.parts.clock.now(),
            provider=self.question.source.name,
            evidence=seen.verdict.evidence,
        )
