"""Readers without an accepted answer, counted by source and window.

What a request asked for and could not have is the caller's own matter: it is in no number here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting.error_rates import Window
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("error_counts")

Counts = dict[str, dict[timedelta, Window]]
"""By source and length of the window."""


def sources_with_errors(connection: Connection[Any], since: datetime) -> dict[str, datetime]:
    """Sources of which a reader went without an answer since a moment, and when first."""
    rows = _SQL.sources_with_errors(connection, since=since)
    return {row["source"]: row["first_at"] for row in rows}


@dataclass(frozen=True, slots=True)
class Counted:
    """From when on errors of a source count; None: from ever.

    Attributes
    ----------
    budget : datetime or None
        For its error budget: not those that were told of, or were nobody's fault.
    now : datetime or None
        For what is wrong now: not those before an endpoint of it was healed or well again either.
    """

    budget: datetime | None
    now: datetime | None


def counted_since(
    connection: Connection[Any], sources: Collection[str], now: datetime
) -> dict[str, Counted]:
    """From when on errors of each source count."""
    return {
        row["source"]: Counted(
            row["fault_since"],
            max((each for each in (row["fault_since"], row["heal_since"]) if each), default=None),
        )
        for row in _SQL.counted_since(connection, sources=list(sources), now=now)
    }


def counts(
    connection: Connection[Any],
    since: Mapping[str, datetime | None],
    windows: Sequence[timedelta],
    now: datetime,
    *,
    endpoints: Collection[str] | None = None,
) -> Counts:
    """Requests and errors of sources in windows that end now.

    Parameters
    ----------
    since : Mapping
        The sources, and from when on their errors count.
    endpoints : collection of str, optional
        Theirs, where they are read seldom and the windows are long.
    """
    starts = [now - each for each in windows]
    given = {"sources": list(since), "sinces": list(since.values()), "starts": starts}
    rows = (
        _SQL.counts_by_window(connection, **given)
        if endpoints is None
        else _SQL.counts_by_window_of(connection, endpoints=list(endpoints), **given)
    )
    return _counts(rows, since, windows)


def long_counts(
    connection: Connection[Any],
    since: Mapping[str, datetime | None],
    windows: Sequence[timedelta],
    now: datetime,
) -> Counts:
    """The same in windows of hours and days."""
    starts = [now - each for each in windows]
    rows = _SQL.long_counts(
        connection, sources=list(since), sinces=list(since.values()), starts=starts
    )
    return _counts(rows, since, windows)


def readers_between(
    connection: Connection[Any], endpoints: Collection[str], began_at: datetime, ended_at: datetime
) -> tuple[int, int]:
    """Requests to endpoints within a time, and those of them without an accepted answer."""
    row = _SQL.readers_between(
        connection, endpoints=list(endpoints), began_at=began_at, ended_at=ended_at
    )
    return row["readers"], row["readers_without_answer"]


def sources_being_healed(connection: Connection[Any], since: datetime) -> set[str]:
    """Sources with an incident that is being healed, or waits for it, since a moment or later."""
    return {row["source"] for row in _SQL.sources_being_healed(connection, since=since)}


def _counts(
    rows: Sequence[Mapping[str, Any]], sources: Collection[str], windows: Sequence[timedelta]
) -> Counts:
    found: Counts = {source: {each: Window(each, 0, 0) for each in windows} for source in sources}
    for row in rows:
        lasts = windows[row["number"] - 1]
        found[row["source"]][lasts] = Window(lasts, row["requests"], row["errors"])
    return found
