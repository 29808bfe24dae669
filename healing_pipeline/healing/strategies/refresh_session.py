"""Fetch a new session, and ask again with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.asking import (
    WORTH_ASKING_S,
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
from healing_pipeline.probing.response import Verdict

OF_THE_SESSION = re.compile(r"crumb|cookie|session|unauthori[sz]ed|unable to access", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RefreshSession:
    """Ask the provider for a session, keep it, and put the question again with it.

    Right where a provider refuses a session that is missing or outlived: Yahoo's "Invalid Crumb".
    Wrong for API keys, which nobody hands out by request.

    Attributes
    ----------
    timeout_s : float
        Of each of the two calls.
    """

    timeout_s: float = 0.7
    name: ClassVar[str] = "refresh_session"

    @property
    def cost(self) -> Cost:
        """One call for the session, one with it."""
        return Cost(2, 2 * self.timeout_s, Fidelity.EXACT)

    def applies(self, situation: Situation) -> Applicability:
        """Whether the provider has sessions, and one of them is what was refused."""
        failure = situation.failure
        if failure.failure_class is not FailureClass.AUTH_ERROR:
            return Applicability(False, f"a new session does not cure {failure.failure_class}")
        if situation.provider.session is None:
            return Applicability(False, f"{situation.provider.name} has no sessions")
        if OF_THE_SESSION.search(failure.evidence) is None:
            return Applicability(False, "what was refused is not said to be the session")
        hindered = hindrance(situation, Fidelity.EXACT)
        if hindered is not None:
            return Applicability(False, hindered)
        if not open_ways(situation):
            return Applicability(False, closed_because(situation))
        return Applicability(True, "the session was refused; a new one can be had")

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Fetch a session, then ask with it, both at one host."""
        rules, ways = situation.provider.session, open_ways(situation)
        if rules is None or not ways:
            return NotHealed(situation.failure)
        way, left_s = ways[0], situation.remaining_s
        request = rules.ask(situation.endpoint.source, way.host)
        handed = await upstream.ask(request, min(self.timeout_s, left_s))
        left_s -= handed.response.elapsed_s
        token = rules.token(handed.response) if handed.sent else None
        if token is None:
            evidence = f"no session was handed out: {handed.verdict.evidence}"
            return NotHealed(Verdict(FailureClass.AUTH_ERROR, evidence))
        upstream.learn_session(way.host, token)
        if left_s < WORTH_ASKING_S:
            return NotHealed(
                Verdict(FailureClass.TIMEOUT, "a session was had, but no time is left")
            )
        again = rules.applied(situation.request(host=way.host, key=way.key), token)
        seen = await upstream.ask(again, min(self.timeout_s, left_s))
        return labelled(situation, upstream, seen, Fidelity.EXACT, "good with a new session")
