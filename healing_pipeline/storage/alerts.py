"""The outbox of alerts: saved with what caused them, sent afterwards, each matter once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import json_value, storable

_SQL = load_statements("alerts")


@dataclass(frozen=True, slots=True)
class SavedAlert:
    """A message as it was saved; whether it was sent is its deliveries' matter.

    Attributes
    ----------
    incident_id : int or None
        The incident that was its occasion.
    group_id : int or None
        The group it speaks of; None for an advisory and a test.
    detail : Mapping
        What the forms of a message are made of; every key is optional.
    """

    id: int
    at: datetime
    incident_id: int | None
    level: Severity
    title: str
    body: str
    dedupe_key: str
    group_id: int | None
    kind: Kind
    source: str | None
    owners: tuple[str, ...]
    detail: Mapping[str, Any]


def save_alert(
    connection: Connection[Any],
    *,
    at: datetime,
    level: str,
    title: str,
    body: str,
    dedupe_key: str,
    incident_id: int | None = None,
    group_id: int | None = None,
    kind: str = Kind.FIRED,
    source: str | None = None,
    owners: Collection[str] = (),
    detail: Mapping[str, object] | None = None,
) -> int | None:
    """Save a message to be sent; None when this matter has its message already."""
    alert_id: int | None = _SQL.save_alert(
        connection,
        at=at,
        incident_id=incident_id,
        level=str(level),
        title=storable(title),
        body=storable(body),
        dedupe_key=storable(dedupe_key),
        group_id=group_id,
        kind=str(kind),
        source=source,
        owners=[storable(each) for each in owners],
        detail=Jsonb(json_value(detail or {})),
    )
    return alert_id


def alerts_since(
    connection: Connection[Any], since: datetime, limit: int = 100
) -> list[SavedAlert]:
    """Messages saved at or after `since`, the newest first."""
    return [alert_of_row(row) for row in _SQL.alerts_since(connection, since=since, limit=limit)]


def alerts_of_group(connection: Connection[Any], group_id: int) -> list[SavedAlert]:
    """The messages about a group, in order."""
    return alerts_of_groups(connection, [group_id])


def alerts_of_groups(connection: Connection[Any], group_ids: Collection[int]) -> list[SavedAlert]:
    """The messages about any of the groups, in order."""
    if not group_ids:
        return []
    return [
        alert_of_row(row) for row in _SQL.alerts_of_groups(connection, group_ids=list(group_ids))
    ]


def alerts_of_incident(connection: Connection[Any], incident_id: int) -> list[SavedAlert]:
    """The messages about an incident, or about the group that speaks of it, in order."""
    return [
        alert_of_row(row) for row in _SQL.alerts_of_incident(connection, incident_id=incident_id)
    ]


def advised_since(connection: Connection[Any], since: datetime) -> frozenset[str]:
    """What advisories were about, since a moment."""
    return frozenset(row["subject"] for row in _SQL.advised_since(connection, since=since))


def alert_of_row(row: dict[str, Any]) -> SavedAlert:
    """A row of `alert` as a value."""
    return SavedAlert(
        **{
            **row,
            "level": Severity(row["level"]),
            "kind": Kind(row["kind"]),
            "owners": tuple(row["owners"]),
        }
    )
