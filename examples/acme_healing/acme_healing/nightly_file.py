"""Answer from the file that Acme writes every night."""

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

LIVE_SERVICE_ONLY = frozenset(
    {FailureClass.EMPTY, FailureClass.SERVER_ERROR, FailureClass.TIMEOUT, FailureClass.SLOW}
)


@dataclass(frozen=True, slots=True)
class NightlyFile:
    """Ask for ``/nightly/...``, where Acme keeps every answer as it was last night.

    Right where Acme's live service fails and a day-old price will do. Wrong for every other
    provider, which has no such file, and for readers who do not take stale data.

    Attributes
    ----------
    timeout_s : float
        Of the one call.
    """

    timeout_s: float = 0.7
    name: ClassVar[str] = "acme_nightly_file"

    @property
    def cost(self) -> Cost:
        """One call, and a day's age."""
        return Cost(1, self.timeout_s, Fidelity.STALE)

    def applies(self, situation: Situation) -> Applicability:
        """Whether it is Acme's live service that fails, and stale data is accepted."""
        failure = situation.failure.failure_class
        if situation.provider.name != "acme":
            return Applicability(False, "only Acme writes such a file")
        if failure not in LIVE_SERVICE_ONLY:
            return Applicability(False, f"the nightly file does not cure {failure}")
        if Fidelity.STALE not in situation.accepts:
            return Applicability(False, "the reader does not accept stale")
        if situation.remaining_s < 0.1:
            return Applicability(False, f"only {situation.remaining_s:.2f} s left")
        return Applicability(True, "last night's prices are in a file")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask once for the file."""
        request = situation.request(path="/nightly" + situation.asked[0])
        seen = await upstream.ask(request, min(self.timeout_s, situation.remaining_s))
        if seen.reading is None:
            return NotHealed(seen.verdict)
        return Healed(
            fidelity=Fidelity.STALE,
            reading=seen.reading,
            body=seen.response.body,
            fetched_at=upstream.now(),
            provider=situation.endpoint.source,
            evidence="from last night's file",
        )
