"""Answer with a series that moves like the one asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.substitution import ask_for_substitute, may_substitute
from healing_pipeline.healing.strategy import (
    Applicability,
    Cost,
    Healed,
    NotHealed,
    Situation,
    Upstream,
)


@dataclass(frozen=True, slots=True)
class AlternateSeries:
    """Ask for the series that the catalog names, GS10 for DGS10, and label the answer a proxy.

    Right where a monthly mean or an unadjusted series will do. Wrong where the numbers themselves
    are used, so a reader or an endpoint has to accept `proxy` first; the answer goes by the other
    series' name.

    Attributes
    ----------
    timeout_s : float
        Of the one call.
    """

    timeout_s: float = 0.7
    name: ClassVar[str] = "alternate_series"

    @property
    def cost(self) -> Cost:
        """One call."""
        return Cost(1, self.timeout_s, Fidelity.PROXY)

    def applies(self, situation: Situation) -> Applicability:
        """Whether another series is named, accepted, and may be had."""
        return may_substitute(situation, situation.endpoint.alternates.series, "other series")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask once for the other series."""
        series = situation.endpoint.alternates.series
        return await ask_for_substitute(situation, upstream, series, self.timeout_s)
