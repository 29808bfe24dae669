"""Groups recover, stay well, and are closed with one message that says how it went."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting.fingerprints import is_of_source
from healing_pipeline.alerting.messages import Change, GroupState, after, message_due
from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.alerting.thresholds import FLAPS_WITHIN, hold_of, may_close
from healing_pipeline.alerting.wording import closing_body, closing_title
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.alert_firing import said, save_message
from healing_pipeline.storage import alert_groups, alerts, error_counts
from healing_pipeline.storage.alert_groups import AlertGroup
from healing_pipeline.storage.alert_watch import MemberHealth, hold_group


def note_health(
    connection: Connection[Any],
    groups: Sequence[AlertGroup],
    health: Mapping[int, MemberHealth],
    held: Collection[int],
    held_before: Collection[int],
    now: datetime,
) -> None:
    """Note which sources' groups are well now, and which are ill again.

    Parameters
    ----------
    held, held_before : collection of int
        Groups that readers' errors keep from being well, now and the last time.

    Notes
    -----
    Groups that are no source's recover when whoever fired them says so.
    """
    for group in groups:
        if not is_of_source(group.fingerprint):
            continue
        members = health.get(group.id)
        is_well = group.id not in held and (members is None or members.is_well)
        state = after(group.state, Change.RECOVERS if is_well else Change.FIRES)
        if state is group.state or not hold_group(connection, group.id):
            continue
        if is_well:
            # Errors of readers ended just now; else it is well since its last incident is.
            known = None if members is None or group.id in held_before else members.changed_at
            at = now if known is None else min(known, now)
            alert_groups.recover_group(connection, group.id, at, _healed_by(members))
        else:
            alert_groups.refire_group(connection, group.id)


def _healed_by(members: MemberHealth | None) -> dict[str, object]:
    if members is None:
        return {"healed_by": "readers get answers again"}
    parts = []
    if members.healed_by:
        parts.append(f"{', '.join(members.healed_by)} serves readers")
    if members.resolved:
        parts.append("the source answers with good data again")
    return {"healed_by": "; ".join(parts)}


def close_well(
    connection: Connection[Any],
    catalog: Catalog,
    settings: AlertSettings,
    groups: Sequence[AlertGroup],
    health: Mapping[int, MemberHealth],
    now: datetime,
) -> list[int]:
    """Close groups that stayed well for long enough, each with its message; their ids."""
    recovered = [
        each for each in groups if after(each.state, Change.STAYED_WELL) is GroupState.RESOLVED
    ]
    if not recovered:
        return []
    closed = []
    for group in recovered:
        assert group.recovered_at is not None, "it has recovered"
        members = health.get(group.id)
        if members is not None and members.is_being_healed:
            continue
        earlier = alert_groups.fired_since(
            connection, [group.fingerprint], group.began_at - FLAPS_WITHIN
        )
        hold = hold_of(earlier.get(group.fingerprint, 1) - 1, settings)
        good = None if members is None else members.good_in_a_row
        if may_close(group.recovered_at, hold, good, settings, now) is not None:
            continue
        if hold_group(connection, group.id) and _close(
            connection, catalog, settings, group.id, members, now
        ):
            closed.append(group.id)
    return closed


def _began_at(group: AlertGroup, members: MemberHealth | None) -> datetime:
    """When what the group speaks of began, which is before anybody was told."""
    if members is not None:
        return min(members.began_at, group.began_at)
    written = group.detail.get("began_at")
    try:
        known = datetime.fromisoformat(str(written))
    except ValueError:
        return group.began_at
    return group.began_at if known.tzinfo is None else min(known, group.began_at)


def _close(
    connection: Connection[Any],
    catalog: Catalog,
    settings: AlertSettings,
    group_id: int,
    members: MemberHealth | None,
    now: datetime,
) -> bool:
    group = alert_groups.group_by_id(connection, group_id)
    assert group is not None, "it is held"
    if group.recovered_at is None or after(group.state, Change.STAYED_WELL) is group.state:
        return False
    began_at = _began_at(group, members)
    detail: dict[str, object] = {
        "began_at": began_at,
        "resolved_at": group.recovered_at,
        "lasted_s": (group.recovered_at - began_at).total_seconds(),
        # The incidents may go over to a later group.
        "endpoints": list(group.endpoints),
        "incidents": list(group.incident_ids),
    }
    endpoints: Sequence[str] = group.endpoints
    if not endpoints and group.source is not None:
        endpoints = [each.id for each in catalog.endpoints_of(group.source)]
    if endpoints:
        readers, errors = error_counts.readers_between(
            connection, endpoints, began_at, group.recovered_at
        )
        detail |= {"readers": readers, "readers_without_answer": errors}
    alert_groups.resolve_group(connection, group.id, now, detail)
    closed = alert_groups.group_by_id(connection, group_id)
    assert closed is not None, "it is held"
    decision = message_due(
        closed.standing,
        said(alerts.alerts_of_group(connection, group_id)),
        muted=None,
        settings=settings,
        now=now,
    )
    if decision.kind is not None:
        save_message(
            connection,
            closed,
            decision,
            now,
            title=closing_title(closed.title, closed.detail),
            body=closing_body(
                closed.title,
                closed.detail,
                began_at=began_at,
                recovered_at=group.recovered_at,
                endpoints=closed.endpoints,
            ),
        )
    return True
