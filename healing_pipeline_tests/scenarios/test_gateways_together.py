"""Gateways in processes of their own, on one PostgreSQL: what one is told, all of them go by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from counting_upstream import Upstream, running_upstream

from healing_pipeline.storage.database import connection_info
from healing_pipeline_tests.conftest import TEMPLATE

pytestmark = pytest.mark.processes

READER = Path(__file__).with_name("one_reader.py")
READY_WITHIN_S = 60.0
KEY_NAMES = ("ALONE", "FIRST", "SECOND", "DAY", "NEXT", "MINUTE", "NEW")
KEYS = {name: f"{name.lower()}{'x' * 20}" for name in KEY_NAMES}
CONFIG = """
upstreams: real
allow_private_hosts: [127.0.0.1]
witnesses: []
learning: {since: 2026-11-01}
sources:
  alone: {SOURCE, keys: {primary: {env: ALONE}}}
  pool: {SOURCE, keys: {primary: {env: FIRST}, spare: {env: SECOND}}}
  daily: {SOURCE, keys: {primary: {env: DAY}, spare: {env: NEXT}}, quota: {per_day: 900}}
  new: {SOURCE, keys: {primary: {env: NEW}}}
  minute: {SOURCE, keys: {primary: {env: MINUTE}}, quota: {per_minute: 60}}
endpoints:
"""
SOURCES = ("alone", "pool", "daily", "new", "minute")
SOURCE = "provider: exchange_rate, hosts: {one: 'http://127.0.0.1:%d'}, calendar: always"
ENDPOINT = (
    "  %s/usd-eur: {path: /v6/pair/USD/EUR, max_age_s: 129600, interval_s: 600, "
    "accepts: [exact, stale]}\n"
)


class Reader:
    """A reader's process."""

    def __init__(self, folder: Path, config: Path, url: str) -> None:
        env = {name: each for name, each in os.environ.items() if not name.startswith("HEALING_")}
        env |= {"HEALING_STATE_DIR": str(folder), "HEALING_DATABASE_URL": url, **KEYS}
        self.process = subprocess.Popen(
            [sys.executable, str(READER), str(config)],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def begin(self, source: str, for_s: float = 0.0) -> None:
        assert self.process.stdin is not None
        asked = {"endpoint": f"{source}/usd-eur", "for_s": for_s}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()

    def told(self) -> list[tuple[float, float, str]]:
        assert self.process.stdout is not None
        return [tuple(each) for each in json.loads(self.process.stdout.readline())]

    def labels(self, source: str) -> list[str]:
        self.begin(source)
        return [label for _, _, label in self.told()]

    def close(self) -> None:
        self.process.communicate(timeout=READY_WITHIN_S)


@dataclass(frozen=True)
class World:
    upstream: Upstream
    readers: list[Reader]
    url: str
    maintenance_url: str

    def let_in(self, allowed: bool) -> None:
        """Let PostgreSQL be there for everybody, or for nobody."""
        name = self.url.partition("?")[0].rpartition("/")[2]
        with psycopg.connect(self.maintenance_url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}".encode())
            if not allowed:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    (name,),
                )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(connection_info(self.url)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def world(pg_server, tmp_path_factory) -> Iterator[World]:
    """Three readers on a database of their own."""
    name = f"test_{uuid4().hex}"
    folder = tmp_path_factory.mktemp("gateways")
    pg_server.create(name, TEMPLATE)
    url = pg_server.url(name)
    with ExitStack() as stack:
        stack.callback(pg_server.drop, name)
        upstream = stack.enter_context(running_upstream())
        config = folder / "healing_config.yaml"
        text = CONFIG.replace("SOURCE", SOURCE % upstream.port)
        config.write_text(text + "".join(ENDPOINT % each for each in SOURCES))
        readers = [
            stack.enter_context(closing(Reader(folder / str(number), config, url)))
            for number in range(3)
        ]
        for each in readers:
            assert json.loads(each.process.stdout.readline()) == "ready"
        yield World(upstream, readers, url, pg_server.url("postgres"))


def test_the_second_calls_a_limited_key_again_when_the_time_is_over_and_not_before(world: World):
    first, second, _ = world.readers
    assert first.labels("alone") == second.labels("alone") == ["exact"]
    asks_s = 4
    world.upstream.refused[KEYS["ALONE"]] = (429, b"{}", str(asks_s))
    assert first.labels("alone") == ["stale"]
    told_at = world.upstream.calls[-1][0]
    world.upstream.refused.clear()
    time.sleep(max(0.0, told_at + 1.0 - time.time()))  # a part of it is over when the second asks
    second.begin("alone", for_s=asks_s)
    answers = second.told()
    calls = world.upstream.since(told_at, KEYS["ALONE"])
    assert calls
    assert asks_s - 0.1 <= calls[0] <= asks_s + 1.0
    assert {label for at, _, label in answers if at < told_at + asks_s - 0.1} == {"stale"}
    assert answers[-1][2] == "exact"
    (row,) = world.rows("SELECT source, kind, name FROM cooldown WHERE source = 'alone'")
    assert row == ("alone", "key", "primary")


def test_the_second_takes_the_other_key_of_the_pool_at_once(world: World):
    first, second, _ = world.readers
    assert first.labels("pool") == second.labels("pool") == ["exact"]
    world.upstream.refused[KEYS["FIRST"]] = (429, b"{}", "30")
    assert first.labels("pool") == ["exact"]
    told_at = max(at for at, key in world.upstream.calls if key == KEYS["FIRST"])
    second.begin("pool", for_s=0.5)
    assert {label for _, _, label in second.told()} == {"exact"}
    assert world.upstream.since(told_at, KEYS["FIRST"]) == []
    assert len(world.upstream.since(told_at, KEYS["SECOND"])) > 5
    world.upstream.refused.clear()


def test_a_daily_quota_that_is_spent_is_spent_for_both(world: World):
    first, second, _ = world.readers
    assert first.labels("daily") == second.labels("daily") == ["exact"]
    said = b'{"result": "error", "error-type": "quota-reached"}'
    world.upstream.refused[KEYS["DAY"]] = (403, said, None)
    assert first.labels("daily") == ["exact"]
    told_at = max(at for at, key in world.upstream.calls if key == KEYS["DAY"])
    # The key's breaker would have let one through after two seconds.
    second.begin("daily", for_s=2.5)
    assert {label for _, _, label in second.told()} == {"exact"}
    assert world.upstream.since(told_at, KEYS["DAY"]) == []
    assert len(world.upstream.since(told_at, KEYS["NEXT"])) > 20
    kinds = world.rows("SELECT kind FROM cooldown WHERE source = 'daily' ORDER BY kind")
    assert kinds == [("key",), ("quota",)]
    world.upstream.refused.clear()


def test_without_postgresql_no_reader_waits_and_afterwards_the_second_hears_of_it(world: World):
    first, second, _ = world.readers
    assert second.labels("alone") == ["exact"]
    world.let_in(False)
    world.upstream.refused[KEYS["ALONE"]] = (429, b"{}", "30")
    assert first.labels("alone") == ["stale"]
    world.upstream.refused.clear()
    second.begin("alone", for_s=1.0)
    answers = second.told()
    assert {label for _, _, label in answers} == {"exact"}  # it goes by what it knows
    assert max(took for _, took, _ in answers) < 1.0
    world.let_in(True)
    until = time.monotonic() + 20
    while second.labels("alone") == ["exact"]:
        assert time.monotonic() < until
    heard_at = time.time()
    second.begin("alone", for_s=0.5)
    assert {label for _, _, label in second.told()} == {"stale"}
    assert world.upstream.since(heard_at, KEYS["ALONE"]) == []


def test_who_never_asked_has_the_others_data_when_the_key_is_told_to_wait(world: World):
    first, second, _ = world.readers
    assert first.labels("new") == ["exact"]
    world.upstream.refused[KEYS["NEW"]] = (429, b"{}", "30")
    assert first.labels("new") == ["stale"]
    told_at = world.upstream.calls[-1][0]
    time.sleep(4.0)  # without news it would look after twenty
    second.begin("new", for_s=0.3)
    assert {label for _, _, label in second.told()} == {"stale"}
    assert world.upstream.since(told_at, KEYS["NEW"]) == []
    world.upstream.refused.clear()


def test_a_minutes_quota_is_kept_by_all_together_and_used(world: World):
    for each in world.readers:
        each.begin("minute", for_s=4.0)
    began = time.time()
    answers = [each.told() for each in world.readers]
    calls = world.upstream.since(began - 1.0, KEYS["MINUTE"])
    by_reader = [[label for _, _, label in each].count("exact") for each in answers]
    assert max(calls) < 50  # all within a minute
    assert len(calls) <= 60
    # Each of them asked for more than its third, and none for nothing.
    assert min(len(each) for each in answers) > 25
    assert len(calls) >= 54, by_reader
    assert min(by_reader) >= 10, by_reader
    assert {label for each in answers for _, _, label in each} == {"exact", "stale"}


def test_no_secret_is_in_what_is_shared(world: World):
    shared = str(world.rows("SELECT * FROM cooldown")) + str(world.rows("SELECT * FROM key_share"))
    assert "primary" in shared
    assert not [name for name, secret in KEYS.items() if secret in shared]
