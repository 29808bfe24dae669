"""Why a choice came out as it did, and whether it comes out so again; pure, from what was written.

A decision holds the costs, the belief and the budget of its moment; with the policy that made it,
the same order has to come of it again, today and next year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healing_pipeline.healing.facts import Decision
from healing_pipeline.healing.weighing import chosen_again
from healing_pipeline.learning.policy import LEAST_S, Policy

CHOSEN = "chosen"

Candidate = Mapping[str, Any]
"""One of `Decision.considered["candidates"]`, see `weighing.written`."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A choice that was made again.

    Attributes
    ----------
    order : tuple of str
        What comes of it now, first to last; empty where it cannot be made again.
    difference : str or None
        What is not as it was; None when the order is the same.
    """

    order: tuple[str, ...]
    difference: str | None


def replayed(decision: Decision, policy: Policy) -> Replay:
    """Make a choice again by the policy that made it."""
    try:
        again = chosen_again(
            decision.source,
            decision.failure_class,
            decision.budget_s,
            decision.considered,
            policy,
        )
    except (KeyError, TypeError, AttributeError) as error:
        return Replay((), f"what was written of it cannot be read: {error!r}")
    order = tuple(each.strategy for each in again)
    then = tuple(each["strategy"] for each in candidates_of(decision))
    if order != then:
        return Replay(order, f"now {', '.join(order)}; then {', '.join(then)}")
    return Replay(order, None)


def candidates_of(decision: Decision) -> Sequence[Candidate]:
    """What was to choose from, in the order of trying."""
    found = decision.considered["candidates"]
    assert isinstance(found, list | tuple)
    return found


def left_out_of(decision: Decision) -> Sequence[Mapping[str, str]]:
    """What did not fit, each with its reason."""
    found = decision.considered["left_out"]
    assert isinstance(found, list | tuple)
    return found


def belief_of(decision: Decision) -> Mapping[str, float]:
    """By strategy, the chance that what it depends on is up, where that was below the usual."""
    found = decision.considered["belief"]
    assert isinstance(found, Mapping)
    return found


def verdict_of(candidate: Candidate, decision: Decision) -> str:
    """``chosen``, or what put it behind the one that was."""
    first = candidates_of(decision)[0]
    if candidate["strategy"] == first["strategy"]:
        return CHOSEN
    up = belief_of(decision).get(candidate["strategy"], 1.0)
    return why_not_first(candidate, first, up)


def why_not_first(candidate: Candidate, first: Candidate, up: float) -> str:
    """What put a candidate behind the first one, for a person.

    Parameters
    ----------
    up : float
        The belief that was put on it, 0 to 1.
    """
    if not candidate["packed"] and first["packed"]:
        return "no room for it in the time left"
    behind = _per_s(candidate) <= first["score"]
    if behind and _per_s(candidate, loss_s=first["loss_s"]) > first["score"]:
        return f"its label loses {candidate['loss_s']:.2g} s"
    if behind and up > 0 and _per_s(candidate) / up > first["score"]:
        return "what it depends on may be down"
    if behind:
        return "heals less per second"
    return "another package's comes first until it was seen at work"


def _per_s(candidate: Candidate, loss_s: float | None = None) -> float:
    loss = candidate["loss_s"] if loss_s is None else loss_s
    chance: float = candidate["p"] / (max(candidate["seconds"], LEAST_S) + loss)
    return chance
