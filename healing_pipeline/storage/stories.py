"""All that is stored of one endpoint or of one incident, for its page on the dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

from healing_pipeline.healing.facts import AnswerFact, Attempt, Decision, ProbeResult
from healing_pipeline.storage.alert_groups import AlertGroup, group_of_incident
from healing_pipeline.storage.alerts import SavedAlert, alerts_of_incident
from healing_pipeline.storage.health_quarters import Quarter, quarters_of_endpoint
from healing_pipeline.storage.incident_rows import IncidentEventRow, IncidentRow
from healing_pipeline.storage.incidents import incident_by_id, incident_events, open_incident_of
from healing_pipeline.storage.joint_stories import JointStory, joint_story
from healing_pipeline.storage.pages import (
    DeliveryRow,
    Key,
    Meanwhile,
    RouteNow,
    active_route,
    attempts_before,
    decisions_of_requests,
    deliveries_of,
    events_of_incidents,
    facts_since,
    failed_readers,
    heal_attempts,
    incidents_before,
    probes_before,
    probes_between,
    readers_meanwhile,
)

# What a list shows at once.
INCIDENTS, FACTS, ATTEMPTS = 10, 25, 200
# A heal run may go on a moment after the incident is over.
AFTERWARDS = timedelta(seconds=30)
BEFOREHAND = timedelta(minutes=2)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Continued:
    """From where on the lists of an endpoint's page go; None: from the newest."""

    incidents: int | None = None
    attempts: Key | None = None
    probes: Key | None = None


@dataclass(frozen=True, slots=True)
class EndpointStory:
    """What is stored of one endpoint, for its page.

    Attributes
    ----------
    open_incident : IncidentRow or None
    quarters : list of Quarter
        Of the last day.
    incidents, attempts, probes : list
        The newest first, one more than a page shows where there are more.
    """

    open_incident: IncidentRow | None
    route: RouteNow | None
    quarters: list[Quarter]
    incidents: list[IncidentRow]
    events: dict[int, list[IncidentEventRow]]
    attempts: list[Attempt]
    probes: list[ProbeResult]


@dataclass(frozen=True, slots=True)
class IncidentStory:
    """What is stored of one incident, for its page.

    Attributes
    ----------
    attempts : list of Attempt
        Of heal runs, in order.
    decisions : dict
        By request.
    probes : list of ProbeResult
        From shortly before it began until it was over, the newest first.
    meanwhile, unanswered
        How readers fared while it lasted; the newest requests without an answer.
    joint : JointStory or None
        Of the joint incident that it belongs to.
    facts_since : datetime or None
        Where it began before this, facts of its time were pruned: what is counted is a part at
        most.
    """

    incident: IncidentRow
    joint: JointStory | None
    events: list[IncidentEventRow]
    attempts: list[Attempt]
    decisions: dict[UUID, list[Decision]]
    probes: list[ProbeResult]
    meanwhile: list[Meanwhile]
    unanswered: list[AnswerFact]
    group: AlertGroup | None
    alerts: list[SavedAlert]
    deliveries: dict[int, list[DeliveryRow]]
    facts_since: datetime | None = None

    @property
    def is_pruned(self) -> bool:
        """Whether facts of its time were taken away."""
        return self.facts_since is not None and self.incident.began_at < self.facts_since


def endpoint_story(
    connection: Connection[Any], endpoint: str, continued: Continued, now: datetime
) -> EndpointStory:
    """What is stored of one endpoint; all empty for one that nobody ever asked."""
    incidents = incidents_before(
        connection, endpoint=endpoint, before_id=continued.incidents, limit=INCIDENTS + 1
    )
    return EndpointStory(
        open_incident=open_incident_of(connection, endpoint),
        route=active_route(connection, endpoint),
        quarters=quarters_of_endpoint(connection, endpoint, now - DAY, now),
        incidents=incidents,
        events=events_of_incidents(connection, [each.id for each in incidents]),
        attempts=attempts_before(
            connection, endpoint=endpoint, before=continued.attempts, limit=FACTS + 1
        ),
        probes=probes_before(
            connection, endpoint=endpoint, before=continued.probes, limit=FACTS + 1
        ),
    )


def incident_story(
    connection: Connection[Any], incident_id: int, now: datetime
) -> IncidentStory | None:
    """What is stored of one incident; None when there is none of that number."""
    incident = incident_by_id(connection, incident_id)
    if incident is None:
        return None
    until = (incident.resolved_at or now) + AFTERWARDS
    attempts = heal_attempts(connection, incident, until, ATTEMPTS)
    alerts = alerts_of_incident(connection, incident_id)
    span = (incident.endpoint, incident.began_at, incident.resolved_at or now)
    return IncidentStory(
        incident=incident,
        joint=joint_story(connection, incident_id),
        events=incident_events(connection, incident_id),
        attempts=attempts,
        decisions=decisions_of_requests(connection, {each.request_id for each in attempts}),
        probes=probes_between(
            connection, incident.endpoint, incident.began_at - BEFOREHAND, until, FACTS
        ),
        meanwhile=readers_meanwhile(connection, *span),
        unanswered=failed_readers(connection, *span, FACTS),
        group=group_of_incident(connection, incident_id),
        alerts=alerts,
        deliveries=deliveries_of(connection, [each.id for each in alerts]),
        # Those of an open incident are kept.
        facts_since=None if incident.resolved_at is None else facts_since(connection),
    )
