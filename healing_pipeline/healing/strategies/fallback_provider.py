"""Ask another provider that carries the same data, and answer in the form of the one asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.likeness import StandIn, stand_in
from healing_pipeline.healing.strategies.asking import WORTH_ASKING_S, hindrance
from healing_pipeline.healing.strategies.rendering import in_own_form
from healing_pipeline.healing.strategy import (
    Alternate,
    Applicability,
    Cost,
    Healed,
    NotHealed,
    Observation,
    Situation,
    Snapshot,
    Upstream,
)
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict


@dataclass(frozen=True, slots=True)
class FallbackProvider:
    """Ask the catalogued alternates, and let their numbers stand where they are alike.

    Right for whatever a source suffers as a whole, and for what it refuses to us alone. Wrong for
    data that two providers define differently: where their numbers differ from the last ones that
    were good, the answer is refused, and where nothing good is stored, labelled as less than exact.

    Attributes
    ----------
    most : int
        Alternates asked, >= 1; the second only after the first did not help.
    timeout_s : float
        Of each call.
    """

    most: int = 2
    timeout_s: float = 0.9
    name: ClassVar[str] = "fallback_provider"

    @property
    def cost(self) -> Cost:
        """A call for each alternate that is asked."""
        return Cost(self.most, self.most * self.timeout_s, Fidelity.COARSER)

    def applies(self, situation: Situation) -> Applicability:
        """Whether the catalog names an alternate, and a way to it is open."""
        failure = situation.failure.failure_class
        if failure is FailureClass.BAD_REQUEST:
            return Applicability(False, "the request itself is wrong")
        if not situation.alternates:
            return Applicability(False, "the catalog names no other endpoint with the same data")
        hindered = hindrance(situation, Fidelity.EXACT)
        if hindered is not None:
            return Applicability(False, hindered)
        opened = self._opened(situation)
        if not opened:
            first = situation.alternates[0]
            return Applicability(
                False, f"{first.endpoint.id} cannot be asked now: {first.way.why_closed}"
            )
        unspeakable = _unspeakable(situation)
        if unspeakable is not None:
            return Applicability(False, unspeakable)
        return Applicability(True, f"{opened[0].endpoint.id} carries the same data")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask the alternates in the catalog's order until one may stand for the question."""
        left_s = situation.remaining_s
        result = NotHealed(situation.failure)
        for alternate in self._opened(situation)[: self.most]:
            if left_s < WORTH_ASKING_S:
                break
            way = alternate.way
            request = alternate.provider.request(
                alternate.endpoint, way.host, way.key, situation.now
            )
            seen = await upstream.ask(request, min(self.timeout_s, left_s), by=alternate)
            left_s -= seen.response.elapsed_s
            judged = _standing(seen, alternate, situation, upstream)
            if isinstance(judged, Healed):
                return judged
            result = judged
        return result

    def _opened(self, situation: Situation) -> list[Alternate]:
        return [each for each in situation.alternates if each.way.is_open]


def _standing(
    seen: Observation, alternate: Alternate, situation: Situation, upstream: Upstream
) -> Healed | NotHealed:
    """What another provider said, under the label it deserves, in the form that was asked for."""
    if seen.reading is None:
        return NotHealed(seen.verdict)
    stand = stand_in(seen.reading, _comparable(situation.snapshot), now=situation.now)
    if not isinstance(stand, StandIn):
        return NotHealed(stand)
    if stand.fidelity not in situation.accepts:
        evidence = f"the reader does not accept {stand.fidelity}: {stand.evidence}"
        return NotHealed(Verdict(situation.failure.failure_class, evidence))
    came = seen.response.body if _speaks_alike(alternate, situation) else None
    said = in_own_form(stand.reading, situation, came)
    if isinstance(said, NotHealed):
        return said
    return Healed(
        fidelity=stand.fidelity,
        reading=said.reading,
        body=said.body,
        fetched_at=upstream.now(),
        provider=alternate.source.name,
        evidence=f"{alternate.endpoint.id}: {stand.evidence}",
    )


def _comparable(snapshot: Snapshot | None) -> Snapshot | None:
    """The snapshot, if it is the data itself: a part of it or a proxy proves no likeness."""
    if snapshot is None or snapshot.fidelity not in {Fidelity.EXACT, Fidelity.STALE}:
        return None
    return snapshot


def _speaks_alike(alternate: Alternate, situation: Situation) -> bool:
    """Whether an alternate may answer in the form asked for, so that nobody has to write it."""
    return alternate.provider.name == situation.provider.name


def _unspeakable(situation: Situation) -> str | None:
    """Why no foreign numbers can be said in this form; None where they can, or nobody knows yet.

    Known before a call is spent, from data of this very question.
    """
    snapshot = _comparable(situation.snapshot)
    if snapshot is None or any(_speaks_alike(each, situation) for each in situation.alternates):
        return None
    said = in_own_form(snapshot.reading, situation)
    return said.verdict.evidence if isinstance(said, NotHealed) else None
