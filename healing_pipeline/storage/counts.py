"""What a drill holds against what it caused."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("counts")


def fact_ids(connection: Connection[Any]) -> list[str]:
    """Ids of every attempt, answer (its request's), probe result and decision (``request/no``)."""
    return [row["id"] for row in _SQL.fact_ids(connection)]


def incident_counts(connection: Connection[Any]) -> tuple[int, int]:
    """Incidents and alerts there were."""
    row = _SQL.incident_counts(connection)
    return row["incidents"], row["alerts"]
