"""Ask for daily bars where those within the day are not to be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.asking import (
    WHATEVER_IS_ASKED,
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
from healing_pipeline.providers.provider import Asked


@dataclass(frozen=True, slots=True)
class UseDailyData:
    """Ask for the same instrument by the day, and label the answer coarser.

    Right where bars within the day are missing, not in the plan, or broken, and the day's are not.
    Wrong for readers who trade within the day: take `coarser` out of what the endpoint accepts.

    Attributes
    ----------
    timeout_s : float
        Of the one call.
    """

    timeout_s: float = 0.7
    name: ClassVar[str] = "use_daily_data"

    @property
    def cost(self) -> Cost:
        """One call."""
        return Cost(1, self.timeout_s, Fidelity.COARSER)

    def applies(self, situation: Situation) -> Applicability:
        """Whether bars within the day were asked for, and daily ones may be had."""
        failure = situation.failure.failure_class
        if failure in WHATEVER_IS_ASKED:
            return Applicability(False, f"daily bars would meet {failure} too")
        hindered = hindrance(situation, Fidelity.COARSER)
        if hindered is not None:
            return Applicability(False, hindered)
        if self._daily(situation) is None:
            return Applicability(False, "the question is not one for bars within the day")
        if not open_ways(situation):
            return Applicability(False, closed_because(situation))
        return Applicability(True, f"daily bars may be had in spite of {failure}")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask once for daily bars."""
        daily, ways = self._daily(situation), open_ways(situation)
        if daily is None or not ways:
            return NotHealed(situation.failure)
        limit_s = min(self.timeout_s, situation.remaining_s)
        seen = await ask(situation, upstream, ways[0], limit_s, daily)
        return labelled(
            situation,
            upstream,
            seen,
            Fidelity.COARSER,
            "daily bars instead of those within the day",
        )

    def _daily(self, situation: Situation) -> Asked | None:
        path, params = situation.asked
        return situation.provider.daily(path, params, situation.now)
