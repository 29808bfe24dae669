"""Snapshots as rows: the last good data of every question, shared by all processes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.healing.facts import SnapshotFact
from healing_pipeline.storage.facts import COLUMNS, reading_of, row_of
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("snapshots")


def save_snapshot(connection: Connection[Any], snapshot: SnapshotFact) -> bool:
    """Keep `snapshot`; False when one as new is there already."""
    values = dict(zip(COLUMNS[SnapshotFact], row_of(snapshot), strict=True))
    return int(_SQL.save_snapshot(connection, **values)) > 0


def load_snapshots(
    connection: Connection[Any],
    endpoints: Iterable[str] | None = None,
    newer_than: datetime | None = None,
) -> list[SnapshotFact]:
    """Snapshots, the oldest first; of all endpoints and any age by default."""
    wanted = None if endpoints is None else list(endpoints)
    rows = _SQL.load_snapshots(connection, endpoints=wanted, newer_than=newer_than)
    return [
        SnapshotFact(
            **{
                **row,
                "reading": reading_of(row["reading"]),
                "body": bytes(row["body"]),
            }
        )
        for row in rows
    ]
