"""What is due to be probed, and what a key may still spend; both are shared by all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.catalog.shards import Shard, place_of
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
    rows = _rows(endpoints, now, spread)
    with connection.transaction():
        _SQL.seed_schedule(connection, **rows)
        _SQL.forget_unlisted(connection, endpoints=rows["endpoints"])


def watch_new(
    connection: Connection[Any],
    endpoints: Iterable[Endpoint],
    now: datetime,
    spread: Callable[[], float],
) -> None:
    """Let `endpoints` be watched too, those that nobody watches yet; see `seed_schedule`.

    Whoever looks does so before its first look: there may be nobody else who says what to look at.
    """
    with connection.transaction():
        _SQL.watch_new(connection, **_rows(endpoints, now, spread))


def _rows(
    endpoints: Iterable[Endpoint], now: datetime, spread: Callable[[], float]
) -> dict[str, list[Any]]:
    watched = sorted(endpoints, key=lambda endpoint: endpoint.id)
    return {
        "endpoints": [each.id for each in watched],
        "sources": [each.source for each in watched],
        "next_ats": [now + timedelta(seconds=each.interval_s * spread()) for each in watched],
        "intervals_s": [float(each.interval_s) for each in watched],
        "places": [place_of(each.id) for each in watched],
    }


def claim_due(
    connection: Connection[Any],
    *,
    source: str | Shard,
    now: datetime,
    limit: int = 100,
    early: float = 0.0,
) -> dict[str, datetime]:
    """Endpoints to probe now, the longest overdue first, and since when; nobody else gets the same.

    Parameters
    ----------
    source : str or Shard
        A shard, or all of a source.
    early : float
        The most by which the next turn comes sooner than the interval says, as a share of it.
    """
    rows = _SQL.claim_due(connection, **_range(source), now=now, limit=limit, early=early)
    return {row["endpoint"]: row["was_due_at"] for row in rows}


def put_off_due(
    connection: Connection[Any], *, source: str | Shard, now: datetime, until: datetime
) -> int:
    """Let all that is due wait until a moment, in its order; how many endpoints that are."""
    return int(_SQL.put_off_due(connection, **_range(source), now=now, until=until))


def next_due_at(connection: Connection[Any], source: str | Shard) -> datetime | None:
    """When the next endpoint of a shard, or of a source, is due; None without endpoints."""
    due_at: datetime | None = _SQL.next_due_at(connection, **_range(source))
    return due_at


def _range(source: str | Shard) -> dict[str, str | int]:
    """A shard as the statements take it."""
    shard = Shard(source) if isinstance(source, str) else source
    return {"source": shard.source, "first": shard.first, "last": shard.last}


def hasten(connection: Connection[Any], endpoint: str, at: datetime) -> bool:
    """Probe `endpoint` no later than `at`; False when it is not on the schedule."""
    return int(_SQL.hasten(connection, endpoint=endpoint, at=at)) > 0


def hasten_all(connection: Connection[Any], endpoints: Iterable[str], at: datetime) -> int:
    """Probe `endpoints` no later than `at`; how many of them would have been probed later."""
    return int(_SQL.hasten_all(connection, endpoints=sorted(endpoints), at=at))


def hasten_open(connection: Connection[Any], source: str, at: datetime, *, most: int) -> int:
    """Probe endpoints of a source with open incidents no later than `at`; how many that changes."""
    return int(_SQL.hasten_open(connection, source=source, at=at, most=most))


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


def spend_some(
    connection: Connection[Any],
    *,
    source: str,
    key_name: str,
    kind: str,
    now: datetime,
    wanted: Callable[[Mapping[str, int]], int],
    windows: Iterable[str],
) -> int:
    """Spend as many calls of a key as `wanted` says once it knows what is spent; how many.

    Parameters
    ----------
    wanted : callable
        Takes what this `kind` has spent of the open windows, gives the calls to spend, >= 0. It may
        use the connection: nobody else spends from the key until the transaction ends.
    windows : iterable of str
        Those to note the calls in.

    Notes
    -----
    Exact however many callers there are, like `spend`, with one visit for many calls.
    """
    _SQL.ledger_turn(connection, source=source, key_name=key_name)
    rows = _SQL.usage_of(connection, source=source, key_name=key_name, kind=kind, now=now)
    calls = wanted({row["window_kind"]: row["calls"] for row in rows})
    if calls <= 0:
        return 0
    noted = _SQL.note_spent(
        connection,
        source=source,
        key_name=key_name,
        kind=kind,
        now=now,
        calls=calls,
        window_kinds=list(windows),
    )
    assert noted, "a metered key has windows"
    return calls


def key_usage(
    connection: Connection[Any], *, source: str, now: datetime
) -> dict[tuple[str, str, str], int]:
    """Calls taken from the windows open at `now`, by (key name, window kind, kind)."""
    return {
        (row["key_name"], row["window_kind"], row["kind"]): row["calls"]
        for row in _SQL.key_usage(connection, source=source, now=now)
    }
