"""Probers on one PostgreSQL: none of them asks what another has asked in the same interval."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from counting_upstream import Upstream, running_upstream

from healing_pipeline.catalog.shards import Shard
from healing_pipeline.control.lookout import Lookout
from healing_pipeline.control.purse import EARLY
from healing_pipeline.installation import load_catalog
from healing_pipeline.session import Session, open_session
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.probes import seed_schedule

pytestmark = pytest.mark.processes

PROBER = Path(__file__).with_name("one_prober.py")
WITHIN_S = 60.0
INTERVAL_S = 0.8
CODES = ("EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK")
DOOMED, OTHER = "d" * 24, "o" * 24
KEY = {"PROBED": OTHER}
CONFIG = """
upstreams: real
allow_private_hosts: [127.0.0.1]
witnesses: []
learning: {since: 2026-11-01}
sources:
  fx:
    provider: exchange_rate
    hosts: {one: 'http://127.0.0.1:%d'}
    keys: {primary: {env: PROBED}}
    calendar: always
endpoints:
"""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running_upstream() as running:
        yield running


@pytest.fixture
def config(upstream: Upstream, database: Database, tmp_path, monkeypatch) -> Path:
    """Twelve endpoints that are all due now, and again after less than a second."""
    path = tmp_path / "healing_config.yaml"
    path.write_text(
        CONFIG % upstream.port
        + "".join(
            f"  fx/usd-{each.lower()}: {{path: /v6/pair/USD/{each}, max_age_s: 129600}}\n"
            for each in CODES
        )
    )
    catalog = load_catalog(path, KEY)
    with database.connection() as connection:
        now = datetime.now(UTC)
        seed_schedule(connection, catalog.endpoints.values(), now, lambda: 0.0)
        connection.execute("UPDATE probe_schedule SET interval_s = %s", (INTERVAL_S,))
    return path


def environment(folder: Path, url: str) -> dict[str, str]:
    env = {name: each for name, each in os.environ.items() if not name.startswith("HEALING_")}
    return env | KEY | {"HEALING_STATE_DIR": str(folder), "HEALING_DATABASE_URL": url}


@contextmanager
def probers(
    keys: Sequence[str], config: Path, folder: Path, url: str
) -> Iterator[tuple[float, list[subprocess.Popen]]]:
    """One of each key, by which the upstream tells them apart; and the moment when they begin."""
    begun = [
        subprocess.Popen(
            [sys.executable, str(PROBER), str(config)],
            env=environment(folder / key, url) | {"PROBED": key},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for key in keys
    ]
    try:
        for each in begun:
            assert each.stdout.readline() == "ready\n"
        began = time.monotonic()
        for each in begun:
            each.stdin.write("\n")
            each.stdin.flush()
        yield began, begun
    finally:
        for each in begun:
            each.kill()
            each.communicate(timeout=WITHIN_S)


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_two_probe_each_endpoint_once_in_an_interval_also_when_one_dies_in_the_middle_of_it(
    config, upstream, database_url, tmp_path
):
    def asked_by(*keys: str) -> Counter[str]:
        told = (path.split("/") for path in list(upstream.paths))
        return Counter(parts[-1] for parts in told if parts[2] in keys)

    with probers((DOOMED, OTHER), config, tmp_path, database_url) as (began, (doomed, other)):
        wait_for(lambda: set(asked_by(DOOMED, OTHER)) == set(CODES) and asked_by(DOOMED))
        # What the one claims from now on hangs, and it dies in the middle of that.
        before = asked_by(DOOMED).total()
        upstream.held[DOOMED] = threading.Event()
        wait_for(lambda: asked_by(DOOMED).total() > before)
        doomed.kill()
        doomed.wait(WITHIN_S)
        upstream.held[DOOMED].set()
        # Nothing stays claimed: at the end of the interval the other asks all of them.
        by_now = asked_by(OTHER)
        wait_for(lambda: set(asked_by(OTHER) - by_now) == set(CODES))
        took_s = time.monotonic() - began
        asked = asked_by(DOOMED, OTHER)
        assert other.poll() is None
    # A turn comes somewhat sooner by chance, and the first one comes at once.
    most = took_s / (INTERVAL_S * (1 - EARLY)) + 1
    assert max(asked.values()) <= most, (asked, took_s)
    # Two that each probed for itself would have made more than that.
    assert 2 * took_s / INTERVAL_S > most


def open_prober(parts: ExitStack, config: Path, folder: Path, url: str, carried: str) -> Session:
    return open_session(parts, config, environment(folder, url) | {"HEALING_SHARDS": carried})


def test_probers_that_carry_a_part_each_look_at_their_own_and_together_at_all(
    config, upstream, database, database_url, tmp_path
):
    with ExitStack() as parts:
        halves = [
            open_prober(parts, config, tmp_path / str(number), database_url, f"{number}/2")
            for number in (1, 2)
        ]
        seen: list[set[str]] = []
        for number, each in enumerate(halves, 1):
            before = len(upstream.paths)
            (shard,) = each.watcher.shards
            assert shard == Shard("fx", number, 2)
            look = each.call(each.watcher.look, shard.name)
            asked = upstream.paths[before:]
            assert look.probed == len(asked) == len(set(asked))
            seen.append({path.rpartition("/")[2] for path in asked})
            assert all(shard.covers(f"fx/usd-{code.lower()}") for code in seen[-1])
        assert seen[0] | seen[1] == set(CODES)
        assert not seen[0] & seen[1]
        # What is found there is asked to be healed there, and nowhere else.
        upstream.refused[OTHER] = (500, b"{}", None)
        with database.connection() as connection:
            connection.execute("UPDATE probe_schedule SET next_at = now()")
        for number, each in enumerate(halves, 1):
            mine = {f"fx/usd-{code.lower()}" for code in seen[number - 1]}
            # A look ends soon after the first thing to heal; the next one has what came later.
            asked_for: set[str] = set()
            until = time.monotonic() + WITHIN_S
            while asked_for != mine and time.monotonic() < until:
                look = each.call(each.watcher.look, f"fx_{number}_of_2")
                asked_for |= {one.endpoint for one in look.requests}
            assert asked_for == mine


def test_in_one_process_each_shards_tick_asks_for_its_own_heals(
    config, upstream, database_url, tmp_path
):
    config.write_text("sharding: {endpoints_per_sensor: 6}\n" + config.read_text())
    upstream.refused[OTHER] = (500, b"{}", None)
    with ExitStack() as parts:
        session = open_prober(parts, config, tmp_path, database_url, "")
        shards = session.watcher.shards
        assert [each.name for each in shards] == ["fx_1_of_2", "fx_2_of_2"]
        lookout = Lookout(
            session.watcher,
            session.database,
            session.clock,
            start=session.begin,
            name_of=lambda endpoint: shards.name_of(endpoint, "fx"),
            workers=8,
        )
        lookout.start()
        parts.callback(lookout.close)
        everything, asked_for = {f"fx/usd-{code.lower()}" for code in CODES}, set()
        until = time.monotonic() + WITHIN_S
        # A tick ends soon after the first thing to heal; the next one has what came later.
        while asked_for != everything and time.monotonic() < until:
            for each in shards:
                watch = lookout.watch(each.name, 0.0, never)
                mine = {one.heal.endpoint for one in watch.requests}
                assert all(each.covers(endpoint) for endpoint in mine)
                asked_for |= mine
        assert asked_for == everything


def never(_event_id: int) -> bool:
    return False
