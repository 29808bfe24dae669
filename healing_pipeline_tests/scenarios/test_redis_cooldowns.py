"""Cooldowns by way of a real Redis: heard at once, for what remains, also without PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from counting_upstream import running_upstream

from healing_pipeline.client import AsyncHealingClient
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.guard.cooldowns import Cooldown, CooldownEnd, CooldownNews, Kind
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage import redis_cooldowns
from healing_pipeline.storage.redis_cooldowns import RedisCooldowns

pytestmark = pytest.mark.processes

LIMIT = FailureClass.RATE_LIMIT
WITHIN_S = 15.0
LATE_S = 0.5
KEY = "k" * 24
CONFIG = """
upstreams: real
allow_private_hosts: [127.0.0.1]
witnesses: []
learning: {since: 2026-11-01}
sources:
  fx: {provider: exchange_rate, hosts: {one: 'http://127.0.0.1:%d'}, calendar: always,
       keys: {primary: {env: REDIS_TRIAL}}}
endpoints:
  fx/usd-eur: {path: /v6/pair/USD/EUR, max_age_s: 129600, accepts: [exact, stale]}
"""


@contextmanager
def running_redis(socket: Path) -> Iterator[None]:
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("HEALING_REDIS_TESTS") == "required":
            pytest.fail("HEALING_REDIS_TESTS=required, and there is no redis-server")
        pytest.skip("there is no redis-server")
    server = subprocess.Popen(
        [
            *(program, "--port", "0", "--unixsocket", str(socket), "--save", ""),
            *("--dir", str(socket.parent), "--appendonly", "no"),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(socket.exists)
        yield
    finally:
        server.terminate()
        server.wait(WITHIN_S)


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def has_end(process: Process) -> bool:
    return any(isinstance(each, CooldownEnd) for each in process.heard)


@dataclass
class Process:
    url: str
    heard: list[CooldownNews] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cooldowns = RedisCooldowns(self.url, self.heard.extend)
        self.cooldowns.start()

    def tell(self, name: str = "primary", lasts_s: float = 30.0) -> Cooldown:
        told = Cooldown("here", Kind.KEY, name, LIMIT, time.monotonic() + lasts_s)
        self.cooldowns.tell(told)
        return told


@pytest.fixture
def processes(monkeypatch) -> Iterator[Callable[[str], Process]]:
    monkeypatch.setattr(redis_cooldowns, "PAUSE_S", 0.1)
    with ExitStack() as stack:

        def begin(url: str) -> Process:
            process = Process(url)
            stack.callback(process.cooldowns.close)
            return process

        yield begin


@pytest.fixture
def socket(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("r") / "s"


def test_others_hear_what_remains_also_of_what_was_told_while_redis_was_away(socket, processes):
    url = f"unix://{socket}"
    early, other = processes(url), processes(url)
    began = time.monotonic()
    first = early.tell()
    early.tell(lasts_s=5.0)  # a shorter one changes nothing
    early.tell("over", lasts_s=0.0)
    assert time.monotonic() - began < 0.1  # nobody waits for a Redis that is away
    with running_redis(socket):
        wait_for(lambda: other.heard)
        for heard in list(other.heard):  # twice, where it was told while it was looked for
            assert (heard.source, heard.kind, heard.name) == ("here", Kind.KEY, "primary")
            assert first.until <= heard.until < first.until + LATE_S
        # A process that begins takes over what still holds.
        late = processes(url)
        wait_for(lambda: late.heard)
        assert first.until <= late.heard[0].until < first.until + LATE_S
        # No end of what lasts, whoever was luckier; the end of a day's quota at any time.
        late.cooldowns.tell(CooldownEnd("here", Kind.KEY, "primary", time.monotonic()))
        late.cooldowns.tell(CooldownEnd("here", Kind.QUOTA, "primary", time.monotonic()))
        for each in (early, other):
            wait_for(partial(has_end, each))
            assert [one.kind for one in each.heard if isinstance(one, CooldownEnd)] == [Kind.QUOTA]
        assert len(early.heard) == 1  # none of its own words


def test_two_clients_without_postgresql_go_by_what_one_was_told(socket, tmp_path, monkeypatch):
    with running_redis(socket), running_upstream() as upstream:
        config = tmp_path / "healing_config.yaml"
        config.write_text(CONFIG % upstream.port)
        environ = {
            "REDIS_TRIAL": KEY,
            "HEALING_DATABASE_URL": "postgresql://healing@127.0.0.1:1/none",
            "HEALING_REDIS_URL": f"unix://{socket}",
        }

        async def play() -> None:
            async def label(client: AsyncHealingClient) -> str:
                answer = await client.fetch("fx/usd-eur")
                return str(answer.fidelity) if isinstance(answer, Answer) else "failed"

            one, other = (
                AsyncHealingClient(config, environ | {"HEALING_STATE_DIR": str(tmp_path / name)})
                for name in ("one", "other")
            )
            async with one, other:
                assert [await label(one), await label(other)] == ["exact", "exact"]
                upstream.refused[KEY] = (429, b"{}", "30")
                assert await label(one) == "stale"
                upstream.refused.clear()
                told_at = upstream.calls[-1][0]
                until = time.monotonic() + WITHIN_S
                while await label(other) == "exact":
                    assert time.monotonic() < until
                heard_at = time.time()
                assert heard_at - told_at < 2.0
                for _ in range(5):
                    assert await label(other) == "stale"
                assert upstream.since(heard_at, KEY) == []

        asyncio.run(play())


@pytest.mark.parametrize("url", ["http://h:1/0", "redis://h:port/0", "what"])
def test_an_address_that_cannot_be_read_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigurationError, match="HEALING_REDIS_URL cannot be read") as refused:
        RedisCooldowns(url, lambda _: None)
    assert url not in str(refused.value)


def test_without_the_package_the_cure_is_named_and_without_the_variable_nothing_is_loaded(
    monkeypatch,
):
    assert redis_cooldowns.redis_cooldowns({}, lambda _: None) is None
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"healing-pipeline\[redis\]"):
        redis_cooldowns.redis_cooldowns({"HEALING_REDIS_URL": "redis://h"}, lambda _: None)
