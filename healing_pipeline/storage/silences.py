"""What keeps people from being told, as rows: silences, and maintenance of sources."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting.muting import Maintenance, Silence
from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import storable

_SQL = load_statements("silences")


def begin_silence(
    connection: Connection[Any],
    *,
    source: str | None,
    endpoint: str | None,
    ends_at: datetime,
    reason: str,
    by: str,
    at: datetime,
) -> int:
    """Tell nobody of a source (None: all) or of endpoints like a pattern, until a moment."""
    number: int = _SQL.begin_silence(
        connection,
        source=source,
        endpoint=endpoint,
        at=at,
        ends_at=ends_at,
        reason=storable(reason),
        by=storable(by),
    )
    return number


def end_silence(connection: Connection[Any], *, silence_id: int, at: datetime) -> bool:
    """End a silence now; False when there is none of that number, or it is over."""
    return int(_SQL.end_silence(connection, silence_id=silence_id, at=at)) > 0


def silences_at(connection: Connection[Any], at: datetime) -> list[Silence]:
    """The silences in force at a moment."""
    return [Silence(**row) for row in _SQL.silences_until(connection, at=at, is_begun=True)]


def begin_maintenance(
    connection: Connection[Any],
    *,
    source: str | None,
    begins_at: datetime,
    ends_at: datetime,
    reason: str,
) -> int:
    """Note that a source (None: all) will be away: nobody is told of it, and nothing is learned."""
    number: int = _SQL.begin_maintenance(
        connection, source=source, begins_at=begins_at, ends_at=ends_at, reason=storable(reason)
    )
    return number


def end_maintenance(connection: Connection[Any], *, maintenance_id: int, at: datetime) -> bool:
    """End a window now, or take it back; False when there is no such window, or it is over."""
    return int(_SQL.end_maintenance(connection, maintenance_id=maintenance_id, at=at)) > 0


def maintenance_until(connection: Connection[Any], at: datetime) -> list[Maintenance]:
    """The windows that end after a moment, those to come too."""
    return [Maintenance(**row) for row in _SQL.maintenance_until(connection, at=at)]
