"""What the facts add up to: health by endpoint, counts, and what healed what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("reports")

# Of a thousand endpoints a day has more than a million probes, which take two seconds. Of longer
# windows health is told from quarters of an hour, without percentiles.
MOST_READ_WHOLE = timedelta(hours=25)
COUNTS = (
    *("probes", "failures", "requests", "met_fault", "healed_requests", "reader_errors"),
    "incidents",
)


@dataclass(frozen=True, slots=True)
class HealthRow:
    """The health of one endpoint over a window that ends at `report_at`.

    Attributes
    ----------
    probes, failures : int
        Probes that count and those of them that failed; the caller's faults are in neither.
    met_fault, healed_requests : int
        Readers' requests whose first attempt met a healable failure, and those answered all the
        same.
    reader_errors : int
        Requests without an accepted answer, of `requests`.
    incidents : int
        Incidents that were open at any moment of the window.
    uptime : float or None
        1 - failures / probes; None without probes.
    error_rate : float or None
        reader_errors / requests; None without requests.
    healing_rate : float or None
        healed_requests / met_fault; None when nothing was met.
    p50_s, p95_s : float or None
        Seconds that readers waited; that probes took where nobody read.
    fidelity_now : Fidelity or None
        Of the active route, else of the newest answer; None where nobody read.
    state : str
        ``healthy``, or the open incident's state.
    active_strategy : str or None
        Of the active route.
    """

    report_at: datetime
    endpoint: str
    source: str
    window_s: float
    probes: int
    failures: int
    requests: int
    met_fault: int
    healed_requests: int
    reader_errors: int
    incidents: int
    uptime: float | None
    error_rate: float | None
    healing_rate: float | None
    p50_s: float | None
    p95_s: float | None
    fidelity_now: Fidelity | None
    state: str
    active_strategy: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What one failure class met; with a strategy, how that strategy fared against it.

    Attributes
    ----------
    strategy : str or None
        None for the class as a whole: `met` then counts requests, otherwise attempts.
    """

    failure_class: FailureClass
    strategy: str | None
    met: int
    healed: int
    median_s: float


def health_rows(connection: Connection[Any], since: datetime, until: datetime) -> list[HealthRow]:
    """The health of every endpoint that is watched or was seen in [since, until)."""
    return [_health_row(row) for row in _SQL.health_rows(connection, since=since, until=until)]


def health_of_window(
    connection: Connection[Any], since: datetime, until: datetime
) -> list[HealthRow]:
    """The same of any window: of one longer than a day by quarters of an hour that were folded.

    Those have no percentiles of the whole, and reach further back than the facts do.
    """
    if until - since <= MOST_READ_WHOLE:
        return health_rows(connection, since, until)
    window_s = (until - since).total_seconds()
    more = {"report_at": until, "window_s": window_s, "p50_s": None, "p95_s": None}
    return [
        _health_row({**row, **more, **{name: int(row[name]) for name in COUNTS}})
        for row in long_health(connection, since, until)
    ]


def long_health(
    connection: Connection[Any], since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """The health of every endpoint, from quarters of an hour that were folded."""
    return list(_SQL.long_health(connection, since=since, until=until))


def save_health_report(connection: Connection[Any], rows: Iterable[HealthRow]) -> int:
    """Keep a report; the same report again takes the place of the first. Returns its rows."""
    values = [asdict(row) for row in rows]
    for each in values:
        each["fidelity_now"] = None if each["fidelity_now"] is None else str(each["fidelity_now"])
    if values:
        _SQL.save_health_row(connection, values)
    return len(values)


def latest_health_report(connection: Connection[Any]) -> list[HealthRow]:
    """The newest report; empty before the first."""
    return [_health_row(row) for row in _SQL.latest_health_report(connection)]


def counts(connection: Connection[Any]) -> dict[str, int]:
    """Rows by table: what a drill compares with what it caused."""
    return dict(_SQL.counts(connection))


def summary_by_class(
    connection: Connection[Any], since: datetime, until: datetime
) -> list[Summary]:
    """What readers' first attempts met, and how often they got data all the same."""
    rows = _SQL.summary_by_class(connection, since=since, until=until)
    return [_summary({"strategy": None, **row}) for row in rows]


def summary_by_strategy(
    connection: Connection[Any], since: datetime, until: datetime
) -> list[Summary]:
    """How each strategy fared against each failure class."""
    return [_summary(row) for row in _SQL.summary_by_strategy(connection, since=since, until=until)]


def _health_row(row: dict[str, Any]) -> HealthRow:
    fidelity = row["fidelity_now"]
    return HealthRow(**{**row, "fidelity_now": None if fidelity is None else Fidelity(fidelity)})


def _summary(row: dict[str, Any]) -> Summary:
    return Summary(**{**row, "failure_class": FailureClass(row["failure_class"])})
