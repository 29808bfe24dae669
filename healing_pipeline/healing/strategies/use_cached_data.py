"""Answer from the last good data, and say how old it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
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
from healing_pipeline.probing.response import Verdict


@dataclass(frozen=True, slots=True)
class UseCachedData:
    """Answer with the newest snapshot; send nothing upstream.

    Right for what ages slowly against `max_age`. Wrong for an endpoint whose readers act on
    the last seconds: take `stale` out of what it accepts.

    Attributes
    ----------
    max_age : timedelta
        Older snapshots are not served.
    """

    max_age: timedelta = timedelta(minutes=15)
    name: ClassVar[str] = "use_cached_data"

    @property
    def cost(self) -> Cost:
        """No call, no time, older data."""
        return Cost(0, 0.0, Fidelity.STALE)

    def applies(self, situation: Situation) -> Applicability:
        """Whether there is a snapshot that is young enough and of a label the reader takes."""
        snapshot = situation.snapshot
        if situation.failure.failure_class is FailureClass.BAD_REQUEST:
            return Applicability(False, "the request itself is wrong")
        if snapshot is None:
            return Applicability(False, "nothing was stored for this question yet")
        label = _label(snapshot.fidelity)
        if label not in situation.accepts:
            return Applicability(False, f"the reader does not accept {label}")
        age = situation.now - snapshot.fetched_at
        if age > self.max_age:
            return Applicability(False, f"the stored data is {_text(age)} old, over {self.max_age}")
        return Applicability(True, f"good data {_text(age)} old is at hand")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:  # noqa: ARG002 (it asks nothing)
        """Hand out the snapshot."""
        snapshot = situation.snapshot
        applicability = self.applies(situation)
        if snapshot is None or not applicability.ok:
            return NotHealed(Verdict(situation.failure.failure_class, applicability.because))
        return Healed(
            fidelity=_label(snapshot.fidelity),
            reading=snapshot.reading,
            body=snapshot.body,
            fetched_at=snapshot.fetched_at,
            provider=snapshot.provider,
            evidence=applicability.because,
        )


def _label(stored: Fidelity) -> Fidelity:
    # Old exact data is stale. Old coarser data is still coarser, and old proxy data still proxy: a
    # label never improves in the store.
    return Fidelity.STALE if stored is Fidelity.EXACT else stored


def _text(age: timedelta) -> str:
    return f"{age.total_seconds():.0f} s"
