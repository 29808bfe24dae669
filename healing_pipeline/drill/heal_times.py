"""How long each incident waited for its heal run, and for which part of it. Pure.

Incidents know when they were detected and settled; Dagster knows when the run was made, let go and
begun. The two go by clocks that are a fixed number of seconds apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from healing_pipeline.drill.score import counted_spread
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.storage.incident_rows import IncidentEventRow, IncidentRow


@dataclass(frozen=True, slots=True)
class HealRun:
    """A heal run as Dagster has it; seconds of the epoch, see `orchestration.run_times`."""

    run_key: str
    status: str
    created_s: float
    dequeued_s: float | None
    steps: Mapping[str, tuple[float, float | None]]
    ended_s: float | None

    @property
    def first_op_s(self) -> float | None:
        """When its first op began."""
        return min((begin for begin, _ in self.steps.values()), default=None)


@dataclass(frozen=True, slots=True)
class Heal:
    """The first heal of one incident; seconds from its detection, None for what never came.

    Attributes
    ----------
    end : str
        ``healed``; ``recovered``: the primary answered the run; ``escalated``; ``over``: it had
        recovered before a run took it; ``waiting``: still, at the end of the drill.
    requested_s, dequeued_s, begun_s : float or None
        The run was made, let go by the queue, had its first op begun.
    verified_s : float or None
        The run had healed the endpoint and verified it.
    steps : Mapping[str, float]
        Seconds that each op took.
    """

    endpoint: str
    failure_class: str
    end: str
    requested_s: float | None
    dequeued_s: float | None
    begun_s: float | None
    verified_s: float | None
    steps: Mapping[str, float]


def heals_of(
    incidents: Sequence[IncidentRow],
    events: Mapping[int, Sequence[IncidentEventRow]],
    runs: Sequence[HealRun],
    clock_offset_s: float,
) -> tuple[Heal, ...]:
    """The first heal of every incident that asked for one.

    Parameters
    ----------
    events : Mapping[int, sequence of IncidentEventRow]
        By incident, in order.
    clock_offset_s : float
        By which the incidents' clock is ahead of Dagster's.
    """
    by_key: dict[str, HealRun] = {}
    for each in runs:
        # Two sensors may ask by the same event; the run that begins first takes it.
        known = by_key.get(each.run_key)
        if known is None or (each.first_op_s or each.created_s) < (
            known.first_op_s or known.created_s
        ):
            by_key[each.run_key] = each
    found = []
    for incident in incidents:
        first = events[incident.id][0]
        if first.asks_heal:
            run = by_key.get(f"incident_event:{first.id}")
            found.append(_heal(incident, events[incident.id], run, clock_offset_s))
    return tuple(found)


def _heal(
    incident: IncidentRow,
    events: Sequence[IncidentEventRow],
    run: HealRun | None,
    clock_offset_s: float,
) -> Heal:
    detected_s = incident.detected_at.timestamp() - clock_offset_s

    def after(moment_s: float | None) -> float | None:
        return None if moment_s is None else moment_s - detected_s

    end, verified_at = _end_of(events)
    return Heal(
        endpoint=incident.endpoint,
        failure_class=str(incident.failure_class),
        end=end,
        requested_s=None if run is None else after(run.created_s),
        dequeued_s=None if run is None else after(run.dequeued_s),
        begun_s=None if run is None else after(run.first_op_s),
        verified_s=(
            None if verified_at is None else (verified_at - incident.detected_at).total_seconds()
        ),
        steps=(
            {}
            if run is None
            else {name: end_s - at_s for name, (at_s, end_s) in run.steps.items() if end_s}
        ),
    )


def _end_of(events: Sequence[IncidentEventRow]) -> tuple[str, datetime | None]:
    for each in events:
        if each.from_state is State.HEALING:
            if each.signal == Signal.HEAL_SUCCEEDED:
                return "healed", each.at
            if each.signal == Signal.RECOVERED:
                return "recovered", each.at
            if each.signal == Signal.HEAL_FAILED:
                return "escalated", None
        if each.from_state is State.OPEN and each.to_state is State.RESOLVED:
            return "over", None
    return "waiting", None


def heal_report(heals: Sequence[Heal]) -> dict[str, Any]:
    """The spreads of all heals.

    Returns
    -------
    dict
        ``time_to_launch_s`` and ``healed_and_verified_s`` count from the detection; ``pieces`` is
        what they are made of, one after the other.
    """
    ended = Counter(each.end for each in heals)
    steps = dict.fromkeys(name for each in heals for name in each.steps)
    return {
        "time_to_launch_s": counted_spread(each.begun_s for each in heals),
        "healed_and_verified_s": counted_spread(each.verified_s for each in heals),
        "heals": {
            end: ended[end] for end in ("healed", "recovered", "escalated", "over", "waiting")
        },
        "pieces": {
            "request_s": counted_spread(each.requested_s for each in heals),
            "queue_s": counted_spread(
                _between(each.requested_s, each.dequeued_s) for each in heals
            ),
            "launch_s": counted_spread(
                _between(
                    each.requested_s if each.dequeued_s is None else each.dequeued_s, each.begun_s
                )
                for each in heals
            ),
            **{
                f"{name}_s": counted_spread(each.steps.get(name) for each in heals)
                for name in steps
            },
        },
        "slowest": [
            f"{each.endpoint} ({each.failure_class}): {each.verified_s:.2f} s"
            for each in sorted(heals, key=lambda each: -(each.verified_s or 0.0))[:5]
            if each.verified_s is not None
        ],
    }


def _between(one_s: float | None, other_s: float | None) -> float | None:
    return None if one_s is None or other_s is None else other_s - one_s
