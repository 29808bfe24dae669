"""Routes, notices, alerts, observations and reports."""

from __future__ import annotations

import json
from uuid import uuid4

import psycopg
import pytest
from storage_samples import (
    AAPL,
    NOON,
    answer,
    at_once,
    attempt,
    begin,
    failed_attempt,
    later,
    probe,
)

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.errors import StorageError
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import Route
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.alerts import alerts_since, save_alert
from healing_pipeline.storage.database import listen
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.incidents import move_incident
from healing_pipeline.storage.observations import reader_evidence
from healing_pipeline.storage.probes import seed_schedule
from healing_pipeline.storage.reports import (
    counts,
    health_rows,
    latest_health_report,
    save_health_report,
    summary_by_class,
    summary_by_strategy,
)
from healing_pipeline.storage.routes import active_routes, set_route, withdraw_route


def store(url, *facts):
    one = FactStore(url)
    try:
        one.store(facts)
    finally:
        one.close()


def route_to(connection, incident_id, strategy="alternate_host", **changes):
    values = {"endpoint": AAPL, "params": {"host": "query2"}, "fidelity": Fidelity.EXACT}
    values |= {"strategy": strategy, "incident_id": incident_id, "at": later(5)}
    return set_route(connection, **{**values, **changes})


# Routes


def test_a_route_takes_the_place_of_the_active_one_until_it_is_withdrawn(database):
    with database.connection() as connection:
        incident_id = begin(connection).incident_id
        route_to(connection, incident_id, "use_cached_data", fidelity="stale")
        route_to(connection, incident_id)
        (route,) = active_routes(connection)
        assert route == Route(
            endpoint=AAPL,
            strategy="alternate_host",
            fidelity=Fidelity.EXACT,
            failure_class=FailureClass.TIMEOUT,
            incident_id=incident_id,
            params={"host": "query2"},
        )
        assert withdraw_route(connection, AAPL, later(9))
        assert not withdraw_route(connection, AAPL, later(10))
        assert active_routes(connection) == []
        assert counts(connection)["route"] == 2


def test_ten_workers_that_set_a_route_at_once_leave_one(database_url, database):
    with database.connection() as connection:
        incident_id = begin(connection).incident_id
    at_once(database_url, lambda connection, number: route_to(connection, incident_id, f"{number}"))
    with database.connection() as connection:
        assert len(active_routes(connection)) == 1
        assert counts(connection)["route"] == 10


# Notices


def test_a_listener_hears_of_incidents_routes_and_failed_answers(database, database_url):
    with listen(database_url) as listener:
        with database.connection() as connection:
            opened = begin(connection, note="x" * 10_000)
            route_to(connection, opened.incident_id)
            withdraw_route(connection, AAPL, later(6))
        store(
            database_url,
            answer(),
            answer(failure_class="timeout"),
            answer(failed=True, fidelity=None, endpoint="fred/dgs10", source="fred"),
        )
        heard = [(each.channel, json.loads(each.payload)) for each in listener.notices(1.0)]
    assert [channel for channel, _ in heard] == [
        "healing_incident",
        "healing_route",
        "healing_route",
        "healing_answer_failed",
        "healing_answer_failed",
    ]
    event = heard[0][1]
    assert (event["event_id"], event["incident_id"]) == (opened.event_id, opened.incident_id)
    assert (event["endpoint"], event["signal"], event["to_state"]) == (AAPL, "confirmed", "open")
    assert [payload["active"] for _, payload in heard[1:3]] == [True, False]
    assert {payload["endpoint"] for _, payload in heard[3:]} == {AAPL, "fred/dgs10"}


def test_a_listener_hears_nothing_that_was_rolled_back_and_stops_in_time(database, database_url):
    with listen(database_url, ["healing_incident"]) as listener:
        with database.connection() as connection:
            begin(connection)
            connection.execute("SELECT 1")
            raise_after = psycopg.Rollback()
            with connection.transaction():
                raise_after_event = begin(connection, "fred/dgs10")
                assert raise_after_event is not None
                raise raise_after
        (notice,) = listener.notices(0.5)
        assert json.loads(notice.payload)["endpoint"] == AAPL
        assert list(listener.notices(0.1)) == []


def test_a_listener_that_lost_its_connection_says_so(database, database_url):
    with listen(database_url) as listener:
        with database.connection() as connection:
            connection.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'healing-listener'"""
            )
        with pytest.raises(StorageError, match="Listen again"):
            list(listener.notices(5.0))


# Alerts


def test_ten_runs_that_notice_one_matter_save_one_alert(database_url, database):
    def save(connection, number):
        return save_alert(
            connection,
            at=later(number),
            level=Severity.ERROR,
            title="healing failed",
            body="no strategy\x00 helped",
            dedupe_key="incident:1:heal_failed",
        )

    saved = [each for each in at_once(database_url, save) if each is not None]
    assert len(saved) == 1
    with database.connection() as connection:
        (alert,) = alerts_since(connection, NOON)
        assert (alert.id, alert.level) == (saved[0], Severity.ERROR)
        assert alerts_since(connection, later(60)) == []


# Observations


def test_reader_evidence_tells_what_was_good_since_the_last_failure(database, database_url):
    store(
        database_url,
        attempt(at=later(1)),
        failed_attempt(at=later(2)),
        attempt(at=later(3)),
        attempt(at=later(4)),
        attempt(at=later(5), endpoint="yahoo/quote-msft"),
        failed_attempt(at=later(-60), endpoint="yahoo/quote-old"),
    )
    with database.connection() as connection:
        ill, well = reader_evidence(connection, source="yahoo", since=NOON)
    assert (ill.endpoint, ill.failures, ill.good_since) == (AAPL, 1, 2)
    assert (ill.failure_class, ill.first_at) == (FailureClass.TIMEOUT, later(2))
    assert (well.failures, well.good_since, well.first_at) == (0, 1, None)
    assert well.failure_class is FailureClass.OK


# Reports


def test_a_health_row_adds_up_what_happened_in_its_window(database, database_url):
    request_id = uuid4()
    store(
        database_url,
        probe(seconds=9.0),
        probe(failure_class="timeout"),
        probe(failure_class="not_found"),  # the caller's fault counts neither way
        probe(at=later(-1), failure_class="timeout"),  # before the window
        answer(seconds=1.0),
        answer(request_id=request_id, seconds=2.0, failure_class="timeout", fidelity="stale",
               strategy="use_cached_data", at=later(10)),
        answer(seconds=3.0, failure_class="timeout", failed=True, fidelity=None, strategy=None),
        answer(seconds=4.0, failure_class="bad_request", failed=True, fidelity=None),
        failed_attempt(request_id=request_id),
        attempt(request_id=request_id, attempt_no=2, strategy="use_cached_data", seconds=0.5),
    )  # fmt: skip
    with database.connection() as connection:
        fred = Endpoint(id="fred/dgs10", source="fred", path="/")
        seed_schedule(connection, [fred], NOON, lambda: 0.0)
        incident_id = begin(connection).incident_id
        route_to(connection, incident_id)
        rows = health_rows(connection, NOON, later(60))
        assert save_health_report(connection, rows) == 2
        assert save_health_report(connection, rows) == 2
        assert latest_health_report(connection) == rows
        by_class = summary_by_class(connection, NOON, later(60))
        by_strategy = summary_by_strategy(connection, NOON, later(60))
        total = counts(connection)
    quiet, row = rows
    assert (quiet.endpoint, quiet.state, quiet.probes, quiet.uptime) == (
        *("fred/dgs10", "healthy", 0),
        None,
    )
    assert (row.source, row.window_s, row.report_at) == ("yahoo", 60.0, later(60))
    assert (row.probes, row.failures, row.uptime) == (2, 1, 0.5)
    assert (row.requests, row.met_fault, row.healed_requests, row.reader_errors) == (4, 2, 1, 2)
    assert (row.error_rate, row.healing_rate) == (0.5, 0.5)
    assert (row.p50_s, row.p95_s) == (2.5, pytest.approx(3.85))  # of 1, 2, 3 and 4 s
    assert (row.incidents, row.state) == (1, "open")
    assert (row.fidelity_now, row.active_strategy) == (Fidelity.EXACT, "alternate_host")
    assert [(each.failure_class, each.met, each.healed) for each in by_class] == [
        (FailureClass.TIMEOUT, 2, 1),
        (FailureClass.BAD_REQUEST, 1, 0),
    ]
    (healer,) = by_strategy
    assert (healer.failure_class, healer.strategy) == (FailureClass.TIMEOUT, "use_cached_data")
    assert (healer.met, healer.healed, healer.median_s) == (1, 1, 0.5)
    assert total == {
        "attempt": 2,
        "answer": 4,
        "probe_result": 4,
        "incident": 1,
        "incident_event": 1,
        "route": 1,
        "snapshot": 0,
        "alert": 0,
    }


def test_an_incident_that_ended_before_the_window_is_not_in_it(database):
    with database.connection() as connection:
        incident_id = begin(connection).incident_id
        move_incident(
            connection,
            incident_id=incident_id,
            from_state="open",
            to_state="resolved",
            signal="recovered",
            at=later(10),
            note="well again",
        )
        assert health_rows(connection, later(11), later(60)) == []
        (row,) = health_rows(connection, later(9), later(60))
        assert (row.incidents, row.state, row.fidelity_now) == (1, "healthy", None)


def test_what_readers_met_before_an_incident_was_resolved_does_not_open_it_again(
    database, database_url
):
    """Seen in a demonstration: old evidence opened an incident a second after it was resolved."""
    store(database_url, failed_attempt(at=later(1)))
    with database.connection() as connection:
        begun = begin(connection, at=later(2))
        move_incident(
            connection,
            incident_id=begun.incident_id,
            from_state="open",
            to_state="resolved",
            signal="recovered",
            at=later(3),
            note="well again",
        )
        assert reader_evidence(connection, source="yahoo", since=NOON) == []
    store(database_url, failed_attempt(at=later(4)))
    with database.connection() as connection:
        (heard,) = reader_evidence(connection, source="yahoo", since=NOON)
    assert (heard.failures, heard.first_at) == (1, later(4))


def test_what_readers_met_before_our_own_look_is_no_news(database, database_url):
    store(database_url, failed_attempt(at=later(1)), probe(at=later(2)), attempt(at=later(3)))
    with database.connection() as connection:
        (heard,) = reader_evidence(connection, source="yahoo", since=NOON)
    assert (heard.failures, heard.good_since) == (0, 1)
