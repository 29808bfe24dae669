"""Ask together with other readers: one call for many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.asking import (
    WORTH_ASKING_S,
    closed_because,
    hindrance,
    labelled,
    open_ways,
)
from healing_pipeline.healing.strategies.rendering import in_own_form
from healing_pipeline.healing.strategy import (
    Applicability,
    Cost,
    Healed,
    NotHealed,
    Situation,
    Upstream,
)
from healing_pipeline.probing.failure_class import FailureClass


@dataclass(frozen=True, slots=True)
class BatchRequests:
    """Wait a moment for others who ask the like, and ask for all of them in one call.

    Right for a limit on calls where the provider answers for many instruments at once, as quotes
    and rate tables do. Wrong where it does not: most series and bars are had one by one.

    Attributes
    ----------
    window_s : float
        How long to wait for others, 0.02 to 0.05.
    size : int
        Most questions in one call.
    timeout_s : float
        Of the one call.
    """

    window_s: float = 0.035
    size: int = 50
    timeout_s: float = 0.7
    name: ClassVar[str] = "batch_requests"

    @property
    def cost(self) -> Cost:
        """One call, after the window."""
        return Cost(1, self.window_s + self.timeout_s, Fidelity.EXACT)

    def applies(self, situation: Situation) -> Applicability:
        """Whether calls are what is limited, and the provider answers for many at once."""
        failure = situation.failure.failure_class
        if failure is not FailureClass.RATE_LIMIT:
            return Applicability(False, f"fewer calls do not cure {failure}")
        hindered = hindrance(situation, Fidelity.EXACT)
        if hindered is not None:
            return Applicability(False, hindered)
        if situation.remaining_s < self.window_s + WORTH_ASKING_S:
            return Applicability(False, f"only {situation.remaining_s:.2f} s left")
        # A question and itself: what cannot be asked together with that, can with nothing.
        if situation.provider.merged((situation.asked, situation.asked)) is None:
            return Applicability(False, "the provider answers such questions one by one")
        if not open_ways(situation):
            return Applicability(False, closed_because(situation))
        return Applicability(True, "one call can answer for everyone who waits")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask once with whoever else asks within the window."""
        ways = open_ways(situation)
        if not ways:
            return NotHealed(situation.failure)
        limit_s = min(self.timeout_s, situation.remaining_s - self.window_s)
        together = replace(situation, host=ways[0].host, key=ways[0].key, attempt_timeout_s=limit_s)
        seen = await upstream.ask_merged(together, self.window_s, self.size)
        own, asked = situation.request().line, seen.request.line
        if seen.reading is None or (asked.path, asked.params) == (own.path, own.params):
            return labelled(situation, upstream, seen, Fidelity.EXACT, "asked in one call")
        said = in_own_form(seen.reading, situation)
        if isinstance(said, NotHealed):
            return said
        return Healed(
            fidelity=Fidelity.EXACT,
            reading=said.reading,
            body=said.body,
            fetched_at=upstream.now(),
            provider=situation.endpoint.source,
            evidence="a part of the answer to a question asked for several readers",
        )
