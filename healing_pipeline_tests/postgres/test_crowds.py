"""A provider that is down with hundreds of endpoints: looked after at a pace that can be kept."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
from storage_samples import NOON, begin
from test_steps import bad, endpoint, good
from worlds import World
from worlds import good as well

from healing_pipeline.control import heal_run
from healing_pipeline.control.asking import MOST_WAITING, Asking
from healing_pipeline.control.steps import (
    LOOKED_AFTER,
    RECOVER_WITH,
    RECOVERY_INTERVAL,
    apply,
)
from healing_pipeline.control.watching import Watcher
from healing_pipeline.healing.parts import Clock
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.incidents import incident_events, open_incidents
from healing_pipeline.storage.probes import claim_due, hasten_all, seed_schedule

CROWD = 4 * LOOKED_AFTER


def all_down(database, crowd: int = CROWD) -> None:
    """So many endpoints of one source fail."""
    with database.connection() as connection:
        watched = [endpoint(number) for number in range(crowd)]
        seed_schedule(connection, watched, NOON, lambda: 1.0)
        apply([bad(number) for number in range(crowd)], NOON, connection)


def due_by(database, at) -> int:
    with database.connection() as connection:
        return len(claim_due(connection, source="yahoo", now=at, limit=10_000))


def test_a_crowd_that_is_down_is_asked_no_faster_than_a_few_are(database):
    all_down(database)
    with database.connection() as connection:
        apply([bad(number) for number in range(CROWD)], NOON, connection)
    assert due_by(database, NOON + RECOVERY_INTERVAL) == 0
    assert due_by(database, NOON + RECOVERY_INTERVAL * CROWD / LOOKED_AFTER) == CROWD


def test_the_first_of_a_crowd_that_recovers_has_others_looked_at_at_once(database):
    all_down(database)
    with database.connection() as connection:
        first = open_incidents(connection, "yahoo")[0]
        apply([good(0, first)], NOON, connection)
    assert due_by(database, NOON) == RECOVER_WITH


def test_one_of_a_few_that_recovers_has_nobody_else_looked_at(database):
    all_down(database, LOOKED_AFTER)
    with database.connection() as connection:
        first = open_incidents(connection, "yahoo")[0]
        apply([good(0, first)], NOON, connection)
    assert due_by(database, NOON) == 0


def test_of_a_crowd_as_many_heal_runs_are_asked_for_as_begin(database):
    """The rest waits in the tables, where it may recover, and not in a queue of runs."""
    all_down(database)
    asking = Asking(database)
    handed_out = asking.hand_out(["yahoo"], lambda event_id: False)
    assert len(handed_out) == MOST_WAITING
    assert asking.hand_out(["yahoo"], lambda event_id: False) == []
    with database.connection() as connection:
        for each in handed_out[:3]:
            later = NOON + timedelta(seconds=1)
            assert heal_run.take(connection, each.heal.incident_id, later) is not None
    assert len(asking.hand_out(["yahoo"], lambda event_id: False)) == 3


def test_a_look_holds_no_turn_on_the_schedule_while_it_waits_for_an_incident(
    database, database_url
):
    """Whoever stores findings has the incident and wants the turn: it was a deadlock."""
    world, later = World(lambda request, at: well()), NOON + timedelta(minutes=2)
    clock = Clock(now=lambda: later, monotonic=time.monotonic, sleep=asyncio.sleep)
    watcher = Watcher(world.catalog, world.engine, database, world.facts.append, clock)
    with database.connection() as connection:
        seed_schedule(connection, [world.endpoint], NOON, lambda: 0.0)
        waits = begin(connection, "line/waits", source="line")
        assert waits is not None

    async def look():
        try:
            return await watcher.look("line")
        finally:
            await watcher.aclose()

    with (
        ThreadPoolExecutor(1) as threads,
        psycopg.connect(connection_info(database_url)) as other,
    ):
        other.execute("SET lock_timeout = '3s'")
        other.execute("SELECT FROM incident WHERE id = %s FOR UPDATE", (waits.incident_id,))
        looking = threads.submit(asyncio.run, look())
        until = time.monotonic() + 10.0
        while time.monotonic() < until:
            found = other.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
            if found != (0,):
                break
            time.sleep(0.02)
        hasten_all(other, [world.endpoint.id], NOON - timedelta(minutes=1))
        other.commit()
        assert looking.result(10.0).probed == 1
    with database.connection() as connection:
        assert len(incident_events(connection, waits.incident_id)) == 2
