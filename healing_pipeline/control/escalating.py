"""What nothing healed is told of: as soon as it is known, or once it failed long enough."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting.actions import action_for
from healing_pipeline.alerting.fingerprints import FAMILIES, OF_WHOLE_SOURCE, fingerprint_of
from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.alerting.thresholds import fails_long_enough
from healing_pipeline.alerting.wording import (
    broken,
    escalated_body,
    escalated_title,
    reach_of,
)
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.alert_firing import fire
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.alert_groups import (
    adopt,
    firing_group_of,
    group_by_id,
    take_source_turn,
)
from healing_pipeline.storage.escalations import Escalation, untold_escalations

# As `healing.attempting` says it of a strategy that was not used.
LEFT_OUT = "left out"


def tell_escalated(
    connection: Connection[Any],
    catalog: Catalog | None,
    settings: AlertSettings,
    at: datetime,
    *,
    incident_id: int | None = None,
) -> list[int]:
    """Fire the groups of incidents that nothing healed; the incidents that are now told of.

    Parameters
    ----------
    catalog : Catalog or None
        Where the owners of endpoints stand.
    incident_id : int, optional
        One incident, by whoever has just given it up; without it all.

    Notes
    -----
    One that has not failed often enough yet is left for later, unless its cause is told of already:
    then it joins, and nobody gets a second message.
    """
    told = []
    for each in untold_escalations(connection, incident_id):
        # Before any of its groups is held: whoever holds one and then waits for the turn, and
        # whoever has the turn and then waits for the group, would wait for ever.
        take_source_turn(connection, each.source)
        fingerprint = _fingerprint(connection, each)
        if not fails_long_enough(each.bad_in_a_row, each.failed_heals, settings) and (
            firing_group_of(connection, fingerprint) is None
        ):
            continue
        what = broken(each.source, each.root_cause, each.failure_class)
        detail = _detail(each, what)
        reach = reach_of(each.place, each.scope)
        fire(
            connection,
            fingerprint=fingerprint,
            level=Severity.ERROR,
            title=escalated_title(what, each.endpoint),
            body=escalated_body(each.note, each.root_cause, reach, detail),
            at=at,
            source=each.source,
            root_cause=each.root_cause,
            incident_id=each.incident_id,
            owners=_owners(catalog, each),
            detail=detail,
        )
        told.append(each.incident_id)
    return told


def _fingerprint(connection: Connection[Any], each: Escalation) -> str:
    """By what people know the cause: as they were told of it, if they were.

    Evidence differs by endpoint, and the verdict on it may have changed since: one outage is one
    group all the same.
    """
    own = fingerprint_of(each.source, each.root_cause)
    if each.joint_group_id is None or firing_group_of(connection, own) is not None:
        return own
    told = group_by_id(connection, each.joint_group_id)
    if told is None or told.resolved_at is not None:
        return own
    adopt(connection, told.id, own, each.root_cause)
    return own


def _detail(each: Escalation, what: str) -> dict[str, Any]:
    reasons = {step["strategy"]: step["because"] for step in each.detail.get("plan", ())}
    tried: list[Mapping[str, Any]] = list(each.detail.get("tried", ()))
    return {
        "what": what,
        "failure_class": each.failure_class,
        "evidence": each.evidence,
        "place": each.place,
        "scope": list(each.scope),
        "began_at": each.began_at,
        "detected_at": each.detected_at,
        "readers": each.readers,
        "readers_without_answer": each.readers_without_answer,
        "attempts": [
            {
                "strategy": one["strategy"],
                "because": reasons.get(one["strategy"], one["because"]),
                "evidence": one["evidence"],
            }
            for one in tried
            if one["because"] != LEFT_OUT
        ],
        "left_out": [
            {"strategy": one["strategy"], "because": one["evidence"]}
            for one in tried
            if one["because"] == LEFT_OUT
        ],
        "action": action_for(each.root_cause, each.failure_class),
    }


def _owners(catalog: Catalog | None, each: Escalation) -> tuple[str, ...]:
    """Who owns what is concerned: all of the source where all of it is, else the endpoint."""
    if catalog is None:
        return ()
    is_whole = FAMILIES.get(each.root_cause) in OF_WHOLE_SOURCE
    endpoints = [
        one for one in catalog.endpoints_of(each.source) if is_whole or one.id == each.endpoint
    ]
    return tuple(sorted({one.owner for one in endpoints if one.owner is not None}))
