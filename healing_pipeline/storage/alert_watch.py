"""What the rules of alerts look at besides errors: incidents of groups, who looks, how often."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("alert_watch")


@dataclass(frozen=True, slots=True)
class MemberHealth:
    """How the incidents of a group fare.

    Attributes
    ----------
    is_well : bool
        Whether all of them are healed or resolved.
    changed_at : datetime
        When the last one came where it is.
    began_at : datetime
        Of the first bad observation of all.
    resolved : int
        Incidents whose endpoint answers for itself again.
    healed_by : tuple of str
        Strategies, with their fidelity, that serve the others.
    is_being_healed : bool
        Whether an endpoint of the group is in a heal, for this incident or a later one.
    good_in_a_row : int or None
        Good observations since the last bad one, the fewest of the endpoints that answer for
        themselves; None where none does.
    """

    group_id: int
    is_well: bool
    changed_at: datetime
    began_at: datetime
    resolved: int
    healed_by: tuple[str, ...]
    is_being_healed: bool
    good_in_a_row: int | None


@dataclass(frozen=True, slots=True)
class OftenHealed:
    """An endpoint that was healed often, with what helped against what the last time."""

    endpoint: str
    source: str
    heals: int
    strategy: str | None
    failure_class: str


@dataclass(frozen=True, slots=True)
class LongByFallback:
    """An endpoint whose readers have been served by a route for long."""

    endpoint: str
    source: str
    strategy: str
    fidelity: str
    since: datetime


def take_evaluation_turn(connection: Connection[Any]) -> bool:
    """Whether this process evaluates, until the transaction ends; one does at a time."""
    return bool(_SQL.evaluation_turn(connection))


def note_evaluation(connection: Connection[Any], now: datetime) -> None:
    """Note that alerts are being evaluated, to within 10 s."""
    _SQL.note_evaluation(connection, now=now)


def evaluated_at(connection: Connection[Any]) -> datetime | None:
    """When alerts were last evaluated, to within 10 s; None when they never were."""
    at: datetime | None = _SQL.evaluated_at(connection)
    return at


def hold_group(connection: Connection[Any], group_id: int) -> bool:
    """Keep others from a group until the transaction ends; False when another keeps us from it."""
    return _SQL.hold_group(connection, group_id=group_id) is not None


def member_health(
    connection: Connection[Any], group_ids: Collection[int]
) -> dict[int, MemberHealth]:
    """How the incidents of groups fare, of those that have any."""
    if not group_ids:
        return {}
    rows = _SQL.member_health(connection, group_ids=list(group_ids))
    return {
        row["group_id"]: MemberHealth(**{**row, "healed_by": tuple(row["healed_by"])})
        for row in rows
    }


def looked_until(connection: Connection[Any]) -> tuple[datetime, timedelta] | None:
    """Until when somebody looked, as far as is seen, and the shortest interval.

    None without a schedule. In the future where nothing is due yet.
    """
    row = _SQL.looked_until(connection)
    if row is None or row["due_at"] is None:
        return None
    seen = max(row["due_at"], row["probed_at"] or row["due_at"])
    return seen, timedelta(seconds=row["interval_s"])


def waiting_for_heals(connection: Connection[Any]) -> list[tuple[str, datetime]]:
    """Endpoints whose incident waits for a heal that ends, and since when; the longest first."""
    return [(row["endpoint"], row["since"]) for row in _SQL.waiting_for_heals(connection)]


def often_healed(connection: Connection[Any], since: datetime, times: int) -> list[OftenHealed]:
    """Endpoints that were healed at least so often since a moment."""
    rows = _SQL.often_healed(connection, since=since, times=times)
    return [OftenHealed(**row) for row in rows]


def long_by_fallback(connection: Connection[Any], before: datetime) -> list[LongByFallback]:
    """Endpoints whose readers have been served by a route since before a moment."""
    return [LongByFallback(**row) for row in _SQL.long_by_fallback(connection, before=before)]
