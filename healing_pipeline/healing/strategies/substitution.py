"""Asking for another instrument in place of the one that cannot be had; always a proxy."""

from __future__ import annotations

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.asking import (
    WHATEVER_IS_ASKED,
    ask,
    closed_because,
    hindrance,
    labelled,
    open_ways,
)
from healing_pipeline.healing.strategy import (
    Applicability,
    Healed,
    NotHealed,
    Situation,
    Upstream,
)
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.providers.provider import Asked


def may_substitute(situation: Situation, substitute: str | None, kind: str) -> Applicability:
    """Whether `substitute`, as the catalog names it, may be asked for; `kind` is a word for it."""
    failure = situation.failure.failure_class
    if failure in WHATEVER_IS_ASKED:
        return Applicability(False, f"{kind} would meet {failure} too")
    if substitute is None:
        return Applicability(False, f"the catalog names no {kind} for this endpoint")
    hindered = hindrance(situation, Fidelity.PROXY)
    if hindered is not None:
        return Applicability(False, hindered)
    if _substituted(situation, substitute) is None:
        return Applicability(False, f"{substitute} cannot be asked for in this form")
    if not open_ways(situation):
        return Applicability(False, closed_because(situation))
    return Applicability(True, f"{substitute} may be had in spite of {failure}")


async def ask_for_substitute(
    situation: Situation, upstream: Upstream, substitute: str | None, timeout_s: float
) -> Healed | NotHealed:
    """Ask once for `substitute`, and see that the answer says it is about that."""
    asked = None if substitute is None else _substituted(situation, substitute)
    ways = open_ways(situation)
    if substitute is None or asked is None or not ways:
        return NotHealed(situation.failure)
    limit_s = min(timeout_s, situation.remaining_s)
    seen = await ask(situation, upstream, ways[0], limit_s, asked)
    if seen.reading is not None and seen.reading.instrument != substitute.upper():
        evidence = f"asked for {substitute}, the answer speaks of {seen.reading.instrument}"
        return NotHealed(Verdict(FailureClass.INVALID_DATA, evidence))
    evidence = f"{substitute} in place of what was asked"
    return labelled(situation, upstream, seen, Fidelity.PROXY, evidence)


def _substituted(situation: Situation, substitute: str) -> Asked | None:
    asked = situation.provider.substituted(*situation.asked, substitute)
    return None if asked == situation.asked else asked
