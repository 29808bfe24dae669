"""Answer from data of the last day, where a source is too scarce to have younger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from healing_pipeline.catalog.values import Quota
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
class LongTtlCache:
    """Answer with a snapshot of up to a day, where calls are counted by the day or the month.

    Right for a source like Alpha Vantage: with 25 calls a day nothing is asked often, so the last
    good data is hours old when any failure comes, and a spent quota comes back only at midnight.
    Wrong for quotes that somebody acts on: take `stale` out of what the endpoint accepts.

    Attributes
    ----------
    max_age : timedelta
        Older snapshots are not served.
    """

    max_age: timedelta = timedelta(hours=24)
    name: ClassVar[str] = "long_ttl_cache"

    @property
    def cost(self) -> Cost:
        """No call and no time; what it answers with is older."""
        return Cost(0, 0.0, Fidelity.STALE)

    def applies(self, situation: Situation) -> Applicability:
        """Whether the source is that scarce, and the snapshot of the last day."""
        quota = Quota() if situation.source is None else situation.source.quota
        if quota.per_day is None and quota.per_month is None:
            return Applicability(False, "no quota by the day or month keeps younger data away")
        return may_serve(situation, self.max_age)

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:  # noqa: ARG002 (it asks nothing)
        """Hand out the snapshot."""
        return serve(situation, self.applies(situation))
