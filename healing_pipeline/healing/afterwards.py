"""Learning on after a reader's end: what the deadline or the order kept from being tried.

Exactly the requests that end badly say least about what would have helped, because nobody looked.
So now and then the rest of the plan is tried after the reader has their end, at nobody's cost: the
answer stays as it is, the attempts go on record as late, and good data is remembered for the next
reader. Every question here is a GET, so asking once more changes nothing upstream.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.healing.attempting import Attempting
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategy import Strategy
from healing_pipeline.healing.upstream import Asking
from healing_pipeline.probing.response import Verdict

# At one source, one failure class: no more often than this, and one at a time.
SPACING_S = 10.0

# Time of its own; the reader's is over.
ALLOWED_S = 6.0

# Begun now: no more than so many in the whole process, whatever fails.
MOST_AT_ONCE = 8


def worth_trying(end: Answer | HealingFailed, left: Sequence[Strategy]) -> list[Strategy]:
    """Of the strategies that were not tried, those that might have served the reader better.

    Those that send nothing are left out: what they would say is known without asking.
    """
    if isinstance(end, Answer) and end.fidelity is Fidelity.EXACT:
        return []
    asking = [each for each in left if each.cost.upstream_calls]
    if isinstance(end, HealingFailed):
        return asking
    return [each for each in asking if each.cost.worst in _ABOVE[end.fidelity]]


# Under which labels a strategy may promise something better than the reader got. One that may give
# fewer rows mostly gives the data itself; it does not once a reader has had fewer rows.
_ABOVE = {
    Fidelity.STALE: frozenset({Fidelity.EXACT, Fidelity.COARSER}),
    Fidelity.COARSER: frozenset({Fidelity.EXACT}),
    Fidelity.PROXY: frozenset({Fidelity.EXACT, Fidelity.STALE, Fidelity.COARSER}),
}


async def go_on(ended: Attempting, strategies: Sequence[Strategy], failure: Verdict) -> None:
    """Try `strategies` by the plan until one heals or none is left; all of it on record as late."""
    deadline_at = ended.parts.clock.monotonic() + ALLOWED_S
    attempting = replace(
        ended,
        asking=Asking(ended.question, ended.parts, deadline_at),
        tried=[],
        failed_with=list(ended.failed_with),
        is_late=True,
    )
    left = list(strategies)
    while left:
        plan, situation = attempting.decide(left, failure)
        if not plan.steps:
            return
        strategy = plan.steps[0].strategy
        left = [each for each in left if each.name != strategy.name]
        healed = await attempting.use(strategy, failure, situation)
        if healed is not None:
            own = healed.provider == attempting.question.source.name
            if own and healed.fidelity is Fidelity.EXACT:
                attempting.remember(healed)
            return


class LearnsOn:
    """Which failures were followed up when, and the follow-ups that are under way."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str], float] = {}
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    def is_due(self, source: str, failure_class: str, now: float) -> bool:
        """Whether to go on now; the turn is taken by asking.

        Parameters
        ----------
        now : float
            Monotonic seconds.
        """
        about = (source, failure_class)
        if about in self._under_way or len(self._under_way) >= MOST_AT_ONCE:
            return False
        if now - self._begun.get(about, -math.inf) < SPACING_S:
            return False
        self._begun[about] = now
        return True

    def begin(self, source: str, failure_class: str, going_on: Coroutine[Any, Any, None]) -> None:
        """Let it run beside the readers."""
        about = (source, failure_class)
        # Referenced, for the event loop alone would let it be collected half-way.
        task = self._under_way[about] = asyncio.create_task(going_on)
        task.add_done_callback(lambda _: self._under_way.pop(about, None))

    async def aclose(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
