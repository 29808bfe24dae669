"""Answer from the last good data, and say how old it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.stored import may_serve, serve
from healing_pipeline.healing.strategy import (
    Applicability,
    Cost,
    Healed,
    NotHealed,
    Situation,
    Upstream,
)


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
        """No call and no time; what it answers with is older."""
        return Cost(0, 0.0, Fidelity.STALE)

    def applies(self, situation: Situation) -> Applicability:
        """Whether there is a snapshot that is young enough and of a label the reader takes."""
        return may_serve(situation, self.max_age)

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:  # noqa: ARG002 (it asks nothing)
        """Hand out the snapshot."""
        return serve(situation, self.applies(situation))
