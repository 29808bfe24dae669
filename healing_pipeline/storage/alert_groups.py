"""Alert groups as rows: one for each root cause that people are told of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from healing_pipeline.alerting.messages import GroupState, Standing, state_of
from healing_pipeline.alerting.muting import Subject
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.silences import (
    begin_maintenance,
    begin_silence,
    end_maintenance,
    end_silence,
    maintenance_until,
    silences_at,
)
from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import json_value, storable

__all__ = [
    "AlertGroup",
    "acknowledge",
    "add_incident",
    "adopt",
    "begin_group",
    "begin_maintenance",
    "begin_silence",
    "end_maintenance",
    "end_silence",
    "fired_since",
    "firing_group_of",
    "firing_groups",
    "group_by_id",
    "group_of_incident",
    "groups_of_ids",
    "groups_since",
    "maintenance_until",
    "recover_group",
    "refire_group",
    "resolve_group",
    "restate",
    "set_owners",
    "silences_at",
    "take_source_turn",
]

_SQL = load_statements("alert_groups")

# More groups than this never fire at once: there is one for each root cause of a source.
MOST = 10_000


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """A root cause that people are told of, as it stands.

    Attributes
    ----------
    fingerprint : str
        By which the same cause is known again.
    source : str or None
        None where it is no source's.
    level : Severity
        The highest it had.
    title, body, owners, detail
        What is to be said of it; `detail` is what forms of a message are made of.
    recovered_at : datetime or None
        Since then nothing of it is wrong.
    resolved_at : datetime or None
        It stayed well for long enough, and was closed.
    endpoints : tuple of str
        Of its incidents; without incidents those that `detail` names.
    ill : tuple of str
        Of `endpoints`, those whose incident is neither healed nor resolved.
    incident_ids : tuple of int
    """

    id: int
    fingerprint: str
    source: str | None
    root_cause: str | None
    level: Severity
    title: str
    body: str
    owners: tuple[str, ...]
    detail: Mapping[str, Any]
    began_at: datetime
    recovered_at: datetime | None
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    endpoints: tuple[str, ...]
    ill: tuple[str, ...]
    incident_ids: tuple[int, ...]

    @property
    def state(self) -> GroupState:
        """Where it stands."""
        return state_of(self.recovered_at, self.resolved_at)

    @property
    def standing(self) -> Standing:
        """What its messages depend on."""
        return Standing(self.state, self.level, self.acknowledged_at is not None)

    @property
    def subject(self) -> Subject:
        """What a mute may be about."""
        return Subject(self.fingerprint, self.source, self.ill or self.endpoints)


def firing_groups(connection: Connection[Any]) -> list[AlertGroup]:
    """Groups that are not closed, the newest first; those that have recovered among them."""
    return _groups(connection, is_firing=True)


def groups_since(
    connection: Connection[Any], since: datetime, limit: int = 100
) -> list[AlertGroup]:
    """Groups that were not closed before `since`, the newest first."""
    return _groups(connection, since=since, most=limit)


def groups_of_ids(connection: Connection[Any], ids: Collection[int]) -> list[AlertGroup]:
    """Some groups, the newest first."""
    return _groups(connection, ids=list(ids)) if ids else []


def group_by_id(connection: Connection[Any], group_id: int) -> AlertGroup | None:
    """One group; None when there is none of that number."""
    found = _groups(connection, ids=[group_id])
    return found[0] if found else None


def group_of_incident(connection: Connection[Any], incident_id: int) -> AlertGroup | None:
    """The group that speaks of an incident; None when nobody had to be told of it."""
    found = _groups(connection, incident_id=incident_id)
    return found[0] if found else None


def firing_group_of(connection: Connection[Any], fingerprint: str) -> AlertGroup | None:
    """The group of a fingerprint that is not closed; None when there is none.

    Notes
    -----
    The group is held: whoever else wants to change it waits until the transaction ends.
    """
    group_id = _SQL.lock_firing(connection, fingerprint=storable(fingerprint))
    return None if group_id is None else group_by_id(connection, group_id)


def take_source_turn(connection: Connection[Any], source: str) -> None:
    """Wait until nobody else decides which group speaks of a source; until the transaction ends."""
    _SQL.source_turn(connection, source=source)


def begin_group(
    connection: Connection[Any],
    *,
    fingerprint: str,
    source: str | None,
    root_cause: str | None,
    level: Severity,
    title: str,
    body: str,
    owners: Collection[str],
    detail: Mapping[str, object],
    at: datetime,
) -> int | None:
    """Begin a group; None when one of this fingerprint is not closed yet, however many begin it."""
    group_id: int | None = _SQL.begin_group(
        connection,
        fingerprint=storable(fingerprint),
        source=source,
        root_cause=root_cause,
        level=str(level),
        **_words(title, body, owners, detail),
        at=at,
    )
    return group_id


def restate(
    connection: Connection[Any],
    group_id: int,
    *,
    level: Severity,
    title: str,
    body: str,
    owners: Collection[str],
    detail: Mapping[str, object],
) -> None:
    """Change what is to be said of a group."""
    _SQL.restate(
        connection,
        group_id=group_id,
        level=str(level),
        **_words(title, body, owners, detail),
    )


def set_owners(connection: Connection[Any], group_id: int, owners: Collection[str]) -> None:
    """Let these, and no others, be told of a group."""
    _SQL.set_owners(connection, group_id=group_id, owners=[storable(each) for each in owners])


def adopt(connection: Connection[Any], group_id: int, fingerprint: str, root_cause: str) -> None:
    """Give a group whose cause nobody knew its cause."""
    _SQL.adopt(connection, group_id=group_id, fingerprint=fingerprint, root_cause=root_cause)


def add_incident(
    connection: Connection[Any], group_id: int, incident_id: int, at: datetime
) -> bool:
    """Let a group speak of an incident; False when it, or another, does already."""
    return int(_SQL.add_incident(connection, group_id=group_id, incident_id=incident_id, at=at)) > 0


def recover_group(
    connection: Connection[Any],
    group_id: int,
    at: datetime,
    detail: Mapping[str, object] | None = None,
) -> bool:
    """Note that nothing of it is wrong any more; False when that is known, or it is closed."""
    added = Jsonb(json_value(detail or {}))
    return int(_SQL.recover_group(connection, group_id=group_id, at=at, detail=added)) > 0


def refire_group(connection: Connection[Any], group_id: int) -> bool:
    """Note that it is wrong again; False when it never was well, or is closed."""
    return int(_SQL.refire_group(connection, group_id=group_id)) > 0


def resolve_group(
    connection: Connection[Any],
    group_id: int,
    at: datetime,
    detail: Mapping[str, object] | None = None,
) -> bool:
    """Close a group that has recovered; False when it fires again, or is closed."""
    added = Jsonb(json_value(detail or {}))
    return int(_SQL.resolve_group(connection, group_id=group_id, at=at, detail=added)) > 0


def fired_since(
    connection: Connection[Any], fingerprints: Collection[str], since: datetime
) -> dict[str, int]:
    """How often each of the fingerprints fired since a moment."""
    rows = _SQL.fired_since(connection, fingerprints=list(fingerprints), since=since)
    return {row["fingerprint"]: row["times"] for row in rows}


def acknowledge(connection: Connection[Any], *, group_id: int, by: str, at: datetime) -> bool:
    """Note that somebody sees to it; False when somebody does, or it is over."""
    return int(_SQL.acknowledge(connection, group_id=group_id, by=storable(by), at=at)) > 0


def _words(
    title: str, body: str, owners: Collection[str], detail: Mapping[str, object]
) -> dict[str, object]:
    return {
        "title": storable(title),
        "body": storable(body),
        "owners": [storable(each) for each in owners],
        "detail": Jsonb(json_value(detail)),
    }


def _groups(
    connection: Connection[Any],
    *,
    ids: list[int] | None = None,
    is_firing: bool = False,
    since: datetime | None = None,
    incident_id: int | None = None,
    most: int = MOST,
) -> list[AlertGroup]:
    rows = _SQL.groups(
        connection, ids=ids, is_firing=is_firing, since=since, incident_id=incident_id, most=most
    )
    return [_group(row) for row in rows]


def _group(row: Mapping[str, Any]) -> AlertGroup:
    return AlertGroup(
        **{
            **row,
            "level": Severity(row["level"]),
            "owners": tuple(row["owners"]),
            "endpoints": tuple(row["endpoints"]),
            "ill": tuple(row["ill"]),
            "incident_ids": tuple(row["incident_ids"]),
        }
    )
