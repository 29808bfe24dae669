"""What runs of Dagster's failed to do, as rows: told once, and until the same was done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import storable

_SQL = load_statements("dagster_failures")


@dataclass(frozen=True, slots=True)
class DagsterFailure:
    """Something that a run should have done and nobody has done since.

    Attributes
    ----------
    subject : str
        What: ``asset:<key>``, ``check:<key>:<name>``, ``op:<job>:<op>`` or ``run:<job>``.
    partition : str or None
        Its key, or ``<first>...<last>``.
    fingerprint : str
        Of the alert group that tells of it.
    """

    run_id: str
    subject: str
    job: str
    partition: str | None
    fingerprint: str
    failed_at: datetime


def take_turn(connection: Connection[Any]) -> None:
    """Be alone with the failures until the transaction ends."""
    _SQL.take_turn(connection)


def subjects_of_run(connection: Connection[Any], run_id: str) -> frozenset[str]:
    """What is told of a run; empty when nobody has told of it."""
    return frozenset(row["subject"] for row in _SQL.subjects_of_run(connection, run_id=run_id))


def runs_told(connection: Connection[Any], run_ids: Collection[str]) -> frozenset[str]:
    """Which of these runs are told of."""
    rows = _SQL.runs_told(connection, run_ids=list(run_ids)) if run_ids else ()
    return frozenset(row["run_id"] for row in rows)


def begun_by_run(connection: Connection[Any], run_id: str) -> str | None:
    """The fingerprint of a group whose message speaks of this run; None when there is none."""
    found: str | None = _SQL.begun_by_run(connection, run_id=run_id)
    return found


def standing_fingerprints(connection: Connection[Any], since: datetime) -> dict[str, bool]:
    """The fingerprints of failures that stand, with whether they began at or after `since`."""
    rows = _SQL.standing_fingerprints(connection, since=since)
    return {row["fingerprint"]: row["is_new"] for row in rows}


def add_failure(connection: Connection[Any], failure: DagsterFailure) -> None:
    """Note a failure, unless it is told of already."""
    _SQL.add_failure(
        connection,
        run_id=failure.run_id,
        subject=storable(failure.subject),
        job=storable(failure.job),
        partition=None if failure.partition is None else storable(failure.partition),
        fingerprint=storable(failure.fingerprint),
        at=failure.failed_at,
    )


def is_standing(connection: Connection[Any], subject: str, partition: str | None) -> bool:
    """Whether something failed and was not done since."""
    return _SQL.is_standing(connection, subject=subject, partition=partition) is not None


def recover_failures(
    connection: Connection[Any], *, subject: str, partition: str | None, at: datetime
) -> frozenset[str]:
    """Note that it was done; the fingerprints of groups that have nothing else to tell."""
    rows = list(_SQL.recover_failures(connection, subject=subject, partition=partition, at=at))
    return frozenset(
        fingerprint
        for fingerprint in {row["fingerprint"] for row in rows}
        if not _SQL.count_standing(connection, fingerprint=fingerprint)
    )


def standing_failures(connection: Connection[Any], most: int) -> list[DagsterFailure]:
    """What was not done since, the oldest first."""
    return [DagsterFailure(**row) for row in _SQL.standing(connection, most=most)]


def prune_failures(connection: Connection[Any], before: datetime) -> None:
    """Forget what was done before a moment."""
    _SQL.prune_failures(connection, before=before)
