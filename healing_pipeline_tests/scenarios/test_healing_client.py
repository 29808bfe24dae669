"""A client in somebody's own process, with and without PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from healing_pipeline import Answer, AsyncHealingClient, HealingClient
from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.client import ClosedError
from healing_pipeline.errors import AnotherQuestionError, ConfigurationError
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.incidents import begin_incident
from healing_pipeline.storage.routes import set_route

NOWHERE = "postgresql://healing@127.0.0.1:1/none"
OPENED_WITHIN_S = 2.5
TOLD_WITHIN_S = 20.0


@pytest.fixture(scope="module")
def simulator():
    with running_simulator(seed=3, quotas="off") as running:
        yield running


@pytest.fixture
def world(simulator, tmp_path):
    """(configuration, environment) of an installation of its own, without a database."""
    simulator.control.clear_faults()
    config = tmp_path / "healing_config.yaml"
    text = default_config_text().replace("port: 8900", f"port: {simulator.base_port}")
    # Unmetered: a spent minute would be answered from memory, like a route.
    config.write_text(re.sub(r"\n +quota: .*", "", text))
    environ = {name: each for name, each in os.environ.items() if not name.startswith("HEALING_")}
    state = str(tmp_path / "state")
    yield config, {**environ, "HEALING_STATE_DIR": state, "HEALING_DATABASE_URL": NOWHERE}
    simulator.control.clear_faults()


def until(condition: Callable[[], bool], within_s: float = TOLD_WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def rows(url: str, statement: str) -> list[tuple]:
    with psycopg.connect(connection_info(url), autocommit=True) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.processes
def test_a_client_serves_while_postgresql_is_away(world):
    config, environ = world
    began = time.monotonic()
    with HealingClient.open(config, environ) as client:
        assert time.monotonic() - began < OPENED_WITHIN_S
        answer = client.fetch("yahoo/quote-aapl")
        assert isinstance(answer, Answer)
        assert answer.fidelity == "exact"
        assert json.loads(answer.body)
        assert "fred/dgs10" in client.endpoints
        assert not client.found_database()
        assert not client.flush(), "what was read waits on disk"
        with pytest.raises(AnotherQuestionError):
            client.fetch("yahoo/quote-aapl", params={"symbols": "MSFT"})
        with pytest.raises(ConfigurationError, match="no endpoint"):
            client.fetch("yahoo/nothing")
    with pytest.raises(ClosedError):
        client.fetch("yahoo/quote-aapl")
    client.close()


@pytest.mark.processes
def test_a_database_that_says_nothing_holds_nobody_up(world):
    config, environ = world
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://healing@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=5"
        began = time.monotonic()
        with HealingClient.open(config, {**environ, "HEALING_DATABASE_URL": url}) as client:
            assert time.monotonic() - began < OPENED_WITHIN_S
            assert isinstance(client.fetch("yahoo/quote-aapl"), Answer)


@pytest.mark.processes
def test_what_happened_meanwhile_is_stored_once_and_taken_over_when_postgresql_is_back(
    world, simulator, pg_server
):
    config, environ = world
    name = f"late_{uuid4().hex}"
    url = pg_server.url(name)
    with HealingClient.open(config, {**environ, "HEALING_DATABASE_URL": url}) as client:
        ids = {client.fetch("fred/dgs10").request_id for _ in range(5)}
        pg_server.create(name)
        try:
            until(lambda: is_there(url))
            ids |= {client.fetch("fred/dgs10").request_id for _ in range(5)}
            stored = "SELECT request_id FROM answer"
            until(lambda: {each for (each,) in rows(url, stored)} == ids)
            assert len(rows(url, stored)) == len(ids) == 10
            assert rows(url, "SELECT count(*) FROM snapshot WHERE endpoint = 'fred/dgs10'") == [
                (1,)
            ]
            route_for(url, "yahoo/quote-aapl")
            # While the route serves, the primary is not asked: nothing in it has to fail.
            client.fetch("yahoo/quote-aapl")
            until(lambda: client.fetch("yahoo/quote-aapl").strategy == "use_cached_data")
        finally:
            client.close()
            pg_server.drop(name)


def is_there(url: str) -> bool:
    try:
        return bool(rows(url, "SELECT to_regclass('healing.answer') IS NOT NULL")[0][0])
    except psycopg.OperationalError:
        return False


def route_for(url: str, endpoint: str) -> None:
    """What a heal run of another process would leave behind."""
    now = datetime.now(UTC)
    with Database(url, max_size=1) as database, database.connection() as connection:
        incident = begin_incident(
            connection,
            endpoint=endpoint,
            source=endpoint.split("/")[0],
            failure_class="rate_limit",
            evidence="status 429",
            severity="error",
            detected_by="probe",
            began_at=now,
            at=now,
            signal="confirmed",
            to_state="open",
            asks_heal=False,
            note="seen twice",
        )
        set_route(
            connection,
            endpoint=endpoint,
            strategy="use_cached_data",
            params={},
            fidelity="stale",
            incident_id=incident.incident_id,
            at=now,
        )


@pytest.mark.processes
def test_good_data_of_an_earlier_process_heals_the_next_one_without_postgresql(world, simulator):
    config, environ = world
    with HealingClient.open(config, environ) as client:
        fresh = client.fetch("yahoo/chart-aapl-1d")
    for host in ("query1", "query2"):
        simulator.control.add_fault(
            {"match": {"source": "yahoo", "host": host}, "fault": "server_error"}
        )
    simulator.control.add_fault({"match": {"source": "polygon"}, "fault": "server_error"})
    with HealingClient.open(config, environ) as client:
        healed = client.fetch("yahoo/chart-aapl-1d", accepts={"exact", "stale"})
    assert isinstance(healed, Answer), healed
    assert (healed.fidelity, healed.strategy) == ("stale", "use_cached_data")
    assert (healed.body, healed.fetched_at) == (fresh.body, fresh.fetched_at)


@pytest.mark.processes
def test_a_torn_file_of_snapshots_costs_what_is_torn_and_nothing_else(world, caplog):
    config, environ = world
    with HealingClient.open(config, environ) as client:
        client.fetch("yahoo/quote-aapl")
        client.fetch("fred/dgs10")
    file = Path(environ["HEALING_STATE_DIR"]) / "snapshots.jsonl"
    lines = file.read_text().splitlines()
    assert len(lines) == 2
    file.write_text(lines[0] + "\n" + lines[1][:50] + "\n\x00")
    with HealingClient.open(config, environ) as client:
        assert isinstance(client.fetch("fred/dgs10"), Answer)
    # PostgreSQL being away is told; nothing of the file is a fault.
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.processes
def test_many_readers_share_one_async_client(world):
    config, environ = world

    async def read() -> list[object]:
        async with AsyncHealingClient(config, environ) as client:
            unmetered = [each for each in client.endpoints if each.startswith(("yahoo/", "fred/"))]
            return await asyncio.gather(*(client.fetch(each) for each in unmetered))

    ends = asyncio.run(read())
    assert len(ends) > 25
    assert [each for each in ends if not isinstance(each, Answer)] == []


@pytest.mark.processes
def test_many_threads_share_one_client(world):
    from concurrent.futures import ThreadPoolExecutor

    config, environ = world
    with HealingClient.open(config, environ) as client, ThreadPoolExecutor(8) as threads:
        ends = list(threads.map(client.fetch, ["yahoo/quote-aapl", "fred/dgs10"] * 20))
    assert all(isinstance(each, Answer) for each in ends)
