"""Ask the same at another host of the source."""

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

# What one host may have and its sister not.
OF_ONE_HOST = frozenset(
    {
        FailureClass.TIMEOUT,
        FailureClass.SLOW,
        FailureClass.NETWORK_ERROR,
        FailureClass.SERVER_ERROR,
        FailureClass.INVALID_DATA,
        FailureClass.EMPTY,
        FailureClass.STALE_DATA,
    }
)

OF_A_KEY = frozenset(
    {FailureClass.AUTH_ERROR, FailureClass.QUOTA_EXHAUSTED, FailureClass.RATE_LIMIT}
)


@dataclass(frozen=True, slots=True)
class AlternateHost:
    """Ask another host of the source, with the same key.

    Right where the hosts of a source fail apart: query1 and query2, two domains of one company; and
    where a key is refused that the other host does not ask for. Wrong where what was said holds at
    all of them: a bot block, a plan, an unknown name, a key or its quota and limit.

    Attributes
    ----------
    timeout_s : float
        Of the one call.
    """

    timeout_s: float = 0.7
    name: ClassVar[str] = "alternate_host"

    @property
    def cost(self) -> Cost:
        """One call."""
        return Cost(1, self.timeout_s, Fidelity.EXACT)

    def applies(self, situation: Situation) -> Applicability:
        """Whether it is the host that failed, and another one is open."""
        failure = situation.failure.failure_class
        if failure not in OF_ONE_HOST and failure not in OF_A_KEY:
            return Applicability(False, f"another host does not cure {failure}")
        hindered = hindrance(situation, Fidelity.EXACT)
        if hindered is not None:
            return Applicability(False, hindered)
        others = self._others(situation)
        if not others:
            why = f" that cures {failure}" if failure in OF_A_KEY else ""
            return Applicability(False, f"the source has no other host{why}")
        opened = [way for way in others if way.is_open]
        if not opened:
            return Applicability(False, f"{others[0].host.name} is closed: {others[0].why_closed}")
        return Applicability(
            True, f"{failure} was met at {situation.host.name}; {opened[0].host.name} is open"
        )

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Ask the first other host that is open, once."""
        way = next((way for way in self._others(situation) if way.is_open), None)
        if way is None:
            return NotHealed(situation.failure)
        limit_s = min(self.timeout_s, situation.remaining_s)
        seen = await ask(situation, upstream, way, limit_s)
        return labelled(
            situation, upstream, seen, Fidelity.EXACT, f"{way.host.name} answered instead"
        )

    def _others(self, situation: Situation) -> list[Way]:
        """The ways at other hosts with the same key, or without one where keys are not asked for.

        A limit of the key goes with it; one of a source without keys may be the host's own.
        """
        own = None if situation.key is None else situation.key.name
        others = [way for way in ways_of(situation) if way.host.name != situation.host.name]
        failure = situation.failure.failure_class
        if failure in OF_A_KEY and (own is not None or failure is not FailureClass.RATE_LIMIT):
            return [way for way in others if own is not None and way.key is None]
        return [way for way in others if own is None or key_name(way) in {own, None}]
