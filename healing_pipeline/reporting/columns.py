"""The columns of what is reported, declared once: name, type, meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass

TYPES = ("string", "int", "float", "timestamp", "bool")

# What every format takes for a name as it stands, TOON without quotes among them.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        Letters, digits and ``_``, no digit first.
    type : str
        One of `TYPES`: ``string``, ``int``, ``float``, ``timestamp`` or ``bool``.
    description : str
        For a person and for a language model.
    nullable : bool
        Whether a row may have no value for it.

    Raises
    ------
    ValueError
        If the name or the type is another.
    """

    name: str
    type: str
    description: str
    nullable: bool = True

    def __post_init__(self) -> None:
        if NAME.fullmatch(self.name) is None:
            raise ValueError(f"{self.name!r} is no name of a column: letters, digits and `_` are.")
        if self.type not in TYPES:
            raise ValueError(f"{self.type!r} is no type of a column; {', '.join(TYPES)} are.")


HEALTH_COLUMNS = (
    Column("source", "string", "Whose endpoint it is", nullable=False),
    Column("endpoint", "string", "What is watched", nullable=False),
    Column("state", "string", "healthy, or where its open incident stands", nullable=False),
    Column("uptime", "float", "Of the primary, by probes; empty without probes"),
    Column("error_rate", "float", "Readers' requests without an answer, of all"),
    Column("healing_rate", "float", "Answered, of the requests that met a healable failure"),
    Column("probes", "int", "Probes in the window", nullable=False),
    Column("failures", "int", "Of those, the failed ones", nullable=False),
    Column("requests", "int", "Readers' requests in the window", nullable=False),
    Column(
        "met_fault",
        "int",
        "Of those, the ones whose first attempt met a healable failure",
        nullable=False,
    ),
    Column("healed_requests", "int", "Of those, the answered ones", nullable=False),
    Column(
        "reader_errors", "int", "Requests that ended without an accepted answer", nullable=False
    ),
    Column("incidents", "int", "Incidents open at any moment of the window", nullable=False),
    Column("p50_s", "float", "Median seconds to an answer; empty of more than 25 hours"),
    Column("p95_s", "float", "95th percentile of the seconds to an answer; likewise"),
    Column("active_strategy", "string", "What serves readers while the primary is down"),
    Column("fidelity_now", "string", "How close that is to what is asked"),
)

MARKET_DATA_COLUMNS = (
    Column("endpoint", "string", "What was asked"),
    Column("fidelity", "string", "exact, stale, coarser or proxy; empty when nothing was had"),
    Column("as_of", "timestamp", "The moment the newest number speaks of"),
    Column("provider", "string", "Who served it"),
    Column("strategy", "string", "plain, or what healed it"),
    Column("points", "int", "How many numbers"),
    Column("newest", "float", "The newest number"),
    Column("seconds", "float", "From question to answer"),
)

SLO_COLUMNS = (
    Column("source", "string", "Whose endpoints were read"),
    Column("objective", "float", "Share of readers' requests that has to be answered"),
    Column("requests", "int", "Readers' requests in the window: what the SLI is a share of"),
    Column("reader_errors", "int", "Of those, the ones without an accepted answer"),
    Column("sli", "float", "Answered requests, of all; empty when nobody asked"),
    Column("budget", "float", "Requests of the window that may fail"),
    Column("budget_left", "float", "Share of that not used up; below 0 when more failed"),
    Column("met_fault", "int", "Requests whose first attempt met a healable failure"),
    Column("healed_requests", "int", "Of those, the answered ones"),
    Column("healing_rate", "float", "Answered, of the requests that met a healable failure"),
    Column("burn_1h", "float", "Times faster than allowed the budget went in the last hour"),
    Column("burn_6h", "float", "The same over six hours"),
    Column("burn_3d", "float", "The same over three days"),
)

ENDPOINT_COLUMNS = (
    Column("source", "string", "Whose endpoint it is"),
    Column("endpoint", "string", "What was read and watched"),
    Column("requests", "int", "Readers' requests in the window"),
    Column("reader_errors", "int", "Of those, the ones without an accepted answer"),
    Column("error_rate", "float", "Without an answer, of all; empty when nobody asked"),
    Column("met_fault", "int", "Requests whose first attempt met a healable failure"),
    Column("healed_requests", "int", "Of those, the answered ones"),
    Column("healing_rate", "float", "Answered, of the requests that met a healable failure"),
    Column("probes", "int", "Probes in the window, without those that met the caller's fault"),
    Column("failures", "int", "Of those, the failed ones"),
    Column("uptime", "float", "Good probes, of all; empty without probes"),
    Column("mean_s", "float", "Mean seconds to an answer; of probes where nobody read"),
    Column("worst_p95_s", "float", "Largest 95th percentile of a quarter of an hour"),
)

INCIDENT_COLUMNS = (
    Column("id", "int", "Number of the incident"),
    Column("source", "string", "Whose endpoint it is"),
    Column("endpoint", "string", "What failed"),
    Column("state", "string", "Where it stands"),
    Column("failure_class", "string", "How it failed"),
    Column("root_cause", "string", "Where the fault lies, as far as it is known"),
    Column("severity", "string", "How bad for readers"),
    Column("began_at", "timestamp", "First bad observation"),
    Column("detected_at", "timestamp", "When it was believed"),
    Column("healed_at", "timestamp", "When readers were served again, the first time"),
    Column("resolved_at", "timestamp", "When the primary was good again"),
    Column("mttd_s", "float", "Seconds from begin to detection"),
    Column("mtth_s", "float", "Seconds from detection to the first heal"),
    Column("mttr_s", "float", "Seconds from begin to recovery"),
    Column("strategy", "string", "What healed it"),
    Column("fidelity", "string", "How close that was to what is asked"),
    Column("heals", "int", "How often it was healed"),
    Column("evidence", "string", "What was seen"),
)
