"""Alert groups begin, get worse and recover, each with its message, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting.fingerprints import errors_fingerprint, is_of_source
from healing_pipeline.alerting.messages import (
    Change,
    Decision,
    Kind,
    Said,
    after,
    due_at_once,
    rank,
)
from healing_pipeline.alerting.muting import Mutes, muted_because
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage import alert_groups, alerts
from healing_pipeline.storage.alert_groups import AlertGroup
from healing_pipeline.storage.own_outages import is_cut_off


def fire(
    connection: Connection[Any],
    *,
    fingerprint: str,
    level: Severity,
    title: str,
    body: str,
    at: datetime,
    source: str | None = None,
    root_cause: str | None = None,
    incident_id: int | None = None,
    owners: Collection[str] = (),
    detail: Mapping[str, object] | None = None,
) -> int:
    """Say that something is wrong: begin its alert group, join it or raise it.

    Parameters
    ----------
    fingerprint : str
        By which the same cause is known again; see `alerting.fingerprints`.
    level : Severity
    title, body : str
        What people read; what the group says already stays, unless this is worse.
    at : datetime
        Aware UTC.
    source, root_cause : str, optional
    incident_id : int, optional
        An incident that the group speaks of from now on.
    owners : collection of str, optional
        Who is told besides those who are told of everything.
    detail : Mapping, optional
        What forms of the message are made of.

    Returns
    -------
    int
        The group's id.

    Notes
    -----
    Safe to call by many at once and as often as one likes: the group has one message when it fires
    and one for each rise in level. Muted, it is saved without a message, which is due when that
    ends. All or nothing, also inside the caller's transaction.
    """
    words: dict[str, Any] = {
        "title": title,
        "body": body,
        "owners": owners,
        "detail": {"source": source, "root_cause": root_cause, **(detail or {})},
    }
    with connection.transaction():
        group = _held(
            connection,
            fingerprint=fingerprint,
            level=level,
            at=at,
            source=source,
            root_cause=root_cause,
            words=words,
        )
        if incident_id is not None:
            alert_groups.add_incident(connection, group.id, incident_id, at)
        if after(group.state, Change.FIRES) is not group.state:
            alert_groups.refire_group(connection, group.id)
        all_owners = sorted({*group.owners, *owners})
        if rank(level) > rank(group.level):
            words = {**words, "owners": all_owners}
            alert_groups.restate(connection, group.id, level=level, **words)
        elif all_owners != sorted(group.owners):
            # They hear of what comes: a rise, a reminder.
            alert_groups.set_owners(connection, group.id, all_owners)
        tell_at_once(connection, group.id, at, incident_id=incident_id)
        return group.id


def recover(connection: Connection[Any], *, fingerprint: str, at: datetime, note: str) -> bool:
    """Say that nothing of it is wrong any more; False when nothing was.

    People are told when it has stayed so for long enough; see `control.alerting.Alerting`.
    """
    with connection.transaction():
        group = alert_groups.firing_group_of(connection, fingerprint)
        if group is None or after(group.state, Change.RECOVERS) is group.state:
            return False
        return alert_groups.recover_group(connection, group.id, at, {"healed_by": note})


def tell_at_once(
    connection: Connection[Any], group_id: int, at: datetime, *, incident_id: int | None = None
) -> Decision:
    """Save the message that never waits, if one is due; the caller holds the group."""
    group = alert_groups.group_by_id(connection, group_id)
    assert group is not None, "the caller holds it"
    decision = due_at_once(
        group.standing,
        said(alerts.alerts_of_group(connection, group_id)),
        muted_because(group.subject, mutes_at(connection, at), at),
    )
    if decision.kind is not None:
        save_message(connection, group, decision, at, incident_id=incident_id)
    return decision


def save_message(
    connection: Connection[Any],
    group: AlertGroup,
    decision: Decision,
    at: datetime,
    *,
    number: int = 0,
    incident_id: int | None = None,
    title: str | None = None,
    body: str | None = None,
) -> int | None:
    """Save a message about a group; None when it was saved before.

    Parameters
    ----------
    number : int
        Of a reminder: how many there were.
    title, body : str, optional
        Instead of what the group says.
    """
    assert decision.kind is not None, "nothing is due"
    matter = {
        Kind.RAISED: f"{decision.kind}:{group.level}",
        Kind.REMINDER: f"{decision.kind}:{number}",
    }.get(decision.kind, str(decision.kind))
    known = {key: value for key, value in group.detail.items() if value is not None}
    return alerts.save_alert(
        connection,
        at=at,
        incident_id=incident_id or min(group.incident_ids, default=None),
        level=group.level,
        title=group.title if title is None else title,
        body=group.body if body is None else body,
        dedupe_key=f"group:{group.id}:{matter}",
        group_id=group.id,
        kind=decision.kind,
        source=group.source,
        owners=group.owners,
        detail={
            "path": f"/health-dashboard/alerts/{group.id}",
            **known,
            "endpoints": list(group.endpoints),
            "because": decision.because,
        },
    )


def mutes_at(connection: Connection[Any], at: datetime) -> Mutes:
    """What keeps people from being told at a moment."""
    return Mutes(
        silences=alert_groups.silences_at(connection, at),
        maintenance=alert_groups.maintenance_until(connection, at),
        is_cut_off=is_cut_off(connection),
    )


def said(saved: Collection[alerts.SavedAlert]) -> list[Said]:
    """Messages, as far as the next one depends on them."""
    return [Said(each.kind, each.level, each.at) for each in saved]


def _held(
    connection: Connection[Any],
    *,
    fingerprint: str,
    level: Severity,
    at: datetime,
    source: str | None,
    root_cause: str | None,
    words: Mapping[str, Any],
) -> AlertGroup:
    """The group of a fingerprint, begun if it has to be, and held until the transaction ends."""
    if source is not None and is_of_source(fingerprint):
        alert_groups.take_source_turn(connection, source)
        if root_cause is not None:
            _adopt_errors(connection, source, fingerprint, root_cause, words)
    while True:
        group = alert_groups.firing_group_of(connection, fingerprint)
        if group is not None:
            return group
        # Another may begin it first, or close it before it is held: then the next turn finds out.
        alert_groups.begin_group(
            connection,
            fingerprint=fingerprint,
            source=source,
            root_cause=root_cause,
            level=level,
            **words,
            at=at,
        )


def _adopt_errors(
    connection: Connection[Any],
    source: str,
    fingerprint: str,
    root_cause: str,
    words: Mapping[str, Any],
) -> None:
    """Give the source's group of errors without a cause this one, unless the cause has a group."""
    if alert_groups.firing_group_of(connection, fingerprint) is not None:
        return
    group = alert_groups.firing_group_of(connection, errors_fingerprint(source))
    if group is None:
        return
    alert_groups.adopt(connection, group.id, fingerprint, root_cause)
    alert_groups.restate(connection, group.id, level=group.level, **words)
