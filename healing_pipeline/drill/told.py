"""What a drill's alerts are judged by: its facts and the database, as the values of `alerting`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from healing_pipeline.drill.alert_trace import Group, Ill, Message, Reader, Trace
from healing_pipeline.drill.gatus import Look
from healing_pipeline.drill.score import Outcome
from healing_pipeline.healing.answer import PLAIN
from healing_pipeline.healing.facts import Attempt, ProbeResult
from healing_pipeline.incidents.diagnosis import RootCause
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.probing.failure_class import CALLERS_FAULT, FailureClass
from healing_pipeline.storage import incidents
from healing_pipeline.storage.alert_groups import groups_since
from healing_pipeline.storage.alerts import alerts_since
from healing_pipeline.storage.incident_rows import IncidentEventRow, IncidentRow

if TYPE_CHECKING:
    from healing_pipeline.drill.playing import Drill

MOST = 100_000


def trace_of(drill: Drill, connection: Connection[Any], outcomes: Sequence[Outcome]) -> Trace:
    """Read what people were told since the drill began, and what they should know of."""
    began_at = drill.started_at

    def at_s(moment: datetime) -> float:
        return (moment - began_at) / timedelta(seconds=1)

    source_of = {each.id: each.source for each in drill.catalog.endpoints.values()}
    looks = [
        Look(each.endpoint, at_s(each.at) + each.seconds, each.failure_class == FailureClass.OK)
        for each in (*drill.telling.facts, *drill.told_elsewhere)
        if isinstance(each, ProbeResult) and each.confirms is None and at_s(each.at) >= 0
    ]
    plain = [
        Look(each.endpoint, at_s(each.at) + each.seconds, each.failure_class == FailureClass.OK)
        for each in drill.telling.facts
        if isinstance(each, Attempt) and each.strategy == PLAIN and each.upstream_calls
    ]
    return Trace(
        duration_s=drill.duration_s,
        messages=[
            Message(each.group_id, str(each.kind), each.level, at_s(each.at), each.source)
            for each in reversed(alerts_since(connection, began_at, MOST))
        ],
        groups=[
            Group(
                each.id,
                each.source,
                frozenset(each.incident_ids),
                at_s(each.began_at),
                drill.duration_s if each.recovered_at is None else at_s(each.recovered_at),
            )
            for each in groups_since(connection, began_at, MOST)
            if each.began_at >= began_at
        ],
        ills=_ills(drill, connection, at_s),
        readers=[
            Reader(
                each.endpoint,
                source_of[each.endpoint],
                each.at_s + each.seconds,
                each.fidelity is not None,
                each.existed,
                each.fidelity is None and each.failure_class in CALLERS_FAULT,
            )
            for each in outcomes
        ],
        looks=looks,
        observed=[*looks, *plain],
        faults=[
            (each.match.source or "all", each.at_s, min(each.at_s + each.for_s, drill.duration_s))
            for each in drill.scenario.faults
            if each.at_s < drill.duration_s
        ],
        failure_threshold=drill.catalog.alerts.failure_threshold,
    )


def _ills(
    drill: Drill, connection: Connection[Any], at_s: Callable[[datetime], float]
) -> list[Ill]:
    since = drill.started_at - timedelta(days=1)
    return [
        ill_of(each, incidents.incident_events(connection, each.id), at_s, drill.duration_s)
        for each in incidents.recent_incidents(connection, since, MOST)
        if each.detected_at >= drill.started_at
    ]


def ill_of(
    incident: IncidentRow,
    events: Iterable[IncidentEventRow],
    at_s: Callable[[datetime], float],
    duration_s: float,
) -> Ill:
    """An incident, with the times in which healing it had been given up."""
    until_s = duration_s if incident.resolved_at is None else at_s(incident.resolved_at)
    given_up: list[tuple[float, float]] = []
    begin: float | None = None
    for each in events:
        if each.to_state is State.ESCALATED and begin is None:
            begin = at_s(each.at)
        elif begin is not None and each.to_state in {State.HEALED, State.RESOLVED}:
            given_up.append((begin, at_s(each.at)))
            begin = None
    if begin is not None:
        given_up.append((begin, duration_s))
    return Ill(
        id=incident.id,
        endpoint=incident.endpoint,
        source=incident.source,
        since_s=at_s(incident.detected_at),
        until_s=until_s,
        given_up=tuple(given_up),
        is_ours=incident.root_cause == RootCause.OUR_NETWORK,
    )
