"""Ask for less: the newest part of what was asked."""

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

TOO_MUCH = frozenset({FailureClass.TIMEOUT, FailureClass.SLOW})

WORTH_ASKING_S = 0.1


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
        if Fidelity.COARSER not in situation.accepts:
            return Applicability(False, "the reader does not accept coarser")
        if situation.remaining_s < WORTH_ASKING_S:
            return Applicability(False, f"only {situation.remaining_s:.2f} s left")
        if self._smaller(situation) is None:
            return Applicability(False, "the question has no limit or window to reduce")
        return Applicability(True, f"{failure} may be a matter of size")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask once for less."""
        smaller = self._smaller(situation)
        if smaller is None:
            return NotHealed(situation.failure)
        path, params = smaller
        request = situation.request(path=path, params=params)
        seen = await upstream.ask(request, min(self.timeout_s, situation.remaining_s))
        if seen.reading is None:
            return NotHealed(seen.verdict)
        return Healed(
            fidelity=Fidelity.COARSER,
            reading=seen.reading,
            body=seen.response.body,
            fetched_at=upstream.now(),
            provider=situation.endpoint.source,
            evidence=f"answered when asked for {self.factor:.0%} of the rows",
        )

    def _smaller(self, situation: Situation) -> tuple[str, dict[str, str]] | None:
        asked = {**situation.endpoint.params, **(situation.params or {})}
        smaller = situation.provider.smaller(situation.endpoint, asked, self.factor, situation.now)
        return None if smaller is None else (smaller[0], dict(smaller[1]))
