"""The outbox of alerts: saved with what caused them, sent afterwards, each matter once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import storable

_SQL = load_statements("alerts")


@dataclass(frozen=True, slots=True)
class SavedAlert:
    """A message as it was saved; whether it was sent is its deliveries' matter."""

    id: int
    at: datetime
    incident_id: int | None
    level: Severity
    title: str
    body: str
    dedupe_key: str


def save_alert(
    connection: Connection[Any],
    *,
    at: datetime,
    level: str,
    title: str,
    body: str,
    dedupe_key: str,
    incident_id: int | None = None,
) -> int | None:
    """Save an alert to be sent; None when this matter has its alert already."""
    alert_id: int | None = _SQL.save_alert(
        connection,
        at=at,
        incident_id=incident_id,
        level=str(level),
        title=storable(title),
        body=storable(body),
        dedupe_key=dedupe_key,
    )
    return alert_id


def alerts_since(
    connection: Connection[Any], since: datetime, limit: int = 100
) -> list[SavedAlert]:
    """Alerts saved at or after `since`, the newest first."""
    return [_alert(row) for row in _SQL.alerts_since(connection, since=since, limit=limit)]


def _alert(row: dict[str, Any]) -> SavedAlert:
    return SavedAlert(**{**row, "level": Severity(row["level"])})
