"""Ask twice, a moment apart, and take whichever answer is good first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from healing_pipeline.catalog.values import Quota
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.asking import (
    WORTH_ASKING_S,
    ask,
    closed_because,
    hindrance,
    labelled,
    open_ways,
)
from healing_pipeline.healing.strategy import (
    Applicability,
    Cost,
    Healed,
    NotHealed,
    Observation,
    Situation,
    Upstream,
    Way,
)
from healing_pipeline.probing.failure_class import FailureClass

TOO_SLOW = frozenset({FailureClass.TIMEOUT, FailureClass.SLOW})

# After these a second call would meet something else than bad luck.
WORTH_A_SECOND = TOO_SLOW | {FailureClass.NETWORK_ERROR, FailureClass.SERVER_ERROR}


@dataclass(frozen=True, slots=True)
class HedgedRequest:
    """Race two calls, the second one begun only when the first is late.

    Right where a source answers most calls at once and a few very late, by two ways where it has
    two. Wrong where calls are counted by the day or the month, and where the whole source is slow:
    there it doubles the load.

    Attributes
    ----------
    delay_s : float
        The second call begins when the first has been out so long; best a little over the time in
        which 95 % of good answers come.
    timeout_s : float
        Of the race as a whole.

    Notes
    -----
    After Dean and Barroso, "The Tail at Scale" (CACM, 2013). Questions are GETs, so asking twice
    changes nothing upstream. A first call that fails early lets the second begin at once.
    """

    delay_s: float = 0.3
    timeout_s: float = 0.9
    name: ClassVar[str] = "hedged_request"

    @property
    def cost(self) -> Cost:
        """Two calls that run side by side."""
        return Cost(2, self.timeout_s, Fidelity.EXACT)

    def applies(self, situation: Situation) -> Applicability:
        """Whether it was lateness, calls are not scarce, and a way is open."""
        failure = situation.failure.failure_class
        if failure not in TOO_SLOW:
            return Applicability(False, f"asking twice does not cure {failure}")
        quota = Quota(per_day=0) if situation.source is None else situation.source.quota
        if quota.per_day is not None or quota.per_month is not None:
            return Applicability(False, "calls are counted by the day or month: too dear to race")
        hindered = hindrance(situation, Fidelity.EXACT)
        if hindered is not None:
            return Applicability(False, hindered)
        ways = open_ways(situation)
        if not ways:
            return Applicability(False, closed_because(situation))
        return Applicability(
            True, f"{failure} is often bad luck, and two calls are seldom unlucky both"
        )

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Race the first two open ways, or the only one against itself."""
        ways = open_ways(situation)
        if not ways:
            return NotHealed(situation.failure)
        seen, number = await self._race(situation, upstream, ways[0], ways[1 % len(ways)])
        return labelled(
            situation, upstream, seen, Fidelity.EXACT, f"call {number} of the race was good"
        )

    async def _race(
        self, situation: Situation, upstream: Upstream, first: Way, second: Way
    ) -> tuple[Observation, int]:
        """The first good observation and its number; the last bad one where none is good.

        The group sees to it that no call outlives this, however it ends.
        """
        left_s = min(self.timeout_s, situation.remaining_s)
        async with asyncio.TaskGroup() as group:
            one = group.create_task(ask(situation, upstream, first, left_s))
            late = group.create_task(upstream.wait(min(self.delay_s, left_s)))
            await asyncio.wait({one, late}, return_when=asyncio.FIRST_COMPLETED)
            spent_s = self.delay_s
            if one.done():
                late.cancel()
                seen = one.result()
                spent_s = min(seen.response.elapsed_s, self.delay_s)
                if seen.reading is not None or not _worth_a_second(seen):
                    return seen, 1
            if left_s - spent_s < WORTH_ASKING_S:
                return await one, 1
            two = group.create_task(ask(situation, upstream, second, left_s - spent_s))
            running = {one, two}
            while running:
                _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for number, task in enumerate((one, two), 1):
                    if task.done() and task.result().reading is not None:
                        for other in running:
                            other.cancel()
                        return task.result(), number
            return two.result(), 2


def _worth_a_second(seen: Observation) -> bool:
    return seen.sent and seen.verdict.failure_class in WORTH_A_SECOND
