"""What a monitoring system scrapes, as it is read from the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.storage.alert_watch import evaluated_at
from healing_pipeline.storage.own_outages import is_cut_off
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("scrapes")

LATELY = timedelta(days=1)

Counted = Mapping[tuple[Any, ...], tuple[float, ...]]
"""By (source, endpoint or bucket, quarter): counts, in the order that `Scrape` names."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """What was counted since a moment, and what stands now.

    Attributes
    ----------
    reads : Counted
        By (source, endpoint, quarter): requests, reader errors, faults met, faults healed.
    seconds : Counted
        By (source, bucket, quarter): requests, and their seconds together.
    probes : Counted
        By (source, endpoint, quarter): probes, failures.
    states : Mapping
        By (source, endpoint), the state of the open incident.
    groups : Mapping[str, int]
        Alert groups that fire, by level.
    deliveries : Mapping[str, int]
        Pending ones, and those that failed within a day.
    is_cut_off : bool
        Whether our own connection is down.
    evaluated_at : datetime or None
        When alerts were last evaluated, to within 10 s; None when they never were.
    """

    reads: Counted
    seconds: Counted
    probes: Counted
    states: Mapping[tuple[str, str], str]
    groups: Mapping[str, int]
    deliveries: Mapping[str, int]
    is_cut_off: bool
    evaluated_at: datetime | None = None


def scrape(
    connection: Connection[Any], since: datetime, now: datetime, bounds: Sequence[float]
) -> Scrape:
    """Read everything once.

    Parameters
    ----------
    since : datetime
        Begin of a quarter of an hour.
    bounds : sequence of float
        Upper bounds of the buckets of seconds, rising.
    """
    return Scrape(
        reads={
            (row["source"], row["endpoint"], row["quarter"]): (
                row["requests"],
                row["reader_errors"],
                row["met_fault"],
                row["healed"],
            )
            for row in _SQL.read_counts(connection, since=since)
        },
        seconds={
            (row["source"], row["bucket"], row["quarter"]): (row["requests"], row["seconds"])
            for row in _SQL.read_seconds(connection, since=since, bounds=list(bounds))
        },
        probes={
            (row["source"], row["endpoint"], row["quarter"]): (row["probes"], row["failures"])
            for row in _SQL.probe_counts(connection, since=since)
        },
        states={
            (row["source"], row["endpoint"]): row["state"] for row in _SQL.open_states(connection)
        },
        groups={row["level"]: row["groups"] for row in _SQL.groups_by_level(connection)},
        deliveries={
            row["state"]: row["deliveries"]
            for row in _SQL.deliveries_by_state(connection, since=now - LATELY)
        },
        is_cut_off=is_cut_off(connection),
        evaluated_at=evaluated_at(connection),
    )
