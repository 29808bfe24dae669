"""The eight structures that reports and language models get, each declared once.

A structure is flat: its columns, their types, and whether they may be empty. TOON, CSV, JSON, the
JSON Schema of a document and Dagster's table schema are made of that, and so is the check of what
comes back. No cell holds a list: a short one is a text joined by ``|``, a long one is a row each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from healing_pipeline.reporting.columns import HEALTH_COLUMNS, Column

JOINED_BY = "|"


@dataclass(frozen=True, slots=True)
class Structure:
    """A table that is always of the same shape.

    Attributes
    ----------
    name : str
        What a row is, in the plural.
    columns : tuple of Column
        In the order in which they are written.
    description : str
        What one row is.
    """

    name: str
    columns: tuple[Column, ...]
    description: str


def joined(names: Iterable[str]) -> str:
    """A short list as one cell; a ``|`` within a name becomes a ``/``, so the parts stay apart."""
    return JOINED_BY.join(each.replace(JOINED_BY, "/") for each in names)


def _given(name: str, kind: str, description: str) -> Column:
    return Column(name, kind, description, nullable=False)


ERROR_EVENTS = Structure(
    "error_events",
    (
        _given("at", "timestamp", "When it was seen"),
        _given("source", "string", "Whose endpoint it is"),
        _given("endpoint", "string", "What was asked"),
        _given("failure_class", "string", "How it failed"),
        _given("seen_by", "string", "reader, probe, or heal for a heal run"),
        Column("host", "string", "Name of the host that was asked"),
        Column("key", "string", "Name of the key that was used"),
        Column("status", "int", "HTTP status; empty without a response"),
        _given("seconds", "float", "How long the call took"),
        Column("healed_by", "string", "Strategy that answered the same request all the same"),
        _given("evidence", "string", "What was seen and what was expected"),
    ),
    "A first call or a probe that failed, the newest first.",
)

ENDPOINT_HEALTH = Structure(
    "endpoint_health", HEALTH_COLUMNS, "The health of one endpoint over the window."
)

HEALING_STRATEGIES = Structure(
    "healing_strategies",
    (
        _given("source", "string", "Whose endpoints it was used for"),
        _given("strategy", "string", "What was tried"),
        _given("against", "string", "Failure classes it was tried against, joined by |"),
        _given("tries", "int", "Attempts in the window"),
        _given("healed", "int", "Of those, the ones that gave an answer"),
        _given("success_rate", "float", "healed / tries"),
        _given("exact", "int", "Of the healed, the ones whose data was exact"),
        _given("mean_s", "float", "Mean seconds of an attempt"),
        _given("last_at", "timestamp", "When it was last tried"),
    ),
    "How one strategy fared at one source in the window.",
)

ACTIVE_ALERTS = Structure(
    "active_alerts",
    (
        _given("id", "int", "Number of the alert group"),
        _given("level", "string", "info, warning, error or critical; the highest it had"),
        Column("source", "string", "Whose endpoints; empty when it is no source's"),
        Column("root_cause", "string", "Where the fault lies, as far as it is known"),
        _given("title", "string", "What people were told"),
        _given("began_at", "timestamp", "When it began"),
        Column("recovered_at", "timestamp", "Since then nothing of it is wrong"),
        Column("acknowledged_by", "string", "Who took it on"),
        _given("incidents", "int", "Incidents it speaks of"),
        _given("endpoints", "string", "Their endpoints, joined by |; the first ten"),
        _given("owners", "string", "Who is told of it, joined by |"),
    ),
    "What people are told of and what is not closed, the worst first.",
)

FALLBACK_CHAINS = Structure(
    "fallback_chains",
    (
        _given("endpoint", "string", "What is asked"),
        _given("level", "int", "0 is the primary, then what may stand in for it"),
        _given("strategy", "string", "plain, or the strategy that goes this way"),
        _given("target", "string", "Host, key, endpoint, series or fund that is asked"),
        _given("source", "string", "Whose it is"),
        _given("fidelity", "string", "The best label of its answers"),
        _given("accepted", "bool", "Whether readers of this endpoint take that label"),
        _given("in_use", "bool", "Whether readers are served by that strategy now"),
    ),
    "One level of an endpoint's fallback chain.",
)

KNOWLEDGE_BASE = Structure(
    "knowledge_base",
    (
        _given("level", "string", "inner: one source, fading; outer: all sources, by days"),
        Column("source", "string", "Whose endpoints failed; empty for outer"),
        _given("failure_class", "string", "How they failed"),
        _given("strategy", "string", "What was tried against it"),
        _given("tries", "int", "Attempts that were learned from"),
        _given("healed", "int", "Of those, the ones that healed"),
        Column("success_rate", "float", "healed / tries; empty without tries"),
        Column("mean_s", "float", "Mean seconds of an attempt; empty without tries"),
        Column("chance", "float", "That it heals, as the policy in force believes"),
    ),
    "What was learned of one strategy against one failure class.",
)

MONITORING_TARGETS = Structure(
    "monitoring_targets",
    (
        _given("source", "string", "Whose endpoint it is"),
        _given("endpoint", "string", "What is watched"),
        _given("host", "string", "Name of the host that is asked first"),
        _given("path", "string", "Path at the provider, without query and key"),
        _given("interval_s", "float", "Seconds between probes"),
        _given("deadline_s", "float", "Seconds a reader waits at most"),
        _given("accepts", "string", "Fidelities that readers take, joined by |"),
        Column("max_age_s", "float", "Older data is stale; empty for no limit"),
        Column("owner", "string", "Who is told about it"),
        Column("last_probe_at", "timestamp", "When it was last probed"),
        Column("last_seen", "string", "Failure class of that probe, or ok"),
        Column("next_probe_at", "timestamp", "When it is due again"),
    ),
    "One endpoint that is watched.",
)

REALTIME_METRICS = Structure(
    "realtime_metrics",
    (
        _given("minute", "timestamp", "Begin of the minute"),
        _given("source", "string", "Whose endpoints"),
        _given("requests", "int", "Readers' requests"),
        _given("reader_errors", "int", "Of those, the ones without an accepted answer"),
        _given("met_fault", "int", "Of those, the ones that met a healable failure"),
        _given("healed_requests", "int", "Of those, the answered ones"),
        Column("mean_s", "float", "Mean seconds to an answer; empty without requests"),
        Column("p95_s", "float", "95th percentile of the seconds to an answer"),
        _given("probes", "int", "Probes"),
        _given("failures", "int", "Of those, the failed ones"),
        _given("upstream_calls", "int", "Calls sent for readers and heal runs"),
    ),
    "One source in one minute, the newest first.",
)

STRUCTURES: Mapping[str, Structure] = MappingProxyType(
    {
        each.name: each
        for each in (
            ERROR_EVENTS,
            ENDPOINT_HEALTH,
            HEALING_STRATEGIES,
            ACTIVE_ALERTS,
            FALLBACK_CHAINS,
            KNOWLEDGE_BASE,
            MONITORING_TARGETS,
            REALTIME_METRICS,
        )
    }
)

# What holds for all tables of a document; stands above them where a format has room for it.
ABOUT_COLUMNS = (
    Column("made_at", "timestamp", "When it was made"),
    Column("window", "string", "How long the window is, in words"),
    Column("from", "timestamp", "Begin of the window"),
    Column("until", "timestamp", "End of the window; what happened then is not in it"),
    Column("cut", "string", "Tables that have only the first of their rows, joined by |"),
)
