"""Findings of one moment share a transaction, and none of them spoils it for the others."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import psycopg
from storage_samples import NOON, at_once

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.control.examining import Finding
from healing_pipeline.control.steps import RECOVERY_INTERVAL, Steps, apply
from healing_pipeline.errors import StorageError
from healing_pipeline.healing.parts import Clock
from healing_pipeline.incidents.detection import Begin, KnownIncident, step_for
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.storage.incidents import incident_events, open_incidents, recent_incidents
from healing_pipeline.storage.probes import next_due_at, seed_schedule

DOWN = Verdict(FailureClass.SERVER_ERROR, "HTTP 503")
WELL = Verdict(FailureClass.OK, "HTTP 200")
CLOCK = Clock(now=lambda: NOON, monotonic=time.monotonic, sleep=asyncio.sleep)


def endpoint(number: int) -> Endpoint:
    return Endpoint(f"yahoo/{number:03d}", "yahoo", "/")


def bad(number: int) -> Finding:
    step = step_for(DOWN, None, second_look=True, now=NOON)
    return Finding(endpoint(number), DOWN, step, began_at=NOON)


def good(number: int, row) -> Finding:
    known = KnownIncident(row.id, row.state, row.state_since)
    return Finding(endpoint(number), WELL, step_for(WELL, known, second_look=True, now=NOON))


def impossible(number: int) -> Finding:
    """What the schema refuses; no evidence of an upstream could be like it."""
    finding = bad(number)
    assert isinstance(finding.step, Begin)
    return replace(finding, step=replace(finding.step, severity="apocalyptic"))


class Stores:
    """Does work on the database, off the event loop, and counts transactions."""

    def __init__(self, database):
        self.database = database
        self.transactions = 0

    async def __call__(self, work):
        def run():
            with self.database.connection() as connection:
                return work(connection)

        self.transactions += 1
        return await asyncio.to_thread(run)


def take_all(store, findings):
    async def run():
        steps = Steps(store, CLOCK)
        return await asyncio.gather(
            *(steps.take(each) for each in findings), return_exceptions=True
        )

    return asyncio.run(run())


def opened(database):
    with database.connection() as connection:
        return {each.endpoint: each for each in open_incidents(connection)}


def test_findings_of_one_moment_are_stored_in_one_transaction(database):
    store = Stores(database)
    assert take_all(store, [bad(number) for number in range(50)]) == [None] * 50
    assert store.transactions == 1
    assert len(opened(database)) == 50


def test_what_is_well_and_asks_for_nothing_is_not_stored(database):
    store = Stores(database)
    assert take_all(store, [Finding(endpoint(1), WELL), Finding(endpoint(2), None)]) == [None] * 2
    assert store.transactions == 0


def test_one_that_can_never_be_stored_takes_no_other_with_it(database):
    ends = take_all(Stores(database), [bad(1), impossible(2), bad(3)])
    assert [type(end) for end in ends] == [type(None), psycopg.errors.CheckViolation, type(None)]
    assert sorted(opened(database)) == ["yahoo/001", "yahoo/003"]


def test_while_the_database_is_away_it_is_asked_once_for_all():
    async def away(_work):
        away.asked += 1
        raise StorageError("No connection.")

    away.asked = 0
    ends = take_all(away, [bad(number) for number in range(20)])
    assert {type(end) for end in ends} == {StorageError}
    assert away.asked == 1


def test_ten_that_apply_the_like_at_once_begin_and_end_each_incident_once(database_url, database):
    """Half of the endpoints fail, the other half recover; all ten have seen all of it."""
    with database.connection() as connection:
        apply([bad(number) for number in range(0, 100, 2)], NOON, connection)
    known = opened(database)
    findings = [bad(number) for number in range(1, 100, 2)]
    findings += [good(number, known[endpoint(number).id]) for number in range(0, 100, 2)]

    def work(connection, number):
        apply(findings if number % 2 else findings[::-1], NOON, connection)
        connection.commit()

    at_once(database_url, work)
    assert sorted(opened(database)) == [endpoint(number).id for number in range(1, 100, 2)]
    with database.connection() as connection:
        rows = recent_incidents(connection, NOON - timedelta(days=1), limit=200)
        assert Counter(row.state for row in rows) == {State.OPEN: 50, State.RESOLVED: 50}
        events = Counter(
            len(incident_events(connection, row.id)) for row in rows if row.state is State.RESOLVED
        )
        assert events == {2: 50}


def test_what_is_bad_is_looked_at_again_soon_and_what_is_well_at_its_time(database):
    with database.connection() as connection:
        watched = [replace(endpoint(number), interval_s=600.0) for number in (1, 2)]
        seed_schedule(connection, watched, NOON, lambda: 0.5)
        apply([Finding(endpoint(1), WELL)], NOON, connection)
        assert next_due_at(connection, "yahoo") == NOON + timedelta(seconds=300)
        apply([Finding(endpoint(2), DOWN)], NOON, connection)
        assert next_due_at(connection, "yahoo") == NOON + RECOVERY_INTERVAL
