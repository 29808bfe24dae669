"""Folding facts into the learning tables, and reading those; the statements do all the work.

A partition is an hour of a source. Its rows are replaced in one transaction and depend on nothing
but the facts, so that any order, also at once, also twice, leaves the same tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from psycopg import Connection

from healing_pipeline.learning.knowledge import OUTCOMES_KEPT
from healing_pipeline.learning.observations import OK_SECONDS_EDGES
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("learning")

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LateHour:
    """A closed hour with facts that its fold has not seen.

    Attributes
    ----------
    seq : int
        ``attempt.seq`` of the newest of them.
    """

    hour: datetime
    seq: int


def fold_hours(
    connection: Connection[Any], from_at: datetime, to_at: datetime, sources: Sequence[str]
) -> datetime:
    """Replace the partitions [from_at, to_at) x sources by what the facts say now.

    Hours whose facts were pruned keep what was learned of them.

    Parameters
    ----------
    from_at, to_at : datetime
        Whole UTC hours, of one month at most: each day of a source takes one of the server's locks.
    sources : sequence of str
        Each once.

    Returns
    -------
    datetime
        The first hour that was folded; `to_at` when none was.
    """
    kept_until = facts_reach_back_to(connection)
    if kept_until is not None and kept_until > from_at:
        from_at = min(kept_until, to_at)
        if from_at == to_at:
            return from_at
    span = {"from_at": from_at, "to_at": to_at, "sources": list(sources)}
    _SQL.take_turns(connection, **span)
    seq = _SQL.newest_seq(connection)
    _SQL.take_memory(connection)
    _SQL.prepare_lessons(connection)
    outages = _SQL.outage_minutes(connection, from_at=from_at, to_at=to_at)
    _SQL.gather_lessons(connection, **span, outages=outages)
    _SQL.measure_lessons(connection)
    _SQL.clear_inner_knowledge(connection, **span)
    _SQL.fold_inner_knowledge(connection, from_at=from_at, kept=OUTCOMES_KEPT)
    _SQL.clear_inner_pair(connection, **span)
    _SQL.fold_inner_pair(connection, from_at=from_at)
    _SQL.clear_inner_parameter(connection, **span)
    _SQL.fold_inner_parameter(connection, from_at=from_at)
    _SQL.clear_inner_observation(connection, **span)
    _SQL.fold_inner_observation(connection, **span, outages=outages, edges=list(OK_SECONDS_EDGES))
    _SQL.note_folds(connection, **span, seq=seq)
    return from_at


def facts_reach_back_to(connection: Connection[Any]) -> datetime | None:
    """The moment before which facts were pruned; None when none ever were.

    It stays so until the end of the transaction.
    """
    moment: datetime | None = _SQL.facts_reach_back_to(connection)
    return moment


def fold_days(connection: Connection[Any], from_at: datetime, to_at: datetime) -> datetime:
    """Replace the days [from_at, to_at) by the sums of their hours.

    Days whose hours were pruned keep their sums.

    Returns
    -------
    datetime
        The first day that was summed; `to_at` when none was.
    """
    kept_until: datetime | None = _SQL.hours_reach_back_to(connection)
    if kept_until is not None and kept_until > from_at:
        from_at = min(kept_until, to_at)
        if from_at == to_at:
            return from_at
    span = {"from_at": from_at, "to_at": to_at}
    _SQL.take_turns_outer(connection, **span)
    _SQL.clear_outer_knowledge(connection, **span)
    _SQL.fold_outer_knowledge(connection, **span)
    _SQL.note_outer_folds(connection, **span)
    return from_at


def outer_count(connection: Connection[Any], from_at: datetime, to_at: datetime) -> int:
    """How many rows the days [from_at, to_at) have."""
    count: int = _SQL.outer_count(connection, from_at=from_at, to_at=to_at)
    return count


def rows_of(
    connection: Connection[Any], from_at: datetime, to_at: datetime, sources: Sequence[str]
) -> dict[str, int]:
    """How many rows each inner table has for partitions."""
    found = _SQL.rows_of(connection, from_at=from_at, to_at=to_at, sources=list(sources))
    return dict(found)


def inner_rows(connection: Connection[Any], from_at: datetime, to_at: datetime) -> list[Row]:
    """`INNER_COLUMNS` of all sources, hours [from_at, to_at)."""
    return _rows(_SQL.inner_rows(connection, from_at=from_at, to_at=to_at))


def pair_rows(connection: Connection[Any], from_at: datetime, to_at: datetime) -> list[Row]:
    """`PAIR_COLUMNS` of all sources, hours [from_at, to_at)."""
    return _rows(_SQL.pair_rows(connection, from_at=from_at, to_at=to_at))


def outer_rows(connection: Connection[Any], to_at: datetime) -> list[Row]:
    """`OUTER_COLUMNS` of all days before `to_at`; a day that was not summed yet is summed here."""
    return _rows(_SQL.outer_rows(connection, to_at=to_at))


def parameter_rows(connection: Connection[Any], from_at: datetime, to_at: datetime) -> list[Row]:
    """Counts by how long an attempt had waited, hours [from_at, to_at)."""
    return _rows(_SQL.parameter_rows(connection, from_at=from_at, to_at=to_at))


def observation_rows(connection: Connection[Any], from_at: datetime, to_at: datetime) -> list[Row]:
    """What plain calls and probes saw of endpoints, hours [from_at, to_at)."""
    return _rows(_SQL.observation_rows(connection, from_at=from_at, to_at=to_at))


def lesson_rows(
    connection: Connection[Any], from_at: datetime, to_at: datetime, sources: Sequence[str]
) -> list[Row]:
    """The attempts that teach, `ATTEMPT_COLUMNS` and `exact`, at [from_at, to_at)."""
    return _rows(_SQL.lesson_rows(connection, from_at=from_at, to_at=to_at, sources=list(sources)))


def healing_days(connection: Connection[Any], from_at: datetime, to_at: datetime) -> list[Row]:
    """By `day`: `healed`, the share of readers' failures answered; `first_try`, of attempts."""
    return _rows(_SQL.healing_days(connection, from_at=from_at, to_at=to_at))


def late_hours(
    connection: Connection[Any], cursor: int, closed_before: datetime, sources: Sequence[str]
) -> tuple[list[LateHour], int]:
    """Hours to fold again, because facts after `cursor` came after their fold; and the next cursor.

    Parameters
    ----------
    closed_before : datetime
        Hours from here on are not closed: the cursor stays before their facts.
    """
    found = _SQL.late_hours(
        connection, cursor=cursor, closed_before=closed_before, sources=list(sources)
    )
    hours = [LateHour(row["hour"], row["seq"]) for row in found]
    return hours, _SQL.all_seen_until(connection, cursor=cursor, closed_before=closed_before)


def first_unfolded(
    connection: Connection[Any], since: datetime, before: datetime, sources: Sequence[str]
) -> datetime | None:
    """The first hour with facts that their fold has not seen; None when all is folded."""
    found: datetime | None = _SQL.first_unfolded(
        connection, since=since, before=before, sources=list(sources)
    )
    return found


def unsummed_days(connection: Connection[Any], since: datetime, before: datetime) -> list[datetime]:
    """Days that have folded hours and were never summed."""
    return [row["day"] for row in _SQL.unsummed_days(connection, since=since, before=before)]


def add_maintenance(
    connection: Connection[Any],
    source: str | None,
    begins_at: datetime,
    ends_at: datetime,
    reason: str,
) -> int:
    """Let nothing of [begins_at, ends_at) teach; of one source, or of all. Returns its number."""
    number: int = _SQL.add_maintenance(
        connection, source=source, begins_at=begins_at, ends_at=ends_at, reason=reason
    )
    return number


def _rows(found: Iterable[Row]) -> list[Row]:
    return list(found)
