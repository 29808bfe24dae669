"""Asking around before anybody is blamed: how often, of whom, and what is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from healing_pipeline.catalog.values import Catalog, Host, Source, Upstreams
from healing_pipeline.control.own_connection import ASK_AGAIN_AFTER_S, OwnConnection
from healing_pipeline.healing.parts import Clock

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOSTS = {"yahoo": ("q1.test", "q2.test", "q3.test"), "fred": ("fred.test",), "polygon": ("p.test",)}


@dataclass
class World:
    """Hosts that can be reached or not, a clock that stands still, and what was told."""

    reachable: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    seconds: float = 100.0

    async def reach(self, host: str, _port: int) -> bool:
        self.asked[host] += 1
        await asyncio.sleep(0)
        return host in self.reachable

    async def store(self, work: Callable[[Any], Any]) -> Any:
        self.told.append(work.func.__name__)

    def connection(self, *, asks: bool = True) -> OwnConnection:
        sources = {
            name: Source(name, name, tuple(Host(each, f"https://{each}") for each in its))
            for name, its in HOSTS.items()
        }
        catalog = Catalog(
            MappingProxyType(sources), MappingProxyType({}), Upstreams.REAL, ("dns.test:443",)
        )
        clock = Clock(now=lambda: NOW, monotonic=lambda: self.seconds, sleep=asyncio.sleep)
        return OwnConnection(catalog, self.reach if asks else None, self.store, clock)


def test_fifty_lost_calls_of_one_moment_ask_everybody_once_and_tell_once():
    world = World()
    own = world.connection()

    async def run() -> None:
        lost = (own.is_ours("q1.test", world.seconds) for _ in range(50))
        assert all(await asyncio.gather(*lost))

    asyncio.run(run())
    assert world.asked == dict.fromkeys(
        ["q1.test", "q2.test", "fred.test", "p.test", "dns.test"], 1
    )
    assert world.told == ["begin_own_outage"]
    assert own.is_cut


def test_one_witness_that_takes_a_connection_is_enough():
    world = World(reachable={"dns.test"})
    own = world.connection()
    assert not asyncio.run(own.is_ours("q1.test", world.seconds))
    assert not own.is_cut
    assert world.told == []


def test_whoever_answered_since_settles_it_and_nobody_is_asked():
    world = World()
    own = world.connection()
    own.heard("fred.test", world.seconds, answered=True)
    assert not asyncio.run(own.is_ours("q1.test", world.seconds))
    assert not world.asked


def test_an_answer_from_before_the_lost_call_or_by_the_same_host_settles_nothing():
    world = World()
    own = world.connection()
    own.heard("fred.test", world.seconds - 1, answered=True)
    own.heard("q1.test", world.seconds, answered=True)
    assert asyncio.run(own.is_ours("q1.test", world.seconds))
    assert world.asked


def test_a_judgement_is_made_again_for_a_call_that_was_lost_after_it():
    world = World(reachable={"p.test"})
    own = world.connection()
    assert not asyncio.run(own.is_ours("q1.test", world.seconds))
    world.reachable.clear()
    assert not asyncio.run(own.is_ours("q2.test", world.seconds)), "of the same moment"
    world.seconds += 0.5
    assert asyncio.run(own.is_ours("q2.test", world.seconds))


def test_while_cut_off_it_asks_once_a_second_and_tells_of_the_end_once():
    world = World()
    own = world.connection()

    async def run() -> None:
        assert await own.is_ours("q1.test", world.seconds)
        for _ in range(5):
            assert not await own.is_back()
        assert world.asked["fred.test"] == 1
        world.seconds += ASK_AGAIN_AFTER_S + 0.1
        assert not await own.is_back()
        assert world.asked["fred.test"] == 2
        world.reachable.add("fred.test")
        world.seconds += ASK_AGAIN_AFTER_S + 0.1
        assert await own.is_back()
        assert await own.is_back()

    asyncio.run(run())
    assert not own.is_cut
    assert world.told == ["begin_own_outage", "end_own_outage"]


def test_without_a_way_to_ask_around_it_is_never_our_own_fault():
    world = World()
    own = world.connection(asks=False)
    for host in ("q1.test", "fred.test", "p.test"):
        own.heard(host, world.seconds, answered=False)
    assert not asyncio.run(own.is_ours("q1.test", world.seconds))
    assert asyncio.run(own.is_back())
