"""Ask again, a little later each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
    Situation,
    Upstream,
)
from healing_pipeline.probing.failure_class import FailureClass

PASSING = frozenset(
    {
        FailureClass.TIMEOUT,
        FailureClass.SLOW,
        FailureClass.NETWORK_ERROR,
        FailureClass.SERVER_ERROR,
        FailureClass.INVALID_DATA,
        FailureClass.EMPTY,
    }
)

# Here one more look tells: what is damaged or empty twice is so for longer than a request lasts.
TOLD_BY_ONE = frozenset({FailureClass.INVALID_DATA, FailureClass.EMPTY})


@dataclass(frozen=True, slots=True)
class ExponentialBackoffRetry:
    """Ask the same again after a delay that doubles, with full jitter.

    Right for failures that pass by themselves; where the host failed, another open one is asked.
    Wrong for limits, keys and bad requests, where it only spends quota, so it declines those.

    Attributes
    ----------
    attempts : int
        Further calls at most, >= 1.
    first_delay_s : float
        The first wait is drawn from [0, first_delay_s], the next from twice that, and so on.
    timeout_s : float
        Of one call.

    Notes
    -----
    Full jitter after Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). A
    reader's deadline of 3 s leaves no room for the classic 1, 2, 4 s, so waits start lower here and
    whatever does not fit the deadline is not begun.
    """

    attempts: int = 2
    first_delay_s: float = 0.2
    timeout_s: float = 0.7
    name: ClassVar[str] = "exponential_backoff_retry"

    @property
    def cost(self) -> Cost:
        """All waits at their longest and all calls at their time limit."""
        waits = self.first_delay_s * (2**self.attempts - 1)
        return Cost(self.attempts, waits + self.attempts * self.timeout_s, Fidelity.EXACT)

    def applies(self, situation: Situation) -> Applicability:
        """Whether the failure is of a kind that passes, and there is time for one more call."""
        failure = situation.failure.failure_class
        if failure not in PASSING:
            return Applicability(False, f"asking again does not cure {failure}")
        hindered = hindrance(situation, Fidelity.EXACT)
        if hindered is not None:
            return Applicability(False, hindered)
        if not open_ways(situation):
            return Applicability(False, closed_because(situation))
        return Applicability(True, f"{failure} often passes by itself")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask until an answer is good, the attempts are spent or the time is."""
        ways = open_ways(situation)
        left = situation.remaining_s
        result: Healed | NotHealed = NotHealed(situation.failure)
        told_by_one = situation.failure.failure_class in TOLD_BY_ONE
        for number in range(1 if told_by_one else self.attempts):
            delay = upstream.jitter() * self.first_delay_s * 2**number
            if not ways or left - delay < WORTH_ASKING_S:
                break
            await upstream.wait(delay)
            left -= delay
            way = ways[number % len(ways)]
            seen = await ask(situation, upstream, way, min(self.timeout_s, left))
            left -= seen.response.elapsed_s
            evidence = f"good on try {number + 2}"
            result = labelled(situation, upstream, seen, Fidelity.EXACT, evidence)
            if seen.reading is not None or not seen.sent:
                break
            if seen.verdict.failure_class not in PASSING:
                break
        return result
