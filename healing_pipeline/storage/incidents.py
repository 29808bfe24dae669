"""Incidents as rows: begun once, moved by whoever gets there first, told in events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.incident_rows import (
    HealRequestRow,
    IncidentEventRow,
    IncidentRow,
    NewIncident,
    OpenedIncident,
)
from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import json_value, storable

__all__ = [
    "HealRequestRow",
    "IncidentEventRow",
    "IncidentRow",
    "NewIncident",
    "OpenedIncident",
    "begin_incident",
    "begin_incidents",
    "event_of_row",
    "heal_requests",
    "incident_by_id",
    "incident_events",
    "incident_of_row",
    "move_incident",
    "open_incident_of",
    "open_incidents",
    "recent_incidents",
]

_SQL = load_statements("incidents")


def begin_incident(
    connection: Connection[Any],
    *,
    endpoint: str,
    source: str,
    failure_class: str,
    evidence: str,
    severity: str,
    detected_by: str,
    began_at: datetime,
    at: datetime,
    signal: str,
    to_state: str,
    asks_heal: bool,
    note: str,
) -> OpenedIncident | None:
    """Begin an incident with its first event; None when the endpoint has an open one already.

    Parameters
    ----------
    began_at : datetime
        Of the first bad observation; `at`, when it was detected, if that is earlier.
    """
    new = NewIncident(
        endpoint=endpoint,
        source=source,
        failure_class=failure_class,
        evidence=evidence,
        severity=severity,
        detected_by=detected_by,
        began_at=began_at,
        at=at,
        signal=signal,
        to_state=to_state,
        asks_heal=asks_heal,
        note=note,
    )
    return begin_incidents(connection, [new]).get(endpoint)


def begin_incidents(
    connection: Connection[Any], new: Iterable[NewIncident]
) -> dict[str, OpenedIncident]:
    """Begin incidents, each with its first event; by endpoint, those that had none open.

    Of several for one endpoint the first counts.
    """
    by_endpoint: dict[str, NewIncident] = {}
    for each in new:
        by_endpoint.setdefault(each.endpoint, each)
    wanted = by_endpoint.values()
    rows = _SQL.begin_incidents(
        connection,
        endpoints=list(by_endpoint),
        sources=[each.source for each in wanted],
        failure_classes=[str(each.failure_class) for each in wanted],
        evidences=[storable(each.evidence) for each in wanted],
        severities=[str(each.severity) for each in wanted],
        detected_bys=[str(each.detected_by) for each in wanted],
        began_ats=[each.began_at for each in wanted],
        ats=[each.at for each in wanted],
        signals=[str(each.signal) for each in wanted],
        to_states=[str(each.to_state) for each in wanted],
        asks_heals=[each.asks_heal for each in wanted],
        notes=[storable(each.note) for each in wanted],
    )
    return {row["endpoint"]: OpenedIncident(row["incident_id"], row["event_id"]) for row in rows}


def move_incident(
    connection: Connection[Any],
    *,
    incident_id: int,
    from_state: str,
    to_state: str,
    signal: str,
    at: datetime,
    note: str,
    detail: Mapping[str, object] | None = None,
    asks_heal: bool = False,
    strategy: str | None = None,
    fidelity: str | None = None,
    root_cause: str | None = None,
    place: str | None = None,
    severity: str | None = None,
    heal_since: datetime | None = None,
) -> int | None:
    """Move an incident on and say so in an event, both or neither.

    Parameters
    ----------
    heal_since : datetime, optional
        When the caller's heal took it: one that was given up for lost moves nothing any more, also
        where another heal has put the incident into the same state.

    Returns
    -------
    int or None
        Id of the event; None when the incident is no longer in `from_state`: another worker got
        there first.

    Notes
    -----
    What is given as None stays as it was. A move to the state it comes from is no guard against
    a second worker.
    """
    event_id: int | None = _SQL.move_incident(
        connection,
        incident_id=incident_id,
        from_state=str(from_state),
        to_state=str(to_state),
        signal=str(signal),
        at=at,
        note=storable(note),
        detail=Jsonb(json_value(detail or {})),
        asks_heal=asks_heal,
        strategy=strategy,
        fidelity=_text(fidelity),
        root_cause=_text(root_cause),
        place=_text(place),
        severity=_text(severity),
        heal_since=heal_since,
    )
    return event_id


def open_incidents(connection: Connection[Any], source: str | None = None) -> list[IncidentRow]:
    """Incidents that are not resolved, the oldest first; of all sources by default."""
    return [incident_of_row(row) for row in _SQL.open_incidents(connection, source=source)]


def open_count(connection: Connection[Any], source: str) -> int:
    """How many incidents of a source are not resolved."""
    return int(_SQL.open_count(connection, source=source))


def incident_by_id(connection: Connection[Any], incident_id: int) -> IncidentRow | None:
    """One incident; None when there is none of that number."""
    row = _SQL.incident_by_id(connection, incident_id=incident_id)
    return None if row is None else incident_of_row(row)


def open_incident_of(connection: Connection[Any], endpoint: str) -> IncidentRow | None:
    """The open incident of an endpoint; None when it is well."""
    row = _SQL.open_incident_of(connection, endpoint=endpoint)
    return None if row is None else incident_of_row(row)


def recent_incidents(
    connection: Connection[Any], since: datetime, limit: int = 100
) -> list[IncidentRow]:
    """Incidents that were open at or after `since`, the newest first."""
    return [
        incident_of_row(row) for row in _SQL.recent_incidents(connection, since=since, limit=limit)
    ]


def incident_events(connection: Connection[Any], incident_id: int) -> list[IncidentEventRow]:
    """The steps of an incident, in order."""
    return [event_of_row(row) for row in _SQL.incident_events(connection, incident_id=incident_id)]


def heal_requests(
    connection: Connection[Any], source: str | None = None, since_event_id: int = 0
) -> list[HealRequestRow]:
    """Events that ask for a heal run and that nobody has acted on, in order.

    Notes
    -----
    At least once: events of the last half minute come again whatever the cursor says, because ids
    are given out before commit. A run key that names the event makes that harmless.
    """
    rows = _SQL.heal_requests(connection, source=source, since_event_id=since_event_id)
    return [
        HealRequestRow(
            **{
                **row,
                "failure_class": FailureClass(row["failure_class"]),
                "severity": Severity(row["severity"]),
            }
        )
        for row in rows
    ]


def event_of_row(row: Mapping[str, Any]) -> IncidentEventRow:
    """A row of `incident_event` as a value."""
    return IncidentEventRow(
        **{
            **row,
            "from_state": None if row["from_state"] is None else State(row["from_state"]),
            "to_state": State(row["to_state"]),
        }
    )


def incident_of_row(row: Mapping[str, Any]) -> IncidentRow:
    """A row of `incident` as a value."""
    return IncidentRow(
        **{
            **row,
            "state": State(row["state"]),
            "failure_class": FailureClass(row["failure_class"]),
            "severity": Severity(row["severity"]),
            "fidelity": None if row["fidelity"] is None else Fidelity(row["fidelity"]),
        }
    )


def _text(word: str | None) -> str | None:
    return None if word is None else str(word)
