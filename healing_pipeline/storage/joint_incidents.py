"""Incidents as people count them: one root cause over one endpoint or many. Nothing writes here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.storage.incident_rows import IncidentRow, JointIncident
from healing_pipeline.storage.incidents import incident_of_row
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("joint_incidents")

# What one look at the members of a joint incident brings at most.
MOST_MEMBERS = 1000


def joint_incidents(
    connection: Connection[Any], *, before_id: int | None = None, limit: int
) -> list[JointIncident]:
    """Joint incidents, the newest first."""
    rows = _SQL.joint_incidents(connection, before_id=before_id, limit=limit)
    return [_joint_of_row(row) for row in rows]


def open_joint_incidents(connection: Connection[Any]) -> list[JointIncident]:
    """Joint incidents that are not over, the oldest first."""
    return [_joint_of_row(row) for row in _SQL.open_joint_incidents(connection)]


def joint_incidents_since(
    connection: Connection[Any], since: datetime, limit: int = 100
) -> list[JointIncident]:
    """Joint incidents that were open at or after `since`, the newest first."""
    rows = _SQL.joint_incidents_since(connection, since=since, limit=limit)
    return [_joint_of_row(row) for row in rows]


def joint_incident_of(connection: Connection[Any], incident_id: int) -> JointIncident | None:
    """The joint incident that an incident belongs to; None when there is none of that number."""
    row = _SQL.joint_incident_of(connection, incident_id=incident_id)
    return None if row is None else _joint_of_row(row)


def members_of(
    connection: Connection[Any], joint_id: int, limit: int = MOST_MEMBERS
) -> list[IncidentRow]:
    """The incidents that a joint one is made of, its parent first."""
    rows = _SQL.members_of(connection, joint_id=joint_id, limit=limit)
    return [incident_of_row(row) for row in rows]


def _joint_of_row(row: Mapping[str, Any]) -> JointIncident:
    own = {name: value for name, value in row.items() if name not in _COUNTS}
    return JointIncident(
        row=incident_of_row(own),
        members=row["members"],
        open_members=row["open_members"],
        sources=tuple(row["sources"]),
    )


_COUNTS = frozenset({"members", "open_members", "sources"})
