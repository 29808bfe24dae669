"""What the pages of alerts show: what fires, who was told, and why or why not.

Only read here; what a visitor changes is in `alerts_page`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from healing_pipeline.alerting.messages import GroupState, message_due, rank
from healing_pipeline.alerting.muting import Maintenance, Mutes, Silence, muted_because
from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.control.alert_firing import mutes_at, said
from healing_pipeline.storage import alert_groups
from healing_pipeline.storage.alert_groups import AlertGroup
from healing_pipeline.storage.alerts import SavedAlert, alerts_of_groups
from healing_pipeline.storage.incident_rows import IncidentRow
from healing_pipeline.storage.pages import (
    DeliveryRow,
    closed_group_ids,
    deliveries_of,
    incidents_of_ids,
    lone_alerts,
    readers_of,
)

CLOSED, LONE = 20, 10


@dataclass(frozen=True, slots=True)
class Listed:
    """A group in a list, and why people are told of it or not."""

    group: AlertGroup
    because: str


@dataclass(frozen=True, slots=True)
class AlertsStory:
    """What the page of all alerts shows."""

    firing: list[Listed]
    closed: list[AlertGroup]
    lone: list[SavedAlert]
    deliveries: dict[int, list[DeliveryRow]]
    silences: list[Silence]
    maintenance: list[Maintenance]


@dataclass(frozen=True, slots=True)
class GroupStory:
    """What the page of one group shows.

    Attributes
    ----------
    readers : tuple of int
        Requests for its endpoints while it fired, and those without an answer.
    """

    group: AlertGroup
    because: str
    messages: list[SavedAlert]
    deliveries: dict[int, list[DeliveryRow]]
    members: list[IncidentRow]
    readers: tuple[int, int]


def read_all(
    connection: Any, before: int | None, settings: AlertSettings, now: datetime
) -> AlertsStory:
    """What the page of all alerts shows: groups that fire with the worst on top."""
    groups = alert_groups.firing_groups(connection)
    groups.sort(key=lambda each: (each.state is not GroupState.FIRING, -rank(each.level), -each.id))
    messages: defaultdict[int, list[SavedAlert]] = defaultdict(list)
    for each in alerts_of_groups(connection, [group.id for group in groups]):
        if each.group_id is not None:
            messages[each.group_id].append(each)
    mutes = mutes_at(connection, now)
    lone = lone_alerts(connection, LONE)
    return AlertsStory(
        firing=[
            Listed(each, because(each, messages[each.id], mutes, settings, now)) for each in groups
        ],
        closed=alert_groups.groups_of_ids(
            connection, closed_group_ids(connection, before, CLOSED + 1)
        ),
        lone=lone,
        deliveries=deliveries_of(connection, [each.id for each in lone]),
        silences=alert_groups.silences_at(connection, now),
        maintenance=alert_groups.maintenance_until(connection, now),
    )


def read_group(
    connection: Any, number: int, settings: AlertSettings, now: datetime
) -> GroupStory | None:
    """What the page of one group shows; None when there is none of that number."""
    group = alert_groups.group_by_id(connection, number)
    if group is None:
        return None
    messages = alerts_of_groups(connection, [number])
    return GroupStory(
        group=group,
        because=because(group, messages, mutes_at(connection, now), settings, now),
        messages=messages,
        deliveries=deliveries_of(connection, [each.id for each in messages]),
        members=incidents_of_ids(connection, group.incident_ids),
        readers=readers_of(
            connection,
            group.endpoints,
            group.began_at,
            group.recovered_at or group.resolved_at or now,
        ),
    )


def tried_in(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was tried and what was left out, each with its reason."""
    found = []
    for name, how in (("attempts", ""), ("left_out", "left out: ")):
        listed = detail.get(name)
        for each in listed if isinstance(listed, list) else []:
            if isinstance(each, Mapping):
                reasons = [str(each[part]) for part in ("because", "evidence") if each.get(part)]
                found.append((str(each.get("strategy", "")), how + ": ".join(reasons)))
    return found


def because(
    group: AlertGroup,
    messages: Sequence[SavedAlert],
    mutes: Mutes,
    settings: AlertSettings,
    now: datetime,
) -> str:
    """Why people are told of a group now, or not: the decision that is made for sending."""
    muted = muted_because(group.subject, mutes, now)
    decision = message_due(
        group.standing, said(list(messages)), muted=muted, settings=settings, now=now
    )
    return decision.because if decision.kind is None else f"{decision.kind}: {decision.because}"
