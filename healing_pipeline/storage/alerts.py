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
    """An alert as it stands; `sent_at` is None until a channel took it."""

    id: int
    at: datetime
    incident_id: int | None
    level: Severity
    title: str
    body: str
    dedupe_key: str
    sent_at: datetime | None


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


def claim_unsent(connection: Connection[Any], limit: int = 20) -> list[SavedAlert]:
    """The oldest unsent alerts, the caller's alone until its transaction ends."""
    return [_alert(row) for row in _SQL.claim_unsent(connection, limit=limit)]


def mark_sent(connection: Connection[Any], alert_id: int, at: datetime) -> bool:
    """Note that an alert went out; False when it had already."""
    return int(_SQL.mark_sent(connection, alert_id=alert_id, at=at)) > 0


def _alert(row: dict[str, Any]) -> SavedAlert:
    return SavedAlert(**{**row, "level": Severity(row["level"])})
