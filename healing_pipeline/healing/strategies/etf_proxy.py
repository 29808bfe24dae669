"""Answer with the ETF of an instrument's sector."""

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
class EtfProxy:
    """Ask for the ETF that the catalog names, XLK for AAPL, and label the answer a proxy.

    Right for readers who want to know how a sector does. Wrong for everybody else, so a reader or
    an endpoint has to accept `proxy` first; the answer goes by the ETF's name, never by the
    instrument's.

    Attributes
    ----------
    timeout_s : float
        Of the one call.
    """

    timeout_s: float = 0.7
    name: ClassVar[str] = "etf_proxy"

    @property
    def cost(self) -> Cost:
        """One call."""
        return Cost(1, self.timeout_s, Fidelity.PROXY)

    def applies(self, situation: Situation) -> Applicability:
        """Whether an ETF is named, accepted, and may be had."""
        return may_substitute(situation, situation.endpoint.alternates.etf, "ETF")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask once for the ETF."""
        etf = situation.endpoint.alternates.etf
        return await ask_for_substitute(situation, upstream, etf, self.timeout_s)
