"""What asset checks and sensors ask of the facts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("checks")


def newest_settled_event(connection: Connection[Any]) -> tuple[int, datetime] | None:
    """The newest event by which an incident was healed, escalated or resolved, and when it was."""
    newest = _SQL.newest_settled_event(connection)
    return None if newest is None else (newest["id"], newest["at"])


def stored_data(connection: Connection[Any]) -> dict[str, datetime]:
    """When the newest good data of every endpoint was fetched."""
    return {row["endpoint"]: row["fetched_at"] for row in _SQL.stored_data(connection)}


def mislabelled(connection: Connection[Any], since: datetime) -> int:
    """How many answers since a moment were called exact though nothing was asked upstream."""
    count: int = _SQL.mislabelled(connection, since=since)
    return count
