"""The digest of a window's error events, with the root causes of its incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.reporting.digest import digest, events_of
from healing_pipeline.reporting.structures import ERROR_EVENTS
from healing_pipeline.storage.incident_rows import IncidentRow
from healing_pipeline.storage.pages import incidents_between
from healing_pipeline.storage.structures import read_structure

# Far more than anybody reads one by one; what is older is not added up, and the digest says so.
MOST_EVENTS = 5_000
MOST_INCIDENTS = 1_000


def read_digest(
    connection: Connection[Any],
    *,
    since: datetime,
    now: datetime,
    catalog: Catalog,
    strike: Callable[[str], str] = str,
) -> str:
    """What a language model has to know of [since, now): TOON of at most 500 tokens.

    Parameters
    ----------
    strike : callable
        Takes out of what upstreams wrote what nobody is to read.
    """
    table = read_structure(
        connection, ERROR_EVENTS.name, since=since, now=now, catalog=catalog, limit=MOST_EVENTS
    )
    causes = causes_of(incidents_between(connection, since, now, MOST_INCIDENTS))
    events = (replace(each, evidence=strike(each.evidence)) for each in events_of(table, causes))
    return digest(
        events,
        now=now,
        window=now - since,
        is_cut=len(table.rows) >= MOST_EVENTS,
    )


def causes_of(incidents: Iterable[IncidentRow]) -> dict[str, str]:
    """By endpoint, the root cause of its latest incident that has one."""
    known = [each for each in incidents if each.root_cause is not None]
    latest_last = sorted(known, key=lambda each: (each.began_at, each.id))
    return {each.endpoint: str(each.root_cause) for each in latest_last}
