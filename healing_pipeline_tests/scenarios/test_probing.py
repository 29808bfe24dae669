"""Looks at many endpoints on real sockets: what hangs, what is lost, and what is our own fault."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, permutations
from types import MappingProxyType
from typing import Any

import pytest

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.values import (
    ApiKey,
    Catalog,
    Endpoint,
    Host,
    Quota,
    Source,
    Upstreams,
)
from healing_pipeline.control import examining, heal_run
from healing_pipeline.control.alerting import Alerting
from healing_pipeline.control.examining import PROBE_TIMEOUT_S, PROBES_PER_HOST, SILENT_S
from healing_pipeline.control.own_connection import places_of
from healing_pipeline.control.own_outages import begin_own_outage
from healing_pipeline.control.settling import settle
from healing_pipeline.control.watching import Watcher
from healing_pipeline.healing.facts import Fact, ProbeResult
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.incidents.diagnosis import RootCause
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.installation import allowed_hosts, build_engine, system_clock
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage import alerts, incidents, probes
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.own_outages import latest_own_outage
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.transport.http import HttpSender, new_client
from healing_pipeline.transport.reaching import Reach

pytestmark = pytest.mark.processes

PROVIDER = "exchange_rate"
CURRENCIES = ("USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN")


@dataclass
class Upstream:
    """A host that gives the rates of pairs, and can be told to hang, to refuse or to be gone."""

    port: int = 0
    connections: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    hangs: Callable[[str], bool] = lambda _path: False
    fails: Callable[[str], bool] = lambda _path: False
    delay_s: float = 0.0
    at_once: int = 0
    most_at_once: int = 0
    _server: asyncio.Server | None = None
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                self.asked[path] += 1
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    await asyncio.sleep(60 if self.hangs(path) else self.delay_s)
                finally:
                    self.at_once -= 1
                status = "503 Service Unavailable" if self.fails(path) else "200 OK"
                body = b"{}" if self.fails(path) else _rate(*path.split("/")[-2:])
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
                writer.write(body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def _rate(base: str, target: str) -> bytes:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=1, microsecond=0)
    told = {
        "result": "success",
        "time_last_update_unix": int(midnight.timestamp()),
        "base_code": base,
        "target_code": target,
        "conversion_rate": 1.25,
    }
    return json.dumps(told).encode()


@dataclass
class Bench:
    """A watcher of some sources, each with a host of its own."""

    catalog: Catalog
    upstreams: dict[str, Upstream]
    watcher: Watcher
    database: Database
    facts: list[Fact]
    clock: Clock
    engine: Any

    async def stored(self, work: Callable[[Any], Any]) -> Any:
        def run() -> Any:
            with self.database.connection() as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    async def make_all_due(self) -> None:
        now, endpoints = self.clock.now(), self.catalog.endpoints
        await self.stored(
            lambda connection: (
                probes.seed_schedule(connection, endpoints.values(), now, lambda: 0.0),
                probes.hasten_all(connection, endpoints, now),
            )
        )

    async def open_ones(self) -> list[incidents.IncidentRow]:
        return await self.stored(incidents.open_incidents)

    async def look_until(self, is_done: Callable[[], Any], within_s: float, *sources: str) -> None:
        """Look at the sources time and again, as the control path does."""
        until = time.monotonic() + within_s
        while True:
            await asyncio.gather(*(self.watcher.look(each) for each in sources or self.upstreams))
            done = is_done()
            if await done if isinstance(done, Awaitable) else done:
                return
            assert time.monotonic() < until, f"not within {within_s} s"
            await asyncio.sleep(0.05)

    def results(self, source: str) -> list[ProbeResult]:
        return [
            fact for fact in self.facts if isinstance(fact, ProbeResult) and fact.source == source
        ]


def catalog_of(
    hosts: dict[str, tuple[str, ...]], count: int, quota: Quota, witnesses: tuple[str, ...]
) -> Catalog:
    sources = {
        name: Source(
            name,
            PROVIDER,
            tuple(Host(f"h{at}", f"http://{host}") for at, host in enumerate(its)),
            (ApiKey("primary", "NONE", "k" * 24),),
            quota,
        )
        for name, its in hosts.items()
    }
    endpoints = {
        f"{name}/{a}-{b}".lower(): Endpoint(
            f"{name}/{a}-{b}".lower(), name, f"/v6/pair/{a}/{b}", interval_s=30.0
        )
        for name in hosts
        for a, b in islice(permutations(CURRENCIES, 2), count)
    }
    here = (host.rpartition(":") for its in (*hosts.values(), witnesses) for host in its)
    return Catalog(
        MappingProxyType(sources),
        MappingProxyType(endpoints),
        Upstreams.REAL,
        witnesses,
        private_hosts=frozenset((name, int(port)) for name, _, port in here if port.isdigit()),
    )


@pytest.fixture
def recorder(database_url, tmp_path) -> Iterator[Recorder]:
    made = Recorder(database_url, tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def on(database, recorder):
    """Run an async test body on a bench of its own."""

    @asynccontextmanager
    async def bench(
        names: tuple[str, ...],
        count: int,
        quota: Quota,
        clock: Clock,
        more_hosts: dict[str, tuple[str, ...]],
    ) -> AsyncIterator[Bench]:
        upstreams = {name: Upstream() for name in names}
        for each in upstreams.values():
            await each.start()
        hosts = {name: (f"127.0.0.1:{each.port}",) for name, each in upstreams.items()}
        catalog = catalog_of({**hosts, **more_hosts}, count, quota, ())
        sender = HttpSender(new_client(), allowed_hosts(catalog))
        facts: list[Fact] = []

        def record(fact: Fact) -> None:
            facts.append(fact)
            recorder.record(fact)

        engine = build_engine(
            catalog,
            send=sender.send,
            record=record,
            clock=clock,
            snapshots=SnapshotMemory(),
            routes=RouteTable(),
            seed=1,
        )
        watcher = Watcher(catalog, engine, database, record, clock, Reach(allowed_hosts(catalog)))
        try:
            yield Bench(catalog, upstreams, watcher, database, facts, clock, engine)
        finally:
            await watcher.aclose()
            await engine.aclose()
            await sender.aclose()
            for each in upstreams.values():
                with suppress(OSError):
                    await each.stop()

    def run(
        body: Callable[[Bench], Any],
        *names: str,
        count: int = 10,
        quota: Quota | None = None,
        clock: Clock | None = None,
        more_hosts: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        async def whole() -> None:
            parts = names or ("one",), count, quota or Quota(), clock or system_clock()
            async with bench(*parts, more_hosts or {}) as each:
                await body(each)

        asyncio.run(whole())

    return run


def test_an_endpoint_that_hangs_holds_up_neither_the_look_nor_another_ones_incident(on):
    async def body(each: Bench) -> None:
        one = each.upstreams["one"]
        one.hangs = lambda path: path.endswith("USD/EUR")
        one.fails = lambda path: path.endswith("USD/GBP")
        await each.make_all_due()
        began = time.monotonic()
        look = await each.watcher.look("one")
        # A first look, a second one 0.25 s later, and 0.3 s for others that fail at the same time;
        # the one that hangs takes as long as a probe's time until it is clear.
        assert time.monotonic() - began < 2.5
        assert [request.endpoint for request in look.requests] == ["one/usd-gbp"]
        assert (look.probed, look.bad) == (9, 1)
        (row,) = await each.open_ones()
        assert (row.endpoint, row.failure_class) == ("one/usd-gbp", FailureClass.SERVER_ERROR)
        # The one that hangs goes on by itself, and has its incident when both looks have ended.
        await each.look_until(lambda: _are_open(each, 2), 8.0)
        assert {row.endpoint for row in await each.open_ones()} == {"one/usd-gbp", "one/usd-eur"}

    on(body)


def test_a_silent_probe_is_borne_out_beside_it_and_not_after_it(on):
    async def body(each: Bench) -> None:
        each.upstreams["one"].hangs = lambda _path: True
        await each.make_all_due()
        await each.look_until(lambda: _are_open(each, 1), 8.0)
        first, second = sorted(each.results("one"), key=lambda one: one.at)
        assert second.confirms == first.id
        assert (second.at - first.at).total_seconds() < PROBE_TIMEOUT_S
        (row,) = await each.open_ones()
        assert (row.failure_class, row.began_at) == (FailureClass.TIMEOUT, first.at)
        # It has its incident: nothing is left to be borne out.
        await each.make_all_due()
        await each.watcher.look("one")
        await asyncio.sleep(PROBE_TIMEOUT_S + 0.5)
        assert len(each.results("one")) == 3

    on(body, count=1)


def test_a_slow_answer_is_good_however_long_a_second_look_would_wait(on):
    async def body(each: Bench) -> None:
        each.upstreams["one"].delay_s = (SILENT_S + PROBE_TIMEOUT_S) / 2
        await each.make_all_due()
        await each.look_until(lambda: each.results("one"), 8.0)
        assert [one.failure_class for one in each.results("one")] == [FailureClass.OK]
        assert await each.open_ones() == []

    on(body, count=1)


async def _are_open(each: Bench, count: int) -> bool:
    return len(await each.open_ones()) == count


def test_a_host_that_hangs_keeps_its_own_places_and_others_are_probed_as_ever(on):
    async def body(each: Bench) -> None:
        sick, well = each.upstreams["sick"], each.upstreams["well"]
        sick.hangs = lambda _path: True
        await each.make_all_due()
        await each.look_until(lambda: len(each.results("well")) >= 100, 15.0)
        # None of the sick host's second wave has ended: each wave lasts until it times out.
        assert len(each.results("sick")) <= PROBES_PER_HOST
        assert {one.failure_class for one in each.results("well")} == {FailureClass.OK}
        assert sick.most_at_once == PROBES_PER_HOST
        assert sum(well.asked.values()) == 100

    on(body, "sick", "well", count=100)


def test_endpoints_from_cold_are_probed_as_fast_as_the_upstream_answers_over_kept_connections(
    on, monkeypatch
):
    # A busy machine may keep a probe waiting for a second; another would go out beside it.
    monkeypatch.setattr(examining, "SILENT_S", PROBE_TIMEOUT_S)

    async def body(each: Bench) -> None:
        one = each.upstreams["one"]
        one.delay_s = 0.1
        await each.make_all_due()
        began = time.monotonic()
        await each.look_until(lambda: len(each.results("one")) >= 130, 15.0)
        # 130 at 64 at a time are three waves of 0.1 s; one after the other they are 13 s.
        assert time.monotonic() - began < 6.0
        assert one.most_at_once == PROBES_PER_HOST
        assert sum(one.asked.values()) == 130
        connections = one.connections
        assert connections == PROBES_PER_HOST
        await each.make_all_due()
        await each.look_until(lambda: len(each.results("one")) >= 260, 15.0)
        assert one.connections == connections, "the second round connected again"

    on(body, count=130)


def test_a_look_says_how_late_its_probes_were(on):
    async def body(each: Bench) -> None:
        now = each.clock.now()
        seeded = each.catalog.endpoints.values()
        await each.stored(
            lambda connection: probes.seed_schedule(
                connection, seeded, now - timedelta(seconds=3), lambda: 0.0
            )
        )
        look = await each.watcher.look("one")
        assert len(look.lags_s) == look.probed == 10
        assert all(3.0 <= each < 10.0 for each in look.lags_s)

    on(body)


def test_a_name_that_does_not_resolve_is_told_apart_from_a_provider_that_is_down(on):
    async def body(each: Bench) -> None:
        await each.make_all_due()
        await each.look_until(lambda: _are_open(each, 3), 8.0, "nowhere", "one")
        rows = await each.open_ones()
        assert {row.source for row in rows} == {"nowhere"}
        for row in rows:
            assert row.failure_class is FailureClass.NETWORK_ERROR
            assert "the name does not resolve: api.nowhere.invalid" in row.evidence
            taken = await each.stored(
                lambda connection, row=row: heal_run.take(connection, row.id, each.clock.now())
            )
            diagnosis = heal_run.diagnosed(each.engine, taken)
            assert diagnosis.root_cause is RootCause.NAME

    on(body, count=3, more_hosts={"nowhere": ("api.nowhere.invalid",)})


SOURCES = ("one", "two", "three", "four")


async def go_down(each: Bench) -> None:
    for upstream in each.upstreams.values():
        await upstream.stop()


async def come_back(each: Bench) -> None:
    for upstream in each.upstreams.values():
        await upstream.start()


def test_when_nobody_can_be_reached_no_provider_is_blamed_and_it_goes_on_by_itself(on):
    async def body(each: Bench) -> None:
        await each.make_all_due()
        await each.look_until(lambda: len({one.endpoint for one in each.facts}) >= 24, 5.0)
        asked = sum(sum(one.asked.values()) for one in each.upstreams.values())
        await go_down(each)
        began = each.clock.now()
        await each.make_all_due()
        looks = await asyncio.gather(*(each.watcher.look(name) for name in SOURCES))
        looks += await asyncio.gather(*(each.watcher.look(name) for name in SOURCES))
        assert all(look.requests == () for look in looks)
        assert all(look.own_outage for look in looks[-4:])
        assert await each.open_ones() == []
        (alert,) = await each.stored(lambda connection: alerts.alerts_since(connection, began))
        assert alert.title == "Our own connection is down"
        for name in SOURCES:
            assert name in alert.body
        # Readers fail meanwhile, all of them, and open nothing either.
        for _ in range(2):
            await asyncio.gather(*(each.engine.fetch(f"{name}/usd-eur") for name in SOURCES))
        probed = len([fact for fact in each.facts if isinstance(fact, ProbeResult)])
        for _ in range(3):
            looks = await asyncio.gather(*(each.watcher.look(name) for name in SOURCES))
            assert {(look.probed, look.own_outage) for look in looks} == {(0, True)}
        assert len([fact for fact in each.facts if isinstance(fact, ProbeResult)]) == probed

        await come_back(each)

        async def is_well() -> bool:
            outage = await each.stored(latest_own_outage)
            total = sum(sum(one.asked.values()) for one in each.upstreams.values())
            return outage.ended_at is not None and total >= asked + 24

        await each.look_until(is_well, 8.0)
        alerting = Alerting(each.catalog, AlertSettings())
        stayed_well = each.clock.now() + AlertSettings().keep_firing_for
        await each.stored(lambda connection: alerting.evaluate(connection, stayed_well))
        newest, *_ = await each.stored(lambda connection: alerts.alerts_since(connection, began))
        assert newest.title == "Our own connection is back"
        assert await each.stored(lambda tables: incidents.recent_incidents(tables, began)) == []

    on(body, *SOURCES, count=6)


def test_when_one_provider_can_still_be_reached_the_others_are_down_themselves(on):
    async def body(each: Bench) -> None:
        for name in SOURCES[1:]:
            await each.upstreams[name].stop()
        await each.make_all_due()
        await each.look_until(lambda: _are_open(each, 6), 8.0)
        assert {row.source for row in await each.open_ones()} == set(SOURCES[1:])
        assert await each.stored(latest_own_outage) is None

    on(body, *SOURCES, count=2)


def test_a_heal_run_that_runs_into_our_own_outage_blames_our_network_and_calls_nobody(on):
    async def body(each: Bench) -> None:
        await each.upstreams["one"].stop()
        await each.make_all_due()
        await each.look_until(lambda: _are_open(each, 1), 8.0)
        (row,) = await each.open_ones()
        now = each.clock.now()
        await each.stored(lambda tables: begin_own_outage(tables, at=now, evidence="cut"))
        taken = await each.stored(lambda tables: heal_run.take(tables, row.id, now))
        diagnosis = heal_run.diagnosed(each.engine, taken)
        assert diagnosis.root_cause is RootCause.OUR_NETWORK
        end = await heal_run.healed(each.engine, taken)
        settled = await each.stored(lambda tables: settle(tables, taken, diagnosis, end, (), now))
        assert settled.state is State.ESCALATED
        (alert,) = await each.stored(lambda tables: alerts.alerts_since(tables, now))
        assert alert.title == "Our own connection is down"
        (row,) = await each.open_ones()
        assert row.root_cause == RootCause.OUR_NETWORK

    on(body, "one", "two", count=1)


def test_an_outage_that_another_process_told_of_and_did_not_see_end_is_ended(on):
    async def body(each: Bench) -> None:
        now = each.clock.now()
        await each.stored(lambda connection: begin_own_outage(connection, at=now, evidence="dead"))
        await each.make_all_due()
        look = await each.watcher.look("one")
        assert (look.probed, look.own_outage) == (10, False)
        assert (await each.stored(latest_own_outage)).ended_at is not None

    on(body)


def test_a_second_look_that_the_minute_has_no_room_for_is_had_in_the_next(on):
    """A key with one probe a minute confirms a failure a minute later, not never."""
    date = [datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)]

    async def sleep(seconds: float) -> None:
        date[0] += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    clock = Clock(now=lambda: date[0], monotonic=time.monotonic, sleep=sleep)

    async def body(each: Bench) -> None:
        each.upstreams["one"].fails = lambda _path: True
        await each.make_all_due()
        look = await each.watcher.look("one")
        (row,) = await each.open_ones()
        assert (look.probed, look.bad, look.skipped) == (1, 1, 9)
        assert sum(each.upstreams["one"].asked.values()) == 2
        assert row.detected_at >= datetime(2026, 3, 2, 12, 1, tzinfo=UTC)

    on(body, quota=Quota(per_minute=5), clock=clock)


def test_a_small_quota_of_a_day_is_spread_over_it_and_goes_round(on):
    """25 calls a day, a fifth for probes: five, each of another endpoint, 4.8 hours apart."""
    date = [datetime.now(UTC).replace(hour=0, minute=0, second=10, microsecond=0)]
    clock = Clock(now=lambda: date[0], monotonic=time.monotonic, sleep=asyncio.sleep)

    async def body(each: Bench) -> None:
        await each.make_all_due()
        probed_at = []
        for _ in range(2 * 24 * 6):
            probed_at += [date[0]] * (await each.watcher.look("one")).probed
            date[0] += timedelta(minutes=10)
        assert len(probed_at) == 10
        gaps = [after - before for before, after in pairwise(probed_at)]
        assert min(gaps) >= timedelta(hours=4.5)
        assert max(Counter(each.endpoint for each in each.results("one")).values()) == 1

    on(body, quota=Quota(per_day=25), clock=clock)


def test_witnesses_are_asked_only_where_upstreams_are_real():
    witnesses = ("dns.google:443",)
    hosts = {"one": ("a.test", "b.test", "c.test"), "two": ("d.test:8080",)}
    catalog = catalog_of(hosts, 1, Quota(), witnesses)
    asked = [(each.owner, each.host, each.port) for each in places_of(catalog)]
    assert asked == [
        ("one", "a.test", 80),
        ("one", "b.test", 80),
        ("two", "d.test", 8080),
        ("dns.google:443", "dns.google", 443),
    ]
    simulated = Catalog(catalog.sources, catalog.endpoints, Upstreams.SIMULATED, witnesses)
    assert len(places_of(simulated)) == 3
