"""The lists on the dashboard's pages, each in pages: incidents, attempts, probes, deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from healing_pipeline.healing.facts import AnswerFact, Attempt, Decision, ProbeResult
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.reporting.learning_plot import LearningDay
from healing_pipeline.storage.alerts import SavedAlert, alert_of_row
from healing_pipeline.storage.incident_rows import IncidentEventRow, IncidentRow
from healing_pipeline.storage.incidents import event_of_row, incident_of_row
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("pages")

Key = tuple[datetime, UUID]
"""By which a list of facts is continued: the moment and the id of the last one shown."""


@dataclass(frozen=True, slots=True)
class RouteNow:
    """What serves the readers of an endpoint while its primary is down."""

    strategy: str
    fidelity: Fidelity
    incident_id: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """How some readers fared.

    Attributes
    ----------
    strategy, fidelity : str or None
        What answered them, and how well; None for those who got no answer.
    """

    strategy: str | None
    fidelity: str | None
    requests: int


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message on its way through one channel.

    Attributes
    ----------
    state : str
        ``pending``, ``sent`` or ``failed``.
    next_at : datetime
        When a pending one is tried next.
    error : str or None
        Of the last try that failed.
    """

    alert_id: int
    channel: str
    state: str
    tries: int
    next_at: datetime
    sent_at: datetime | None
    error: str | None


def incidents_before(
    connection: Connection[Any], *, endpoint: str | None, before_id: int | None, limit: int
) -> list[IncidentRow]:
    """Incidents of an endpoint, or of all, the newest first."""
    rows = _SQL.incidents_before(connection, endpoint=endpoint, before_id=before_id, limit=limit)
    return [incident_of_row(row) for row in rows]


def incidents_of_ids(connection: Connection[Any], ids: Iterable[int]) -> list[IncidentRow]:
    """Some incidents, the oldest first."""
    return [incident_of_row(row) for row in _SQL.incidents_of_ids(connection, ids=list(ids))]


def incidents_between(
    connection: Connection[Any], since: datetime, until: datetime, limit: int
) -> list[IncidentRow]:
    """Incidents that were open at any moment of [since, until), the newest first."""
    rows = _SQL.incidents_between(connection, since=since, until=until, limit=limit)
    return [incident_of_row(row) for row in rows]


def events_of_incidents(
    connection: Connection[Any], ids: Iterable[int]
) -> dict[int, list[IncidentEventRow]]:
    """The steps of some incidents, by incident, in order."""
    found: dict[int, list[IncidentEventRow]] = {}
    for row in _SQL.events_of_incidents(connection, ids=list(ids)):
        found.setdefault(row["incident_id"], []).append(event_of_row(row))
    return found


def heal_attempts(
    connection: Connection[Any], incident: IncidentRow, until: datetime, limit: int
) -> list[Attempt]:
    """What heal runs tried for an incident, in order."""
    rows = _SQL.heal_attempts(
        connection,
        incident_id=incident.id,
        endpoint=incident.endpoint,
        from_at=incident.began_at,
        to_at=until,
        limit=limit,
    )
    return [Attempt(**row) for row in rows]


def decisions_of_requests(
    connection: Connection[Any], request_ids: Iterable[UUID]
) -> dict[UUID, list[Decision]]:
    """The choices made for some requests, by request, in order."""
    found: dict[UUID, list[Decision]] = {}
    for row in _SQL.decisions_of_requests(connection, request_ids=list(request_ids)):
        found.setdefault(row["request_id"], []).append(Decision(**row))
    return found


def attempts_before(
    connection: Connection[Any], *, endpoint: str, before: Key | None, limit: int
) -> list[Attempt]:
    """What was sent for an endpoint, the newest first."""
    return [
        Attempt(**row) for row in _SQL.attempts_before(connection, **_page(endpoint, before, limit))
    ]


def probes_before(
    connection: Connection[Any], *, endpoint: str, before: Key | None, limit: int
) -> list[ProbeResult]:
    """The probes of an endpoint, the newest first."""
    rows = _SQL.probes_before(connection, **_page(endpoint, before, limit))
    return [ProbeResult(**row) for row in rows]


def probes_between(
    connection: Connection[Any], endpoint: str, since: datetime, until: datetime, limit: int
) -> list[ProbeResult]:
    """The probes of an endpoint in [since, until), the newest first."""
    rows = _SQL.probes_between(
        connection, endpoint=endpoint, from_at=since, to_at=until, limit=limit
    )
    return [ProbeResult(**row) for row in rows]


def facts_since(connection: Connection[Any]) -> datetime | None:
    """The moment before which attempts, answers and probes were pruned; None when none were."""
    since: datetime | None = _SQL.facts_since(connection)
    return since


def readers_meanwhile(
    connection: Connection[Any], endpoint: str, since: datetime, until: datetime
) -> list[Meanwhile]:
    """How readers of an endpoint fared in [since, until), by what answered them."""
    rows = _SQL.readers_meanwhile(connection, endpoint=endpoint, from_at=since, to_at=until)
    return [Meanwhile(**row) for row in rows]


def failed_readers(
    connection: Connection[Any], endpoint: str, since: datetime, until: datetime, limit: int
) -> list[AnswerFact]:
    """Readers' requests of [since, until) without an accepted answer, the newest first."""
    rows = _SQL.failed_readers(
        connection, endpoint=endpoint, from_at=since, to_at=until, limit=limit
    )
    return [AnswerFact(**row) for row in rows]


def active_route(connection: Connection[Any], endpoint: str) -> RouteNow | None:
    """What serves the readers of an endpoint; None while that is the primary."""
    row = _SQL.active_route(connection, endpoint=endpoint)
    return None if row is None else RouteNow(**{**row, "fidelity": Fidelity(row["fidelity"])})


def deliveries_of(
    connection: Connection[Any], alert_ids: Iterable[int]
) -> dict[int, list[DeliveryRow]]:
    """The deliveries of some messages, by message."""
    found: dict[int, list[DeliveryRow]] = {}
    for row in _SQL.deliveries_of(connection, alert_ids=list(alert_ids)):
        found.setdefault(row["alert_id"], []).append(DeliveryRow(**row))
    return found


def closed_group_ids(connection: Connection[Any], before_id: int | None, limit: int) -> list[int]:
    """Alert groups that are over, the newest first."""
    rows = _SQL.closed_group_ids(connection, before_id=before_id, limit=limit)
    return [row["id"] for row in rows]


def lone_alerts(connection: Connection[Any], limit: int) -> list[SavedAlert]:
    """Messages of no group, the newest first: advisories, tests."""
    return [alert_of_row(row) for row in _SQL.lone_alerts(connection, limit=limit)]


def source_letters(
    connection: Connection[Any], since: datetime, until: datetime
) -> dict[str, list[tuple[int, str]]]:
    """How each quarter since 1970 went for a source: ``f``, ``h`` or ``l``; by source."""
    found: dict[str, list[tuple[int, str]]] = {}
    for row in _SQL.source_letters(connection, since=since, until=until):
        found.setdefault(row["source"], []).append((row["quarter"], row["letter"]))
    return found


def learning_days(
    connection: Connection[Any], from_at: datetime, to_at: datetime
) -> list[LearningDay]:
    """How healing went day by day, from what is folded."""
    return [
        LearningDay(row["day"].date(), row["healed"], row["first_try"], row["headroom"])
        for row in _SQL.learning_days(connection, from_at=from_at, to_at=to_at)
    ]


def readers_of(
    connection: Connection[Any], endpoints: Iterable[str], since: datetime, until: datetime
) -> tuple[int, int]:
    """Readers' requests for some endpoints in [since, until), and those without an answer."""
    row = _SQL.readers_of(connection, endpoints=list(endpoints), from_at=since, to_at=until)
    return row["readers"], row["without_answer"]


def _page(endpoint: str, before: Key | None, limit: int) -> dict[str, Any]:
    at, last = (None, None) if before is None else before
    return {"endpoint": endpoint, "before_at": at, "before_id": last, "limit": limit}
