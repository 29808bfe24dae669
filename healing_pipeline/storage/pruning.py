"""Taking old rows away: batch by batch, each a short transaction, none of what is still needed.

What may go when is decided by whoever calls; what a batch spares (facts of open incidents, messages
that nobody has yet) stands in `queries/pruning.sql`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection

from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("pruning")

DETAIL, DECISION, INNER, RUN_LOG = "detail", "decision", "inner", "run_log"
DETAIL_TABLES = ("attempt", "answer", "probe_result")
FACT_TABLES = (*DETAIL_TABLES, "decision")
INNER_TABLES = ("inner_knowledge", "inner_pair", "inner_parameter", "inner_observation")

# A fold of an hour looks a minute further back.
LOOK_BACK = timedelta(minutes=1)

_SETTINGS = {
    # Who prunes waits for nobody long: it is not urgent, and what waits behind it may be.
    "lock_timeout": "5s",
    "statement_timeout": "120s",
    # A vacuum beside readers and writers takes its time.
    "vacuum_cost_delay": "2ms",
}


class Batch(NamedTuple):
    """What one transaction took away.

    Attributes
    ----------
    late : int
        Of them, attempts that came after their time had been pruned.
    """

    removed: int
    late: int
    is_last: bool


class Watermark(NamedTuple):
    """How far back a kind of fact reaches.

    Attributes
    ----------
    until : datetime or None
        What is older was taken away; None when nothing ever was.
    seq : int
        The newest attempt of when it was moved.
    """

    until: datetime | None
    seq: int
    came_late: int


@contextmanager
def pruner(owner_url: str) -> Iterator[Connection[Any]]:
    """A connection of the tables' owner; every statement outside a batch commits by itself.

    Raises
    ------
    StorageError
        If PostgreSQL cannot be had.
    """
    info = connection_info(owner_url, application_name="healing-prune", settings=_SETTINGS)
    try:
        connection: Connection[Any] = psycopg.connect(info, autocommit=True)
    except psycopg.OperationalError as error:
        raise StorageError(
            f"PostgreSQL does not answer ({error}). `healing prune` can be run again at any time."
        ) from None
    with connection:
        yield connection


def take_turn(connection: Connection[Any]) -> bool:
    """Whether nobody else prunes; then nobody else does, as long as the connection lasts."""
    has_turn: bool = _SQL.take_turn(connection)
    return has_turn


def watermark(connection: Connection[Any], kind: str) -> Watermark:
    """How far back a kind of fact reaches."""
    return Watermark(**_SQL.watermark(connection, kind=kind))


@contextmanager
def no_folds(connection: Connection[Any]) -> Iterator[None]:
    """A transaction in which nothing is folded: what is found folded stays so.

    Raises
    ------
    psycopg.errors.LockNotAvailable
        If folds that are under way do not end soon.
    """
    with connection.transaction():
        _SQL.stop_folds(connection)
        yield


def move_watermark(connection: Connection[Any], kind: str, until: datetime, now: datetime) -> None:
    """Say that what is older than `until` is gone, or about to go; it never moves back."""
    _SQL.move_watermark(connection, kind=kind, until=until, now=now)


def health_folded_until(connection: Connection[Any], wanted: datetime) -> datetime | None:
    """Up to where health was folded, `wanted` at most; None when it never was."""
    until: datetime | None = _SQL.health_folded_until(connection, wanted=wanted)
    return until


def first_unsummed(connection: Connection[Any], before: datetime) -> datetime | None:
    """The first day that has hours and no sum; None when all before a moment have one."""
    day: datetime | None = _SQL.first_unsummed(connection, before=before)
    return day


def has_hours(connection: Connection[Any], before: datetime) -> bool:
    """Whether any hour before a moment is known as folded."""
    there: bool = _SQL.has_hours(connection, before=before)
    return there


class HoldingIncident(NamedTuple):
    """An open incident: the facts of its endpoint stay."""

    id: int
    endpoint: str
    began_at: datetime


def incidents_that_hold(connection: Connection[Any], before: datetime) -> list[HoldingIncident]:
    """Open incidents that hold facts from before a moment, the longest open first."""
    return [HoldingIncident(**row) for row in _SQL.incidents_that_hold(connection, before=before)]


@dataclass(slots=True)
class FactSweep:
    """Facts of one table that are older than `until`, oldest first.

    It remembers where it is: what was just deleted is not looked through again.
    """

    table: str
    until: datetime
    seq: int = 0
    _position: datetime | None = None

    def count(self, connection: Connection[Any]) -> int:
        """How many there are to take."""
        count: int = _statement(f"count_{self.table}")(connection, until=self.until)
        return count

    def batch(self, connection: Connection[Any], most: int) -> Batch:
        """Take about `most` away."""
        begin = self._position or _statement(f"oldest_{self.table}")(connection)
        if begin is None or begin >= self.until:
            return Batch(0, 0, is_last=True)
        edge = _statement(f"edge_{self.table}")(
            connection, from_at=begin, until=self.until, most=most
        )
        # Many facts may share a moment: a batch takes at least all of one.
        end = self.until if edge is None else max(edge, begin + timedelta(microseconds=1))
        span: dict[str, Any] = {"from_at": begin, "to_at": end}
        if self.table == "attempt":
            span["seq"] = self.seq
        with connection.transaction():
            _SQL.allow_deletes(connection)
            gone = _statement(f"delete_{self.table}")(connection, **span)
            if gone["late"]:
                _SQL.count_late(connection, late=gone["late"])
        self._position = end
        return Batch(gone["removed"], gone["late"], is_last=end >= self.until)

    def vacuum(self, connection: Connection[Any]) -> None:
        """Make the room of what was taken free for what comes."""
        _statement(f"vacuum_{self.table}")(connection)


@dataclass(frozen=True, slots=True)
class RowSweep:
    """Rows of one table that are older than `before`."""

    table: str
    before: datetime

    def count(self, connection: Connection[Any]) -> int:
        """How many there are to take."""
        count: int = _statement(f"count_{self.table}")(connection, before=self.before)
        return count

    def batch(self, connection: Connection[Any], most: int) -> Batch:
        """Take at most `most` away."""
        removed: int = _statement(f"delete_{self.table}")(connection, before=self.before, most=most)
        return Batch(removed, 0, is_last=removed < most)


Found = Callable[[Connection[Any], int], list[int]]
Delete = Callable[[Connection[Any], list[int]], None]


@dataclass(frozen=True, slots=True)
class StorySweep:
    """Things that have rows in several tables, found by their numbers and taken whole."""

    table: str
    found: Found
    delete: Delete
    counted: Callable[[Connection[Any]], int]

    def count(self, connection: Connection[Any]) -> int:
        """How many there are to take, or to keep for a reason."""
        return self.counted(connection)

    def batch(self, connection: Connection[Any], most: int) -> Batch:
        """Take at most `most` away, each with all that belongs to it."""
        # Each of them is some dozens of rows.
        most = max(1, most // 20)
        with connection.transaction():
            _SQL.allow_deletes(connection)
            ids = self.found(connection, most)
            if ids:
                self.delete(connection, ids)
        return Batch(len(ids), 0, is_last=not ids)


Sweep = FactSweep | RowSweep | StorySweep


def alert_sweeps(before: datetime) -> tuple[StorySweep, StorySweep]:
    """Alert groups that were over before a moment, and messages of no group."""

    def closed(connection: Connection[Any], most: int) -> list[int]:
        return _ids(_SQL.closed_groups(connection, before=before, most=most))

    def forget_groups(connection: Connection[Any], ids: list[int]) -> None:
        _forget_alerts(connection, _ids(_SQL.alerts_of(connection, group_ids=ids)))
        _SQL.delete_group_members(connection, group_ids=ids)
        _SQL.delete_groups(connection, group_ids=ids)

    def lone(connection: Connection[Any], most: int) -> list[int]:
        return _ids(_SQL.lone_alerts_before(connection, before=before, most=most))

    return (
        StorySweep(
            "alert_group",
            closed,
            forget_groups,
            lambda connection: int(_SQL.count_groups(connection, before=before)),
        ),
        StorySweep(
            "alert",
            lone,
            _forget_alerts,
            lambda connection: len(lone(connection, 1_000_000)),
        ),
    )


def incident_sweep(before: datetime) -> StorySweep:
    """Joint incidents that were over before a moment and that no message speaks of any more."""

    def found(connection: Connection[Any], most: int) -> list[int]:
        return _ids(_SQL.incidents_before(connection, before=before, most=most))

    def forget(connection: Connection[Any], ids: list[int]) -> None:
        _SQL.delete_opinions(connection, ids=ids)
        _SQL.delete_questions(connection, ids=ids)
        _SQL.delete_diagnoses(connection, ids=ids)
        _SQL.delete_routes(connection, ids=ids)
        _SQL.delete_steps(connection, ids=ids)
        _SQL.delete_incidents(connection, ids=ids)

    return StorySweep(
        "incident",
        found,
        forget,
        lambda connection: int(_SQL.count_incidents(connection, before=before)),
    )


def policy_sweep(before: datetime) -> StorySweep:
    """Policies made before a moment; the one in force and the one before it stay."""

    def found(connection: Connection[Any], most: int) -> list[int]:
        rows = _SQL.policies_before(connection, before=before, most=most)
        return [row["version"] for row in rows]

    def forget(connection: Connection[Any], versions: list[int]) -> None:
        _SQL.delete_publications(connection, versions=versions)
        _SQL.delete_policies(connection, versions=versions)

    return StorySweep(
        "policy",
        found,
        forget,
        lambda connection: int(_SQL.count_policy(connection, before=before)),
    )


def _forget_alerts(connection: Connection[Any], alert_ids: list[int]) -> None:
    _SQL.delete_recipients(connection, alert_ids=alert_ids)
    _SQL.delete_deliveries(connection, alert_ids=alert_ids)
    _SQL.delete_alerts(connection, alert_ids=alert_ids)


def _ids(rows: Any) -> list[int]:
    return [row["id"] for row in rows]


def _statement(name: str) -> Callable[..., Any]:
    statement: Callable[..., Any] = getattr(_SQL, name)
    return statement
