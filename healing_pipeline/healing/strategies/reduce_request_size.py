"""Ask for less: the newest part of what was asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.asking import (
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
from healing_pipeline.providers.provider import Asked

TOO_MUCH = frozenset({FailureClass.TIMEOUT, FailureClass.SLOW})


@dataclass(frozen=True, slots=True)
class ReduceRequestSize:
    """Ask for the newest `factor` of the rows, and label the answer coarser.

    Right where an upstream is slow in proportion to what it has to gather. Wrong where a reader
    needs the whole window: take `coarser` out of what the endpoint accepts.

    Attributes
    ----------
    factor : float
        Part of the rows to ask for, 0 < factor < 1.
    timeout_s : float
        Of the one call.
    """

    factor: float = 0.5
    timeout_s: float = 0.9
    name: ClassVar[str] = "reduce_request_size"

    @property
    def cost(self) -> Cost:
        """One call."""
        return Cost(1, self.timeout_s, Fidelity.COARSER)

    def applies(self, situation: Situation) -> Applicability:
        """Whether the failure is one of size, and the question has a size to reduce."""
        failure = situation.failure.failure_class
        if failure not in TOO_MUCH:
            return Applicability(False, f"a smaller request does not cure {failure}")
        hindered = hindrance(situation, Fidelity.COARSER)
        if hindered is not None:
            return Applicability(False, hindered)
        if self._smaller(situation) is None:
            return Applicability(False, "the question has no limit or window to reduce")
        if not open_ways(situation):
            return Applicability(False, closed_because(situation))
        return Applicability(True, f"{failure} may be a matter of size")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask once for less."""
        smaller, ways = self._smaller(situation), open_ways(situation)
        if smaller is None or not ways:
            return NotHealed(situation.failure)
        limit_s = min(self.timeout_s, situation.remaining_s)
        seen = await ask(situation, upstream, ways[0], limit_s, smaller)
        evidence = f"answered when asked for {self.factor:.0%} of the rows"
        return labelled(situation, upstream, seen, Fidelity.COARSER, evidence)

    def _smaller(self, situation: Situation) -> Asked | None:
        path, params = situation.asked
        endpoint = replace(situation.endpoint, path=path)
        return situation.provider.smaller(endpoint, params, self.factor, situation.now)
