"""Incidents as a page tells them: the look and word of a state, its times, its timeline.

What was sent for the requests within an incident is told in `telling`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.storage.incident_rows import IncidentEventRow, IncidentRow
from healing_pipeline.web.dashboard.striking import Striking

# A state as a page names it: a class of the style sheet, and a word.
LOOKS: Mapping[State, tuple[str, str]] = {
    State.OPEN: ("failed", "failing"),
    State.HEALING: ("healing", "healing"),
    State.HEALED: ("healed", "healed"),
    State.ESCALATED: ("failed", "healing failed"),
    State.RESOLVED: ("live", "resolved"),
}
LIVE = ("live", "live")

_STEPS: Mapping[str, str] = {
    Signal.CONFIRMED: "detected",
    Signal.HEAL_STARTED: "healing began",
    Signal.HEAL_SUCCEEDED: "healed",
    Signal.HEAL_FAILED: "healing failed",
    Signal.HEAL_LOST: "heal run lost",
    Signal.ROUTE_FAILED: "route failed",
    Signal.TRIED_AGAIN: "asked again",
    Signal.RECOVERED: "resolved",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline.

    Attributes
    ----------
    look : str
        A class of the style sheet.
    after_s : float
        Since the incident began.
    more : sequence of pairs
        Strategy and reason, where the step holds a plan or what was tried.
    """

    at: datetime
    after_s: float
    look: str
    word: str
    note: str
    more: Sequence[tuple[str, str]] = ()
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident as a page shows it; times in seconds are None until they are known."""

    row: IncidentRow
    look: str
    word: str
    evidence: str
    root_cause: str | None
    place: str | None
    mttd_s: float
    mtth_s: float | None
    mttr_s: float | None
    lasted_s: float


def incident_told(row: IncidentRow, now: datetime, striking: Striking) -> Shown:
    """An incident with its look, its word and its times, without a key."""
    look, word = LOOKS[row.state]
    return Shown(
        row=row,
        look=look,
        word=word,
        evidence=striking.text(row.evidence),
        root_cause=None if row.root_cause is None else striking.text(row.root_cause),
        place=None if row.place is None else striking.text(row.place),
        mttd_s=(row.detected_at - row.began_at).total_seconds(),
        mtth_s=_between(row.detected_at, row.healed_at),
        mttr_s=_between(row.began_at, row.resolved_at),
        lasted_s=((row.resolved_at or now) - row.began_at).total_seconds(),
    )


def steps_of(
    row: IncidentRow, events: Iterable[IncidentEventRow], striking: Striking
) -> list[Step]:
    """The timeline of an incident, its begin included."""
    began = f"first bad observation: {row.failure_class}"
    steps = [Step(row.began_at, 0.0, "none", "began", began)]
    for each in events:
        look = LOOKS[each.to_state][0]
        steps.append(
            Step(
                at=each.at,
                after_s=(each.at - row.began_at).total_seconds(),
                look=look,
                word=_STEPS.get(each.signal, str(each.to_state)),
                note=striking.text(each.note),
                more=_reasons(each.detail, striking),
            )
        )
    return steps


def _reasons(detail: Mapping[str, object], striking: Striking) -> list[tuple[str, str]]:
    """A plan, or what was tried, as an event holds it."""
    reasons: list[tuple[str, str]] = []
    for each in _mappings(detail.get("plan")):
        how = "fits" if each.get("taken") else "left out"
        because = f"{how}: {each.get('because', '')}"
        reasons.append((str(each.get("strategy", "")), striking.text(because)))
    for each in _mappings(detail.get("tried")):
        because = f"{each.get('because', '')}: {each.get('evidence', '')}"
        reasons.append((str(each.get("strategy", "")), striking.text(because)))
    for each in _mappings(detail.get("checks")):
        held = "held" if each.get("passed") else "did not hold"
        because = f"{held}: {each.get('evidence', '')}"
        reasons.append((f"check {each.get('name', '')}", striking.text(because)))
    return [(striking.text(name), because) for name, because in reasons]


def _mappings(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list | tuple):
        return []
    return [each for each in value if isinstance(each, Mapping)]


def _between(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else (end - start).total_seconds()
