"""What a drill's incidents were said to be, held against the faults that caused them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from healing_pipeline.drill.labels import Label

# What began shortly after a fault had ended was met while it lasted.
AFTER_S = 3.0


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict, in seconds of the drill."""

    at_s: float
    root_cause: str
    scope: frozenset[str]


@dataclass(frozen=True, slots=True)
class Counted:
    """A joint incident of a drill.

    Attributes
    ----------
    members : int
        Incidents of endpoints that it is made of; one that failed twice has two.
    endpoints : frozenset of str
        Theirs.
    verdicts : tuple of Said
        In the order in which they were reached.
    """

    id: int
    members: int
    endpoints: frozenset[str]
    began_s: float
    verdicts: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A fault of the script and the truth about it."""

    at_s: float
    until_s: float
    label: Label


def diagnosis_report(incidents: Sequence[Counted], faults: Sequence[Wrong]) -> dict[str, Any]:
    """How many incidents were diagnosed as what they were.

    Returns
    -------
    dict
        ``of``: joint incidents that a fault caused, ``root_cause_right`` and ``scope_exact`` of
        them, and a few misses in words. An incident without a fault is in none of the numbers.

    Notes
    -----
    A verdict counts as it stood when the fault ended. Where several faults hit an incident's
    endpoints, each of them is true of it, and so are those of one root cause together.
    """
    judged, right, exact, misses = 0, 0, 0, []
    for each in incidents:
        causes = [one for one in faults if _may_have_caused(one, each)]
        if not causes:
            continue
        judged += 1
        truths = _truths(one.label for one in causes)
        verdict = _standing(each.verdicts, max(one.until_s for one in causes))
        scopes = (
            [] if verdict is None else [s for cause, s in truths if cause == verdict.root_cause]
        )
        right += bool(scopes)
        is_exact = verdict is not None and verdict.scope in scopes
        exact += is_exact
        if not is_exact:
            misses.append(_miss(each, verdict, truths))
    return {
        "of": judged,
        "root_cause_right": right,
        "scope_exact": exact,
        "misses": misses[:5],
    }


def _may_have_caused(fault: Wrong, incident: Counted) -> bool:
    in_time = fault.at_s <= incident.began_s + AFTER_S
    in_time = in_time and incident.began_s <= fault.until_s + AFTER_S
    return in_time and bool(fault.label.scope & incident.endpoints)


def _truths(labels: Iterable[Label]) -> list[tuple[str, frozenset[str]]]:
    found: list[tuple[str, frozenset[str]]] = []
    together: dict[str, frozenset[str]] = {}
    for each in labels:
        cause = str(each.root_cause)
        found.append((cause, each.scope))
        together[cause] = together.get(cause, frozenset()) | each.scope
    return [*found, *together.items()]


def _standing(verdicts: Sequence[Said], until_s: float) -> Said | None:
    """The verdict at a moment; the first one where none had been reached by then."""
    before = [each for each in verdicts if each.at_s <= until_s]
    return before[-1] if before else next(iter(verdicts), None)


def _miss(
    incident: Counted, verdict: Said | None, truths: Sequence[tuple[str, frozenset[str]]]
) -> str:
    true = "; ".join(f"{cause} of {len(scope)}" for cause, scope in dict.fromkeys(truths))
    said = "nothing" if verdict is None else f"{verdict.root_cause} of {len(verdict.scope)}"
    return f"incident {incident.id} ({min(incident.endpoints)}): said {said}, was {true}"
