"""What the data path saw: readers' first attempts that failed, since a cursor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("observations")


@dataclass(frozen=True, slots=True)
class SeenFailures:
    """The failed first attempts of one strategy at one endpoint.

    Attributes
    ----------
    strategy : str
        ``plain``, or the remedy of an active route: then it is the route that fails.
    requests, failures : int
        First attempts of this kind, and those of them that failed.
    failure_class, evidence
        Of the newest failure.
    first_at, last_at : datetime
        Of the failures.
    last_ok_at : datetime or None
        The newest first attempt that was good; later than `last_at` when it got well again.
    """

    source: str
    endpoint: str
    strategy: str
    requests: int
    failures: int
    failure_class: FailureClass
    evidence: str
    first_at: datetime
    last_at: datetime
    last_ok_at: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen up to a cursor; the next question begins there."""

    failures: tuple[SeenFailures, ...]
    cursor: int


@dataclass(frozen=True, slots=True)
class ReaderEvidence:
    """What readers' plain calls to one endpoint met lately.

    Attributes
    ----------
    failures : int
    good_since : int
        Good calls since the newest failure; all of them when none failed.
    first_at : datetime or None
        Of the failures; None when none failed.
    failure_class, evidence
        Of the newest failure; ``ok`` and nothing when none failed.
    """

    endpoint: str
    failures: int
    good_since: int
    first_at: datetime | None
    failure_class: FailureClass
    evidence: str


def latest_cursor(connection: Connection[Any]) -> int:
    """The cursor that has everything behind it."""
    cursor: int = _SQL.latest_seq(connection)
    return cursor


def failed_answers_since(connection: Connection[Any], source: str | None, after: int = 0) -> Seen:
    """What readers met after the cursor `after`, the oldest trouble first; each attempt once.

    Notes
    -----
    Exact: facts get their number in the order of commits, so the cursor passes nothing by.
    """
    cursor = max(after, latest_cursor(connection))
    rows = _SQL.failed_answers(connection, source=source, after_seq=after, until_seq=cursor)
    return Seen(
        tuple(
            SeenFailures(**{**row, "failure_class": FailureClass(row["failure_class"])})
            for row in rows
        ),
        cursor,
    )


def reader_evidence(
    connection: Connection[Any], *, source: str, since: datetime
) -> list[ReaderEvidence]:
    """What readers' plain calls met since a moment, for every endpoint that was asked."""
    rows = _SQL.reader_evidence(connection, source=source, since=since)
    return [
        ReaderEvidence(**{**row, "failure_class": FailureClass(row["failure_class"])})
        for row in rows
    ]
