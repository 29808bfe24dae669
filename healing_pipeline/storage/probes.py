"""What is due to be probed, and what a key may still spend; both are shared by all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("probes")


def seed_schedule(
    connection: Connection[Any],
    endpoints: Iterable[Endpoint],
    now: datetime,
    spread: Callable[[], float],
) -> None:
    """Let `endpoints`, and no others, be watched.

    Parameters
    ----------
    now : datetime
        Aware UTC.
    spread : callable
        A number in [0, 1): where in its interval an endpoint's first turn falls. Zero for all makes
        everything due at once.

    Notes
    -----
    An endpoint that is known keeps its next moment, unless its interval got shorter.
    """
    watched = sorted(endpoints, key=lambda endpoint: endpoint.id)
    ids = [each.id for each in watched]
    with connection.transaction():
        _SQL.seed_schedule(
            connection,
            endpoints=ids,
            sources=[each.source for each in watched],
            next_ats=[now + timedelta(seconds=each.interval_s * spread()) for each in watched],
            intervals_s=[float(each.interval_s) for each in watched],
        )
        _SQL.forget_unlisted(connection, endpoints=ids)


def claim_due(
    connection: Connection[Any], *, source: str, now: datetime, limit: int = 100
) -> list[str]:
    """Ids of endpoints to probe now, the longest overdue first; nobody else gets the same."""
    rows = _SQL.claim_due(connection, source=source, now=now, limit=limit)
    return [row["endpoint"] for row in rows]


def next_due_at(connection: Connection[Any], source: str) -> datetime | None:
    """When the next endpoint of a source is due; None without endpoints."""
    due_at: datetime | None = _SQL.next_due_at(connection, source=source)
    return due_at


def hasten(connection: Connection[Any], endpoint: str, at: datetime) -> bool:
    """Probe `endpoint` no later than `at`; False when it is not on the schedule."""
    return int(_SQL.hasten(connection, endpoint=endpoint, at=at)) > 0


def spend(
    connection: Connection[Any],
    *,
    source: str,
    key_name: str,
    kind: str,
    now: datetime,
    limits: Mapping[str, int],
    quota: Mapping[str, int] | None = None,
    calls: int = 1,
) -> bool:
    """Spend `calls` of a key in all its windows, or nothing when one of them is full.

    Parameters
    ----------
    kind : str
        ``probe`` or ``reader``.
    limits : Mapping
        ``minute``, ``day``, ``month`` to the most calls of this `kind`, e.g. the probes' share.
    quota : Mapping, optional
        The most calls of all kinds together, by window.

    Notes
    -----
    Exact however many callers there are: a key's callers wait for each other until the end of the
    transaction, so commit soon. Windows are those of UTC. A key without limits is unmetered:
    always True, and nothing is written.
    """
    quota = quota or {}
    if not limits and not quota:
        return True
    with connection.transaction():
        _SQL.ledger_turn(connection, source=source, key_name=key_name)
        noted = _SQL.spend(
            connection,
            source=source,
            key_name=key_name,
            kind=kind,
            now=now,
            calls=calls,
            window_kinds=list(limits),
            limits=list(limits.values()),
            quota_kinds=list(quota),
            quotas=list(quota.values()),
        )
    return int(noted) > 0


def key_usage(
    connection: Connection[Any], *, source: str, now: datetime
) -> dict[tuple[str, str, str], int]:
    """Calls taken from the windows open at `now`, by (key name, window kind, kind)."""
    return {
        (row["key_name"], row["window_kind"], row["kind"]): row["calls"]
        for row in _SQL.key_usage(connection, source=source, now=now)
    }
