"""Incidents that nothing healed and that nobody was told of yet, with what people are to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.incidents.diagnosis import ROOT_CAUSES, RootCause
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("escalations")


@dataclass(frozen=True, slots=True)
class Escalation:
    """An incident that nothing healed.

    Attributes
    ----------
    note, detail
        Of its last heal: what came of it, the plan, what was tried.
    bad_in_a_row : int
        Failed probes and plain attempts since the last good one.
    failed_heals : int
        Heals of it that failed.
    readers, readers_without_answer : int
        Requests since the incident began.
    place : str or None
        Where the root cause sits.
    scope : tuple of str
        Endpoints that share it, those included that nobody has asked yet.
    joint_group_id : int or None
        The open alert group that speaks of another incident with the same cause.
    """

    incident_id: int
    endpoint: str
    source: str
    failure_class: FailureClass
    evidence: str
    root_cause: RootCause
    began_at: datetime
    detected_at: datetime
    note: str
    detail: Mapping[str, Any]
    bad_in_a_row: int
    failed_heals: int
    readers: int
    readers_without_answer: int
    place: str | None
    scope: tuple[str, ...]
    joint_group_id: int | None


def untold_escalations(
    connection: Connection[Any], incident_id: int | None = None
) -> list[Escalation]:
    """Incidents that nothing healed and no open group speaks of; of one incident, or all."""
    return [
        Escalation(
            incident_id=row["id"],
            endpoint=row["endpoint"],
            source=row["source"],
            failure_class=FailureClass(row["failure_class"]),
            evidence=row["evidence"],
            root_cause=_root_cause(row),
            began_at=row["began_at"],
            detected_at=row["detected_at"],
            note=row["note"],
            detail=row["detail"],
            bad_in_a_row=row["bad_in_a_row"],
            failed_heals=row["failed_heals"],
            readers=row["readers"],
            readers_without_answer=row["readers_without_answer"],
            place=row["place"],
            scope=tuple(row["scope"]),
            joint_group_id=row["joint_group_id"],
        )
        for row in _SQL.untold_escalations(connection, incident_id=incident_id)
    ]


def _root_cause(row: Mapping[str, Any]) -> RootCause:
    """As the heal run found it; by the failure where it said nothing, or said it otherwise once."""
    try:
        return RootCause(row["root_cause"])
    except ValueError:
        return ROOT_CAUSES[FailureClass(row["failure_class"])]
