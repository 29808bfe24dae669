from __future__ import annotations

import threading

import pytest
from psycopg import errors
from storage_samples import AAPL, NOON, at_once, begin, later, new

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.incidents import (
    begin_incidents,
    heal_requests,
    incident_by_id,
    incident_events,
    move_incident,
    open_incident_of,
    open_incidents,
    recent_incidents,
)


def test_ten_sensors_ticking_at_once_begin_one_incident(database_url, database):
    opened = at_once(database_url, lambda connection, number: begin(connection))
    assert len([each for each in opened if each is not None]) == 1
    with database.connection() as connection:
        (incident,) = open_incidents(connection)
        assert len(incident_events(connection, incident.id)) == 1


def test_one_of_ten_workers_moves_an_incident(database_url, database):
    with database.connection() as connection:
        opened = begin(connection)

    def take(connection, number):
        return move_incident(
            connection,
            incident_id=opened.incident_id,
            from_state="open",
            to_state="healing",
            signal="heal_started",
            at=later(3 + number),
            note=f"worker {number}",
        )

    won = [each for each in at_once(database_url, take) if each is not None]
    assert len(won) == 1
    with database.connection() as connection:
        begun, moved = incident_events(connection, opened.incident_id)
        incident = incident_by_id(connection, opened.incident_id)
    assert (begun.from_state, begun.to_state) == (None, State.OPEN)
    assert (moved.id, moved.from_state, moved.to_state) == (won[0], State.OPEN, State.HEALING)
    assert incident.state is State.HEALING
    assert incident.healing_since == incident.state_since == moved.at


def test_an_incident_can_begin_again_after_it_was_resolved(database):
    with database.connection() as connection:
        first = begin(connection)
        assert begin(connection) is None
        move(connection, first.incident_id, "open", "resolved", "recovered", 10)
        second = begin(connection, at=later(20))
        assert second is not None
        assert [each.id for each in open_incidents(connection)] == [second.incident_id]
        assert incident_by_id(connection, first.incident_id).resolved_at == later(10)


def test_the_times_of_an_incident_tell_its_life(database):
    with database.connection() as connection:
        incident_id = begin(connection).incident_id
        move(connection, incident_id, "open", "healing", "heal_started", 3)
        move(
            connection,
            incident_id,
            "healing",
            "healed",
            "heal_succeeded",
            5,
            strategy="alternate_host",
            fidelity=Fidelity.EXACT,
            root_cause="host down",
            severity=Severity.WARNING,
        )
        move(connection, incident_id, "healed", "open", "route_failed", 50, asks_heal=True)
        move(connection, incident_id, "open", "healing", "heal_started", 51)
        move(connection, incident_id, "healing", "healed", "heal_succeeded", 52)
        move(connection, incident_id, "healed", "resolved", "recovered", 90)
        incident = incident_by_id(connection, incident_id)
    assert (incident.began_at, incident.detected_at) == (NOON, later(2))
    assert (incident.healing_since, incident.healed_at) == (later(51), later(5))
    assert (incident.resolved_at, incident.heals) == (later(90), 2)
    assert (incident.strategy, incident.fidelity) == ("alternate_host", Fidelity.EXACT)
    assert (incident.root_cause, incident.severity) == ("host down", Severity.WARNING)
    assert incident.failure_class is FailureClass.TIMEOUT


def test_an_event_is_not_kept_when_its_move_is_rolled_back(database):
    with database.connection() as connection:
        incident_id = begin(connection).incident_id

    def die_midway():
        with database.connection() as connection:
            move(connection, incident_id, "open", "healing", "heal_started", 3)
            raise RuntimeError("died mid-way")

    with pytest.raises(RuntimeError, match="mid-way"):
        die_midway()
    with database.connection() as connection:
        assert incident_by_id(connection, incident_id).state is State.OPEN
        assert len(incident_events(connection, incident_id)) == 1


def test_an_incident_that_opens_again_asks_again(database):
    with database.connection() as connection:
        opened = begin(connection)
        (first,) = heal_requests(connection, "yahoo")
        assert (first.event_id, first.endpoint) == (opened.event_id, AAPL)
        move(connection, opened.incident_id, "open", "healing", "heal_started", 3)
        assert heal_requests(connection, "yahoo") == []
        again = move(
            connection, opened.incident_id, "healing", "open", "heal_lost", 70, asks_heal=True
        )
        (second,) = heal_requests(connection, "yahoo", since_event_id=first.event_id)
        assert second.event_id == again != first.event_id
        assert heal_requests(connection, "fred") == []
        assert heal_requests(connection) == [second]


def test_a_resolved_incident_asks_for_nothing(database):
    with database.connection() as connection:
        incident_id = begin(connection).incident_id
        move(connection, incident_id, "open", "resolved", "recovered", 3)
        assert heal_requests(connection) == []


def test_a_young_heal_request_comes_again_whatever_the_cursor_says(database):
    # Its id may have been given out before that of an event which was read earlier.
    with database.connection() as connection:
        opened = begin(connection)
        (told,) = heal_requests(connection, "yahoo", since_event_id=opened.event_id + 1000)
        assert told.event_id == opened.event_id


def test_a_state_that_nobody_knows_is_refused(database):
    with pytest.raises(errors.CheckViolation), database.connection() as connection:
        begin(connection, to_state="broken")


def test_incidents_are_found_by_endpoint_source_and_time(database):
    with database.connection() as connection:
        yahoo, fred = begin(connection), begin(connection, "fred/dgs10")
        assert [each.id for each in open_incidents(connection, "fred")] == [fred.incident_id]
        assert open_incident_of(connection, AAPL).id == yahoo.incident_id
        move(connection, yahoo.incident_id, "open", "resolved", "recovered", 10)
        assert open_incident_of(connection, AAPL) is None
        found = recent_incidents(connection, later(9))
        assert [each.id for each in found] == [fred.incident_id, yahoo.incident_id]
        assert [each.id for each in recent_incidents(connection, later(11))] == [fred.incident_id]
        assert incident_by_id(connection, 10**6) is None


def test_detail_and_note_hold_whatever_an_upstream_said(database: Database):
    with database.connection() as connection:
        incident_id = begin(connection, note="a\x00b", evidence="\ud800").incident_id
        detail = {"at": NOON, "seen": ["\x00", b"\xff"], "ok": True}
        move(connection, incident_id, "open", "healing", "heal_started", 3, detail=detail)
        begun, moved = incident_events(connection, incident_id)
    assert begun.note == "a\ufffdb"
    assert moved.detail == {"at": NOON.isoformat(), "seen": ["\ufffd", "/w=="], "ok": True}


def move(connection, incident_id, from_state, to_state, signal, at_s, **more):
    event_id = move_incident(
        connection,
        incident_id=incident_id,
        from_state=from_state,
        to_state=to_state,
        signal=signal,
        at=later(at_s),
        note=signal,
        **more,
    )
    assert event_id is not None
    return event_id


def test_ten_that_begin_the_same_incidents_in_other_orders_begin_each_once(database_url, database):
    """And none waits for another in a ring: they hold what they began until they commit."""
    names = [f"yahoo/{number:04d}" for number in range(1_000)]
    ready = threading.Barrier(10)

    def begin_them(connection, number):
        batch = [new(each) for each in (names if number % 2 else names[::-1])]
        connection.execute("SELECT 1")
        ready.wait(20)
        opened = begin_incidents(connection, batch)
        connection.commit()
        return list(opened)

    began = [each for opened in at_once(database_url, begin_them) for each in opened]
    assert sorted(began) == names
    with database.connection() as connection:
        rows = open_incidents(connection)
        assert sorted(row.endpoint for row in rows) == names
        events = connection.execute("SELECT count(*) FROM incident_event").fetchone()
        assert events == (len(names),)


def test_a_batch_goes_in_by_the_endpoints_order_so_that_two_meet_at_the_same_one(database):
    names = [f"yahoo/{number}" for number in (3, 1, 2)]
    with database.connection() as connection:
        begin_incidents(connection, [new(each) for each in names])
        rows = connection.execute("SELECT endpoint FROM incident ORDER BY id").fetchall()
    assert [endpoint for (endpoint,) in rows] == sorted(names)


def test_of_two_beginnings_for_one_endpoint_in_one_batch_the_first_counts(database):
    with database.connection() as connection:
        batch = [new(AAPL, evidence="first"), new(AAPL, evidence="second"), new("fred/gdp")]
        opened = begin_incidents(connection, batch)
        assert sorted(opened) == ["fred/gdp", AAPL]
        incident = incident_by_id(connection, opened[AAPL].incident_id)
        assert incident.evidence == "first"
        (event,) = incident_events(connection, incident.id)
        assert event.id == opened[AAPL].event_id
        assert begin_incidents(connection, batch) == {}
        assert begin_incidents(connection, []) == {}
