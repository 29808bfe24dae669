"""Puts right what a clock that was ahead has written, once it was set back.

Facts stay as they are. What is put right are moments that somebody waits for: nobody would be asked
until they come, which may be in a day.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.healing.strategy import MOST_AHEAD
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("clock_repairs")


def put_right(connection: Connection[Any], now: datetime, by: timedelta | None = None) -> int:
    """Let nothing wait for a moment that is not of this time; how many endpoints would have.

    Parameters
    ----------
    by : timedelta, optional
        By how much the clock was set back just now. None where that is not known, at a start: then
        only what is from the future is put right.
    """
    if by is not None:
        _SQL.age_snapshots(connection, by=by)
    _SQL.age_snapshots_ahead(connection, until=now + MOST_AHEAD)
    return int(_SQL.bring_schedule_forward(connection, now=now))
