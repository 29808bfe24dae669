"""Health by quarter of an hour: facts folded once, so that a day or a month is read cheaply.

A fold replaces the rows of its quarters. Facts that arrive late are news of their quarter, which is
then folded again: see `0011_health_quarters.sql`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.storage.statements import load_statements

_LOG = logging.getLogger(__name__)
_SQL = load_statements("health_quarters")

QUARTER = timedelta(minutes=15)
# What is seen just before a quarter ends is stored just after.
ARRIVES_WITHIN = timedelta(seconds=20)
# After a long time without a fold many are due; nobody waits for all of them at once.
MOST_AT_ONCE = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Quarter:
    """What was seen of one endpoint in the quarter of an hour that begins at `quarter`.

    Attributes
    ----------
    requests : int
        Of readers; without those that asked in vain for what the source does not have.
    met_fault : int
        Of `requests`: those whose first attempt met a healable failure.
    healed : int
        Of `met_fault`: those answered all the same.
    reader_errors : int
        Of `requests`: those without an accepted answer.
    probes, failures : int
        Probes that count, and those of them that failed.
    waited_s : float
        Seconds of all requests together; of all probes where nobody read.
    p50_s, p95_s : float or None
        Of the same.
    ill : bool
        Whether an incident stood open at some moment of it.
    unhealed : bool
        Whether healing had failed at some moment of it.
    """

    quarter: datetime
    endpoint: str
    source: str
    requests: int
    met_fault: int
    healed: int
    reader_errors: int
    probes: int
    failures: int
    waited_s: float
    p50_s: float | None
    p95_s: float | None
    ill: bool
    unhealed: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """The same numbers over a range, of one endpoint or of a whole source (`endpoint` is None).

    Attributes
    ----------
    worst_p95_s : float or None
        The largest 95th percentile of its quarters.
    """

    endpoint: str | None
    source: str
    requests: int
    met_fault: int
    healed: int
    reader_errors: int
    probes: int
    failures: int
    waited_s: float
    worst_p95_s: float | None

    @property
    def error_rate(self) -> float | None:
        """Readers without an answer, of all; None without readers."""
        return _share(self.reader_errors, self.requests)

    @property
    def healing_rate(self) -> float | None:
        """Faults met and healed, of those met; None when none was met."""
        return _share(self.healed, self.met_fault)

    @property
    def uptime(self) -> float | None:
        """Good probes of all that count; None without probes."""
        return None if self.probes == 0 else 1 - self.failures / self.probes


def quarter_of(at: datetime) -> datetime:
    """When the quarter of an hour begins that holds a moment."""
    return at - (at - _EPOCH) % QUARTER


def fold_quarters(
    connection: Connection[Any], now: datetime, *, most: int = MOST_AT_ONCE
) -> list[datetime]:
    """Fold the newest quarters that have ended and of which something is new.

    Returns
    -------
    list of datetime
        When those begin that were seen to; empty when there was nothing to do, or another process
        is at it. One whose facts were pruned keeps what was folded.

    Notes
    -----
    To be called in a transaction, as often as one likes. When `most` were folded there may be more.
    """
    closed = quarter_of(now - ARRIVES_WITHIN)
    if not _SQL.has_news(connection, closed=closed) or not _SQL.fold_turn(connection):
        return []
    _SQL.note_closed(connection, closed=closed)
    told = [row["quarter"] for row in _SQL.take_news(connection, closed=closed, most=most)]
    kept_until: datetime | None = _SQL.facts_reach_back_to(connection)
    quarters = [each for each in told if kept_until is None or each >= kept_until]
    if len(quarters) < len(told):
        _LOG.warning(
            "Something came late for %d quarters of an hour before %s, whose facts were pruned: "
            "their health stays as it was.",
            len(told) - len(quarters),
            kept_until,
        )
    if quarters:
        _SQL.forget_quarters(connection, quarters=quarters)
        _SQL.fold(connection, quarters=quarters)
    return told


def quarters_of_endpoint(
    connection: Connection[Any], endpoint: str, since: datetime, until: datetime
) -> list[Quarter]:
    """What was seen of an endpoint in [since, until), by quarter, the oldest first.

    A quarter that the range cuts holds what lies inside.
    """
    rows = _SQL.quarters_of_endpoint(connection, endpoint=endpoint, since=since, until=until)
    return [Quarter(**row) for row in rows]


def totals_by_endpoint(
    connection: Connection[Any], since: datetime, until: datetime
) -> list[Totals]:
    """What was seen in [since, until), by endpoint; without those that nobody looked at."""
    return [_totals(row) for row in _SQL.totals_by_endpoint(connection, since=since, until=until)]


def totals_by_source(connection: Connection[Any], since: datetime, until: datetime) -> list[Totals]:
    """What was seen in [since, until), by source; without those that nobody looked at."""
    return [_totals(row) for row in _SQL.totals_by_source(connection, since=since, until=until)]


def _totals(row: dict[str, Any]) -> Totals:
    counted = ("requests", "met_fault", "healed", "reader_errors", "probes", "failures")
    return Totals(**{**row, **{name: int(row[name]) for name in counted}})


def _share(part: int, whole: int) -> float | None:
    return None if whole == 0 else part / whole
