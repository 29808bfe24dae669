"""Ask again, a little later each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from healing_pipeline.healing.fidelity import Fidelity
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

# Below this a call has no real chance of coming back.
WORTH_ASKING_S = 0.1


@dataclass(frozen=True, slots=True)
class ExponentialBackoffRetry:
    """Ask the same again after a delay that doubles, with full jitter.

    Right for failures that pass by themselves. Wrong for limits, keys and bad requests, where it
    only spends quota, so it declines those.

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
        if situation.remaining_s < WORTH_ASKING_S:
            return Applicability(False, f"only {situation.remaining_s:.2f} s left")
        return Applicability(True, f"{failure} often passes by itself")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask until an answer is good, the attempts are spent or the time is."""
        left = situation.remaining_s
        verdict = situation.failure
        for number in range(self.attempts):
            delay = upstream.jitter() * self.first_delay_s * 2**number
            if left - delay < WORTH_ASKING_S:
                break
            await upstream.wait(delay)
            left -= delay
            seen = await upstream.ask(situation.request(), min(self.timeout_s, left))
            left -= seen.response.elapsed_s
            verdict = seen.verdict
            if seen.reading is not None:
                return Healed(
                    fidelity=Fidelity.EXACT,
                    reading=seen.reading,
                    body=seen.response.body,
                    fetched_at=upstream.now(),
                    provider=situation.endpoint.source,
                    evidence=f"good on try {number + 2}",
                )
            if verdict.failure_class not in PASSING:
                break
        return NotHealed(verdict)
