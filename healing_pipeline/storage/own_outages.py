"""Outages of our own connection, as rows; `control.own_outages` tells people of them.

Learning leaves their minutes out: see `healing.own_outage_minutes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import storable

_SQL = load_statements("own_outages")


@dataclass(frozen=True, slots=True)
class OwnOutage:
    """A time in which we could reach nobody; `ended_at` is None while it lasts."""

    id: int
    began_at: datetime
    ended_at: datetime | None
    evidence: str


def note_own_outage(connection: Connection[Any], *, at: datetime, evidence: str) -> bool:
    """Note that we are cut off; False when that is known already."""
    return _SQL.begin_own_outage(connection, at=at, evidence=storable(evidence)) is not None


def note_own_outage_over(connection: Connection[Any], *, at: datetime) -> OwnOutage | None:
    """Note that it is over; the outage, or None when that is known already, or there was none."""
    row = _SQL.end_own_outage(connection, at=at)
    return None if row is None else OwnOutage(**row)


def is_cut_off(connection: Connection[Any]) -> bool:
    """Whether our own connection is down, as far as is told."""
    outage = latest_own_outage(connection)
    return outage is not None and outage.ended_at is None


def latest_own_outage(connection: Connection[Any]) -> OwnOutage | None:
    """The outage that lasts, else the last one; None when there never was one."""
    row = _SQL.latest_own_outage(connection)
    return None if row is None else OwnOutage(**row)
