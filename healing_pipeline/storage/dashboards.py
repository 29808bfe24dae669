"""What the overview shows, as it is read from the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("dashboards")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one endpoint over some quarters of an hour.

    Attributes
    ----------
    requests, met_fault, healed, reader_errors, probes, failures : int
        As `storage.health_quarters.Quarter` has them, added up.
    quarters : tuple of int
        Quarters since 1970 in which somebody looked, the oldest first.
    letters : str
        Of each of them: ``l`` live, ``h`` healed, ``f`` failed; see `queries/dashboards.sql`.
    p50_ms : tuple of int
        Of each of them: the median wait in milliseconds, -1 where nobody waited.
    """

    endpoint: str
    requests: int
    met_fault: int
    healed: int
    reader_errors: int
    probes: int
    failures: int
    quarters: tuple[int, ...]
    letters: str
    p50_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands between an endpoint and being live: an open incident, a route, or both.

    Attributes
    ----------
    state : str or None
        Of the incident; None where there is only a route.
    strategy, fidelity, route_since
        Of the route that readers follow; None where there is none.
    """

    endpoint: str
    incident_id: int | None
    state: str | None
    state_since: datetime | None
    failure_class: str | None
    evidence: str | None
    strategy: str | None
    fidelity: str | None
    route_since: datetime | None


def day_by_endpoint(
    connection: Connection[Any], since: datetime, until: datetime
) -> dict[str, Seen]:
    """What was folded of each endpoint of quarters in [since, until)."""
    return _seen(_SQL.day(connection, since=since, until=until))


def since_folded(connection: Connection[Any], since: datetime, until: datetime) -> dict[str, Seen]:
    """What the facts say of each endpoint in [since, until)."""
    return _seen(_SQL.since_folded(connection, since=since, until=until))


def newest_fidelity(
    connection: Connection[Any], endpoints: Sequence[str], since: datetime
) -> dict[str, str]:
    """How close the newest answer was; without endpoints whose readers got none since then."""
    rows = _SQL.newest_fidelity(connection, endpoints=list(endpoints), since=since)
    return {row["endpoint"]: row["fidelity"] for row in rows}


def standings(connection: Connection[Any]) -> dict[str, Standing]:
    """What stands between endpoints and being live; without those that are."""
    return {row["endpoint"]: Standing(**row) for row in _SQL.standings(connection)}


def _seen(rows: Any) -> dict[str, Seen]:
    return {
        row["endpoint"]: Seen(
            endpoint=row["endpoint"],
            requests=int(row["requests"]),
            met_fault=int(row["met_fault"]),
            healed=int(row["healed"]),
            reader_errors=int(row["reader_errors"]),
            probes=int(row["probes"]),
            failures=int(row["failures"]),
            quarters=tuple(row["quarters"]),
            letters=row["letters"],
            p50_ms=tuple(row["p50_ms"]),
        )
        for row in rows
    }
