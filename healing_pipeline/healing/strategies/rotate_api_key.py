"""Ask the same with another key of the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.asking import (
    ask,
    hindrance,
    key_name,
    labelled,
    ways_of,
)
from healing_pipeline.healing.strategy import (
    Applicability,
    Cost,
    Healed,
    NotHealed,
    Situation,
    Upstream,
    Way,
)
from healing_pipeline.probing.failure_class import FailureClass

OF_THE_KEY = frozenset(
    {
        FailureClass.AUTH_ERROR,
        FailureClass.RATE_LIMIT,
        FailureClass.QUOTA_EXHAUSTED,
        # Keys of one pool may belong to different plans.
        FailureClass.PLAN_LIMIT,
    }
)


@dataclass(frozen=True, slots=True)
class RotateApiKey:
    """Ask the same host with the next key that still has something left.

    Right where what was refused is the key: revoked, spent, too fast, of too small a plan. Wrong as
    a way around a provider's terms: a pool may hold only keys that this installation is entitled
    to use together.

    Attributes
    ----------
    timeout_s : float
        Of the one call.
    """

    timeout_s: float = 0.7
    name: ClassVar[str] = "rotate_api_key"

    @property
    def cost(self) -> Cost:
        """One call."""
        return Cost(1, self.timeout_s, Fidelity.EXACT)

    def applies(self, situation: Situation) -> Applicability:
        """Whether it is the key that was refused, and another one is open."""
        failure = situation.failure.failure_class
        if failure not in OF_THE_KEY:
            return Applicability(False, f"another key does not cure {failure}")
        if situation.key is None:
            return Applicability(False, "the source takes no key")
        hindered = hindrance(situation, Fidelity.EXACT)
        if hindered is not None:
            return Applicability(False, hindered)
        others = self._others(situation)
        if not others:
            return Applicability(False, f"{situation.key.name} is the only key")
        opened = [way for way in others if way.is_open]
        if not opened:
            reasons = "; ".join(f"{key_name(way)}: {way.why_closed}" for way in others)
            return Applicability(False, f"every other key is closed: {reasons}")
        return Applicability(
            True, f"{failure} is the key {situation.key.name}'s; {key_name(opened[0])} is open"
        )

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask once with the first other key that is open."""
        way = next((way for way in self._others(situation) if way.is_open), None)
        if way is None:
            return NotHealed(situation.failure)
        limit_s = min(self.timeout_s, situation.remaining_s)
        seen = await ask(situation, upstream, way, limit_s)
        return labelled(
            situation, upstream, seen, Fidelity.EXACT, f"the key {key_name(way)} was accepted"
        )

    def _others(self, situation: Situation) -> list[Way]:
        own = None if situation.key is None else situation.key.name
        return [
            way
            for way in ways_of(situation)
            if way.host.name == situation.host.name and key_name(way) not in {own, None}
        ]
