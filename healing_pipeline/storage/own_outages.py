"""Outages of our own connection, as rows, with the alert that says so and the one that it is over.

Learning leaves their minutes out: see `healing.own_outage_minutes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.alerts import save_alert
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


def begin_own_outage(connection: Connection[Any], *, at: datetime, evidence: str) -> bool:
    """Tell that we are cut off, with an alert; False when that is told already."""
    outage_id = _SQL.begin_own_outage(connection, at=at, evidence=storable(evidence))
    if outage_id is None:
        return False
    save_alert(
        connection,
        at=at,
        level=Severity.CRITICAL,
        title="Our own connection is down",
        body=f"{evidence}. No provider is blamed, nothing is probed or healed until one of them "
        "can be reached; then it goes on by itself. Readers are served from stored data.",
        dedupe_key=f"own_outage:{outage_id}",
    )
    return True


def end_own_outage(connection: Connection[Any], *, at: datetime, evidence: str) -> bool:
    """Tell that it is over; False when it is told already, or there was none."""
    row = _SQL.end_own_outage(connection, at=at)
    if row is None:
        return False
    outage = OwnOutage(**row)
    assert outage.ended_at is not None, "it has just ended"
    lasted_s = (outage.ended_at - outage.began_at).total_seconds()
    save_alert(
        connection,
        at=at,
        level=Severity.INFO,
        title="Our own connection is back",
        body=f"It was down for {lasted_s:.0f} s; {evidence}.",
        dedupe_key=f"own_outage:{outage.id}:ended",
    )
    return True


def is_cut_off(connection: Connection[Any]) -> bool:
    """Whether our own connection is down, as far as is told."""
    outage = latest_own_outage(connection)
    return outage is not None and outage.ended_at is None


def latest_own_outage(connection: Connection[Any]) -> OwnOutage | None:
    """The outage that lasts, else the last one; None when there never was one."""
    row = _SQL.latest_own_outage(connection)
    return None if row is None else OwnOutage(**row)
