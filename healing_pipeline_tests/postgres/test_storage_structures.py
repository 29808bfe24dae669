"""The eight structures, read from a real database: what is in them, and no more than asked for."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from storage_samples import AAPL, NOON, answer, attempt, begin, failed_attempt, later, probe

from healing_pipeline.catalog.values import (
    Alternates,
    ApiKey,
    Catalog,
    Endpoint,
    Host,
    Source,
    Upstreams,
)
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Rate
from healing_pipeline.reporting.structures import STRUCTURES
from healing_pipeline.reporting.table_reading import read_csv
from healing_pipeline.reporting.tables import as_csv
from healing_pipeline.reporting.toon import as_toon
from healing_pipeline.reporting.toon_reading import read_toon
from healing_pipeline.storage import structures
from healing_pipeline.storage.alert_groups import add_incident, begin_group
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.learning import fold_hours
from healing_pipeline.storage.policies import PUBLISHED, Judged, store_policy
from healing_pipeline.storage.routes import set_route
from healing_pipeline.storage.structures import NoSuchStructureError, read_structure

DAILY = "polygon/daily-aapl"
BUSY, LOST = uuid4(), uuid4()
POLICY = Policy(
    as_of=NOON,
    inner={("yahoo", "timeout"): {"alternate_host": Rate(0.91, 40, 0.3, 1.0)}},
    outer={"timeout": {"alternate_host": Rate(0.8, 90, 0.3, 1.0), "etf_proxy": Rate(0.2)}},
)
CATALOG = Catalog(
    sources={
        "yahoo": Source("yahoo", "yahoo", (Host("query1", "http://a"), Host("query2", "http://b"))),
        "polygon": Source(
            "polygon",
            "polygon",
            (Host("api", "http://c"),),
            (ApiKey("primary", "A", "s"), ApiKey("spare", "B", "t")),
        ),
    },
    endpoints={
        AAPL: Endpoint(AAPL, "yahoo", "/c/AAPL", alternates=Alternates(None, "XLK", (DAILY,))),
        DAILY: Endpoint(DAILY, "polygon", "/d/AAPL", accepts=frozenset(Fidelity), owner="a|b"),
    },
    upstreams=Upstreams.SIMULATED,
)


def tell(connection: psycopg.Connection) -> None:
    """An incident that is healed by the other host, and people who know of it."""
    opened = begin(connection)
    assert opened is not None
    set_route(
        connection,
        endpoint=AAPL,
        strategy="alternate_host",
        params={},
        fidelity="exact",
        incident_id=opened.incident_id,
        at=later(5),
    )
    group = begin_group(
        connection,
        fingerprint="x",
        source="yahoo",
        root_cause="host down",
        level=Severity.CRITICAL,
        title="yahoo fails",
        body="",
        owners=["ann", "bob"],
        detail={},
        at=later(3),
    )
    add_incident(connection, group, opened.incident_id, later(3))
    begin_group(
        connection,
        fingerprint="y",
        source=None,
        root_cause=None,
        level=Severity.WARNING,
        title="a job fails",
        body="",
        owners=[],
        detail={},
        at=NOON,
    )


@pytest.fixture(scope="module")
def url(pg_server):
    """One database for all tests of this file: none of them changes it."""
    name = f"test_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    yield pg_server.url(name)
    pg_server.drop(name)


@pytest.fixture(scope="module")
def connection(url):
    store = FactStore(url)
    store.store(
        [
            failed_attempt(request_id=BUSY, at=later(1)),
            attempt(
                request_id=BUSY, attempt_no=2, at=later(2), strategy="alternate_host", met="timeout"
            ),
            answer(
                request_id=BUSY, at=later(2), strategy="alternate_host", failure_class="timeout"
            ),
            failed_attempt(request_id=LOST, at=later(70), evidence="x" * 900, failure_class="slow"),
            failed_attempt(
                request_id=LOST,
                attempt_no=2,
                at=later(71),
                strategy="alternate_host",
                met="slow",
            ),
            answer(
                request_id=LOST,
                at=later(71),
                strategy=None,
                provider=None,
                fidelity=None,
                failure_class="slow",
                failed=True,
                as_of=None,
            ),
            probe(at=later(30), failure_class="server_error", status=503, seconds=0.12345),
            probe(at=later(90)),
            probe(at=later(-60), failure_class="timeout"),
        ]
    )
    store.close()
    with psycopg.connect(connection_info(url), autocommit=True) as connection:
        with connection.transaction():
            fold_hours(connection, NOON, NOON + timedelta(hours=1), ["yahoo"])
        store_policy(connection, Judged(POLICY, PUBLISHED, "first"), NOON)
        tell(connection)
        yield connection


def read(connection, name, limit=100):
    table = read_structure(
        connection, name, since=NOON, now=later(3600), catalog=CATALOG, limit=limit
    )
    assert len(table.rows) <= limit
    return table


def column(table, name):
    return [row[name] for row in table.rows]


def test_error_events_are_first_calls_and_probes_that_failed_and_say_what_healed(connection):
    table = read(connection, "error_events")
    assert column(table, "at") == [later(70), later(30), later(1)]
    assert column(table, "seen_by") == ["reader", "probe", "reader"]
    assert column(table, "healed_by") == [None, None, "alternate_host"]
    assert column(table, "status") == [None, 503, None]
    assert column(table, "seconds")[1] == 0.123
    assert column(table, "evidence")[0] == "x" * 200


def test_strategies_are_told_with_what_they_were_used_against(connection):
    (row,) = read(connection, "healing_strategies").rows
    assert (row["strategy"], row["against"]) == ("alternate_host", "slow|timeout")
    assert (row["tries"], row["healed"], row["exact"]) == (2, 1, 1)
    assert row["success_rate"] == 0.5


def test_the_worst_alert_comes_first_with_whom_it_is_about(connection):
    table = read(connection, "active_alerts")
    assert column(table, "level") == ["critical", "warning"]
    assert column(table, "endpoints") == [AAPL, ""]
    assert column(table, "owners") == ["ann|bob", ""]
    assert column(table, "incidents") == [1, 0]


def test_a_fallback_chain_says_where_readers_are_now(connection):
    rows = read(connection, "fallback_chains").rows
    assert [
        (row["level"], row["strategy"], row["target"], row["accepted"], row["in_use"])
        for row in rows
        if row["endpoint"] == AAPL
    ] == [
        (0, "plain", "query1", True, False),
        (1, "alternate_host", "query2", True, True),
        (2, "fallback_provider", DAILY, True, False),
        (3, "use_cached_data", "snapshot", True, False),
        (4, "etf_proxy", "XLK", False, False),
    ]
    assert [row["target"] for row in rows if row["endpoint"] == DAILY] == [
        "api",
        "spare",
        "snapshot",
    ]


def test_the_knowledge_base_has_both_layers_and_what_the_policy_believes(connection):
    rows = read(connection, "knowledge_base").rows
    assert {
        (row["level"], row["failure_class"], row["strategy"]): (
            row["tries"],
            row["healed"],
            row["success_rate"],
            row["chance"],
        )
        for row in rows
    } == {
        ("inner", "timeout", "alternate_host"): (1, 1, 1.0, 0.91),
        ("inner", "slow", "alternate_host"): (1, 0, 0.0, pytest.approx(0.5, abs=0.5)),
        ("outer", "timeout", "alternate_host"): (1, 1, 1.0, 0.8),
        ("outer", "slow", "alternate_host"): (1, 0, 0.0, None),
        ("outer", "timeout", "etf_proxy"): (0, 0, None, 0.2),
    }


def test_targets_say_when_they_were_probed_and_with_what(connection):
    table = read(connection, "monitoring_targets")
    assert column(table, "endpoint") == [AAPL, DAILY]
    assert column(table, "last_probe_at") == [later(90), None]
    assert column(table, "last_seen") == ["ok", None]
    assert column(table, "accepts") == ["exact|stale|coarser", "exact|stale|coarser|proxy"]


def test_metrics_go_minute_by_minute_from_the_newest_back(connection):
    table = read(connection, "realtime_metrics")
    assert column(table, "minute") == [later(60), NOON]
    assert column(table, "requests") == [1, 1]
    assert column(table, "reader_errors") == [1, 0]
    assert column(table, "healed_requests") == [0, 1]
    assert column(table, "probes") == [1, 1]
    assert column(table, "upstream_calls") == [2, 2]


def test_health_is_that_of_the_health_report(connection):
    (row,) = (each for each in read(connection, "endpoint_health").rows if each["requests"])
    assert (row["endpoint"], row["state"], row["active_strategy"]) == (
        AAPL,
        "open",
        "alternate_host",
    )
    assert (row["uptime"], row["error_rate"], row["healing_rate"]) == (0.5, 0.5, 0.5)


def test_health_of_a_long_window_differs_in_percentiles_alone(connection, monkeypatch):
    whole = read(connection, "endpoint_health").rows
    monkeypatch.setattr(structures, "MOST_READ_WHOLE", timedelta(0))
    folded = read(connection, "endpoint_health").rows
    assert whole[0]["p50_s"] is not None
    assert list(folded) == [{**row, "p50_s": None, "p95_s": None} for row in whole]


@pytest.mark.parametrize("name", ["fallback_chains", "error_events", "realtime_metrics"])
def test_more_than_asked_for_is_cut_and_said_to_be(connection, name):
    whole, cut = read(connection, name), read(connection, name, 1)
    assert list(cut.rows) == list(whole.rows[:1])
    assert (cut.about["cut"], whole.about.get("cut")) == (name, None)


def test_all_eight_go_out_together_and_come_back(connection):
    tables = [read(connection, name) for name in STRUCTURES]
    assert [list(each.rows) for each in read_toon(as_toon(*tables))] == [
        list(each.rows) for each in tables
    ]
    assert all(list(read_csv(as_csv(each)).rows) == list(each.rows) for each in tables)


def test_a_structure_that_is_none_is_refused_with_those_there_are(connection):
    with pytest.raises(NoSuchStructureError, match="error_events"):
        read(connection, "errors")
