"""What the data path saw: every reader's request is an observation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("observations")


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


def reader_evidence(
    connection: Connection[Any], *, source: str, since: datetime, until: datetime | None = None
) -> list[ReaderEvidence]:
    """What readers' plain calls met since a moment, for every endpoint that was asked.

    What comes after `until` was noted before the clock was set back, and is left out.
    """
    rows = _SQL.reader_evidence(connection, source=source, since=since, until=until)
    return [
        ReaderEvidence(**{**row, "failure_class": FailureClass(row["failure_class"])})
        for row in rows
    ]


def unserved(
    connection: Connection[Any], *, source: str, since: datetime, until: datetime
) -> dict[str, datetime]:
    """When a reader of each endpoint last ended without an answer; without those that none did."""
    rows = _SQL.unserved(connection, source=source, since=since, until=until)
    return {row["endpoint"]: row["at"] for row in rows}
