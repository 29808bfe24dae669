"""The control path without Dagster: watchers and heal runs on PostgreSQL and a real simulator."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from healing_pipeline.catalog.values import Catalog, Quota
from healing_pipeline.control import heal_run
from healing_pipeline.control.settling import Settled, settle
from healing_pipeline.control.watching import HealRequest, Watcher, probe_limits
from healing_pipeline.drill.world import EPOCH, drill_catalog
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact, Origin, ProbeResult
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.incidents.detection import HEAL_LOST_AFTER, TRY_AGAIN_AFTER
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.installation import allowed_hosts, build_engine
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import NoAnswer, Response
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.storage import incidents, probes, reports
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.routes import active_routes
from healing_pipeline.transport.http import HttpSender, new_client

pytestmark = pytest.mark.processes

# Six endpoints, two hosts, one key, and numbers that change once an hour.
SOURCE = "exchange_rate"
ENDPOINT = "exchange_rate/latest-jpy"
DOWN = {"fault": "server_error", "match": {"source": SOURCE}}
PATIENCE = timedelta(seconds=6)  # past the interval in which an open incident is looked at


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(seed=11, epoch=EPOCH) as running:
        yield running


@pytest.fixture(autouse=True)
def _calm(simulator: RunningSimulator) -> None:
    simulator.control.clear_faults()


@dataclass
class Bench:
    """One engine, one watcher, and a clock whose date only moves when told to."""

    simulator: RunningSimulator
    catalog: Catalog
    database: Database
    recorder: Recorder
    sender: HttpSender
    date: datetime = EPOCH
    facts: list[Fact] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    blips: Counter[str] = field(default_factory=Counter)  # failures to come, by path
    through: dict[str, int] = field(default_factory=dict)  # by path: good calls before it fails
    routes: RouteTable = field(default_factory=RouteTable)

    def __post_init__(self) -> None:
        clock = Clock(now=lambda: self.date, monotonic=time.monotonic, sleep=asyncio.sleep)
        self.engine: HealingEngine = build_engine(
            self.catalog,
            send=self._send,
            record=self._record,
            clock=clock,
            snapshots=SnapshotMemory(),
            routes=self.routes,
            seed=1,
        )
        self.watcher = Watcher(self.catalog, self.engine, self.database, self._record, clock)

    async def _send(self, request: UpstreamRequest, timeout_s: float) -> Response:
        self.sent[request.line.path] += 1
        if request.line.path in self.through:
            self.blips[request.line.path] += self.through[request.line.path] <= 0
            self.through[request.line.path] -= 1
        if self.blips[request.line.path]:
            self.blips[request.line.path] -= 1
            return Response(no_answer=NoAnswer.NETWORK, detail="a blip", elapsed_s=0.01)
        return await self.sender.send(request, timeout_s)

    def _record(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.recorder.record(fact)

    @property
    def names(self) -> list[str]:
        return list(self.catalog.endpoints)

    @property
    def probe_results(self) -> list[ProbeResult]:
        return [fact for fact in self.facts if isinstance(fact, ProbeResult)]

    def pass_by(self, by: timedelta) -> None:
        self.date += by

    async def stored(self, work: Callable[[Any], Any]) -> Any:
        def run() -> Any:
            with self.database.connection() as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    async def make_all_due(self) -> None:
        await self.stored(
            lambda connection: probes.seed_schedule(
                connection, self.catalog.endpoints.values(), self.date, lambda: 0.0
            )
        )

    async def read(self, name: str, times: int = 1) -> list[Any]:
        ends = []
        for _ in range(times):
            self.pass_by(timedelta(milliseconds=10))  # what was met at a look's moment is known
            ends.append(await self.engine.fetch(name))
        assert await asyncio.to_thread(self.recorder.flush)
        return ends

    async def look(self):
        return await self.watcher.look(SOURCE)

    async def open_ones(self) -> list[incidents.IncidentRow]:
        return await self.stored(lambda connection: incidents.open_incidents(connection, SOURCE))

    async def signals(self, incident_id: int) -> list[str]:
        events = await self.stored(
            lambda connection: incidents.incident_events(connection, incident_id)
        )
        return [each.signal for each in events]

    async def incident(self, incident_id: int) -> incidents.IncidentRow:
        return await self.stored(
            lambda connection: incidents.incident_by_id(connection, incident_id)
        )

    async def take(self, request: HealRequest) -> heal_run.Taken | None:
        return await self.stored(
            lambda connection: heal_run.take(connection, request.incident_id, self.date)
        )

    async def heal(self, request: HealRequest) -> Settled:
        """What the job `heal_endpoint` does, step by step."""
        taken = await self.take(request)
        assert taken is not None
        diagnosis = heal_run.diagnosed(self.engine, taken)
        last = self.engine.last_good(taken.endpoint)
        end = await heal_run.healed(self.engine, taken)
        checks: tuple[Any, ...] = ()
        if isinstance(end, Answer):
            checks = heal_run.verified(
                self.catalog,
                self.engine.provider_of(taken.endpoint),
                end,
                None if last is None else last.reading,
                self.date,
            )
        settled = await self.stored(
            lambda connection: settle(connection, taken, diagnosis, end, checks, self.date)
        )
        self.routes.replace_all(await self.stored(active_routes))
        return settled


@asynccontextmanager
async def bench(
    simulator: RunningSimulator, database: Database, recorder: Recorder, quota: Quota | None = None
) -> AsyncIterator[Bench]:
    scenario = replace(load_scenario("calm"), sources=(SOURCE,))
    catalog = drill_catalog(simulator.addresses, scenario)
    if quota is not None:
        sources = {SOURCE: replace(catalog.sources[SOURCE], quota=quota)}
        catalog = replace(catalog, sources=MappingProxyType(sources))
    sender = HttpSender(new_client(), allowed_hosts(catalog))
    try:
        # The simulator's date, so that its data is of today; a whole minute, for the budgets.
        date = simulator.control.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        yield Bench(simulator, catalog, database, recorder, sender, date)
    finally:
        await sender.aclose()


@pytest.fixture
def recorder(database_url, tmp_path) -> Iterator[Recorder]:
    made = Recorder(database_url, tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def on(simulator, database, recorder):
    """Run an async test body on a bench of its own."""

    def run(body: Callable[[Bench], Any], quota: Quota | None = None) -> None:
        async def whole() -> None:
            async with bench(simulator, database, recorder, quota) as each:
                await body(each)

        asyncio.run(whole())

    return run


def test_while_all_is_well_a_look_asks_once_and_opens_nothing(on):
    async def body(each: Bench) -> None:
        await each.make_all_due()
        look = await each.look()
        assert (look.probed, look.skipped, look.bad, look.requests) == (6, 0, 0, ())
        assert set(each.sent.values()) == {1}
        assert await each.open_ones() == []
        # Nothing is due any more.
        assert (await each.look()).probed == 0

    on(body)


def test_ten_watchers_that_look_at_once_open_one_incident_per_endpoint(on):
    """Every watcher hears of all the readers' failures, and each of them would begin incidents."""

    async def body(each: Bench) -> None:
        each.simulator.control.add_fault(DOWN)
        await each.make_all_due()
        await asyncio.gather(*(each.read(name, times=2) for name in each.names))
        looks = await asyncio.gather(*(each.look() for _ in range(10)))
        opened = await each.open_ones()
        assert sorted(row.endpoint for row in opened) == sorted(each.names)
        for row in opened:
            assert await each.signals(row.id) == [Signal.CONFIRMED]
        # A look ends once something asks for a heal; what was found after that is told by the next.
        looks.append(await each.look())
        requests = {request for look in looks for request in look.requests}
        assert len({request.run_key for request in requests}) == 6

    on(body)


def test_ten_watchers_share_what_is_due_and_probe_nothing_twice(on):
    async def body(each: Bench) -> None:
        await each.make_all_due()
        looks = await asyncio.gather(*(each.look() for _ in range(10)))
        assert sum(look.probed for look in looks) == 6
        assert set(each.sent.values()) == {1}

    on(body)


def test_two_installations_on_one_database_probe_once_and_heal_once(
    on, simulator, database, database_url, tmp_path
):
    """By mistake: two engines, two recorders, two watchers, each with a memory of its own."""

    async def body(each: Bench) -> None:
        other_recorder = Recorder(database_url, tmp_path / "other_spool")
        async with bench(simulator, database, other_recorder) as other:
            other.date = each.date
            await each.make_all_due()
            looks = await asyncio.gather(*(one.look() for one in (each, other)))
            assert sum(look.probed for look in looks) == 6
            assert set((each.sent + other.sent).values()) == {1}
            each.simulator.control.add_fault(DOWN)
            await asyncio.gather(*(one.read(ENDPOINT, times=2) for one in (each, other)))
            looks = await asyncio.gather(*(one.look() for one in (each, other)))
            (opened,) = await each.open_ones()
            looks += await asyncio.gather(*(one.look() for one in (each, other)))
            (request,) = {request for look in looks for request in look.requests}
            # Both ask Dagster, which has two daemons: two runs take it.
            taken = await asyncio.gather(*(one.take(request) for one in (each, other)))
            assert sum(one is not None for one in taken) == 1
            signals = await each.signals(opened.id)
            assert signals == [Signal.CONFIRMED, Signal.HEAL_STARTED]
        await asyncio.to_thread(other_recorder.close)
        assert await asyncio.to_thread(each.recorder.flush)
        told = len(each.probe_results) + len(other.probe_results)
        assert await each.stored(count_of("probe_result")) == told
        assert await each.stored(count_of("answer")) == 4

    on(body)


def count_of(table: str) -> Callable[[Any], Any]:
    return lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_failure_that_lasts_is_seen_twice_before_it_opens_an_incident(on):
    async def body(each: Bench) -> None:
        each.simulator.control.add_fault(DOWN)
        await each.make_all_due()
        look = await each.look()
        assert (look.bad, len(look.requests)) == (6, 6)
        by_endpoint = Counter(result.endpoint for result in each.probe_results)
        assert set(by_endpoint.values()) == {2}
        for row in await each.open_ones():
            assert (row.state, row.failure_class) == (State.OPEN, FailureClass.SERVER_ERROR)
            assert row.detected_by == Origin.PROBE

    on(body)


def test_a_route_that_serves_readers_no_more_is_given_up_and_healed_anew_or_told_of(on):
    async def body(each: Bench) -> None:
        await each.make_all_due()
        await each.read(ENDPOINT)
        each.simulator.control.add_fault(DOWN)
        await each.read(ENDPOINT, times=2)
        look = await each.look()
        (request,) = (one for one in look.requests if one.endpoint == ENDPOINT)
        settled = await each.heal(request)
        assert (settled.state, each.routes.get(ENDPOINT).strategy) == (
            *(State.HEALED, "use_cached_data"),
        )
        # The stored data gets too old to be served: the primary is as it was, readers are not.
        each.pass_by(timedelta(hours=1))
        (end,) = await each.read(ENDPOINT)
        assert isinstance(end, HealingFailed)
        look = await each.look()
        (again,) = (one for one in look.requests if one.endpoint == ENDPOINT)
        assert (again.incident_id, again.event_id > request.event_id) == (request.incident_id, True)
        assert await each.stored(active_routes) == []
        settled = await each.heal(again)
        assert settled.state is State.ESCALATED
        assert (await each.signals(request.incident_id))[-3:] == [
            *(Signal.ROUTE_FAILED, Signal.HEAL_STARTED, Signal.HEAL_FAILED),
        ]

    on(body)


def test_a_single_blip_opens_no_incident_and_the_second_look_names_the_first(on):
    async def body(each: Bench) -> None:
        await each.make_all_due()
        paths = {each.catalog.endpoints[name].path for name in each.names}
        each.blips.update(paths)
        look = await each.look()
        assert sum(each.blips.values()) == 0
        assert (look.bad, look.requests) == (0, ())
        assert await each.open_ones() == []
        firsts = {one.id for one in each.probe_results if one.failure_class != FailureClass.OK}
        seconds = {one.confirms for one in each.probe_results if one.confirms is not None}
        assert firsts == seconds
        assert len(firsts) == 6

    on(body)


def test_probes_never_spend_more_of_a_key_than_their_share(on):
    # 10 a minute, of which a fifth: 2 of the 6 that are due, minute after minute.
    async def body(each: Bench) -> None:
        for minute in range(3):
            before = sum(each.sent.values())
            for _ in range(4):
                looks = await asyncio.gather(*(each.look() for _ in range(3)))
                assert all(look.bad == 0 for look in looks)
                await each.make_all_due()
                each.pass_by(timedelta(seconds=14))
            assert sum(each.sent.values()) - before == 2, minute
            each.pass_by(timedelta(seconds=4))

    on(body, Quota(per_minute=10))


def test_what_the_budget_left_out_is_told_and_no_incident_hangs_on_it(on):
    async def body(each: Bench) -> None:
        await each.make_all_due()
        each.simulator.control.add_fault(DOWN)
        look = await each.look()
        assert (look.probed, look.skipped) == (1, 5)
        # The one call that was allowed failed, and there was none left to confirm it.
        assert await each.open_ones() == []
        assert sum(each.sent.values()) == 1

    on(body, Quota(per_day=7))


def test_the_share_of_a_quota_is_rounded_down_but_never_to_nothing():
    assert probe_limits(Quota(per_minute=5, per_day=25, per_month=1500), 0.2) == {
        "minute": 1,
        "day": 5,
        "month": 300,
    }
    assert probe_limits(Quota(per_minute=9), 0.2) == {"minute": 1}
    assert probe_limits(Quota(per_minute=2), 0.2) == {"minute": 1}
    assert probe_limits(Quota(), 0.2) == {}


def test_readers_failures_alone_open_an_incident_without_a_probe(on):
    async def body(each: Bench) -> None:
        each.simulator.control.add_fault(DOWN)
        await each.read(ENDPOINT, times=2)
        asked = sum(each.sent.values())
        look = await each.look()
        (row,) = await each.open_ones()
        assert (row.endpoint, row.detected_by) == (ENDPOINT, Origin.READER)
        assert [request.endpoint for request in look.requests] == [ENDPOINT]
        assert each.probe_results == []
        assert sum(each.sent.values()) == asked

    on(body)


def test_one_readers_failure_is_looked_at_again_before_it_counts(on):
    async def body(each: Bench) -> None:
        each.blips[each.catalog.endpoints[ENDPOINT].path] = 1
        (end,) = await each.read(ENDPOINT)
        assert isinstance(end, Answer)  # by a retry
        assert end.strategy != PLAIN
        await each.look()
        assert [result.failure_class for result in each.probe_results] == [FailureClass.OK]
        assert await each.open_ones() == []

    on(body)


async def opened(each: Bench) -> HealRequest:
    """Open one incident, at an endpoint that was well before."""
    await each.make_all_due()
    await each.look()
    path = each.catalog.endpoints[ENDPOINT].path
    each.simulator.control.add_fault({**DOWN, "match": {"source": SOURCE, "path": path}})
    await each.read(ENDPOINT, times=2)
    (request,) = (await each.look()).requests
    assert request.endpoint == ENDPOINT
    return request


def test_a_heal_leaves_a_route_that_serves_the_next_reader_without_a_failed_first_attempt(on):
    async def body(each: Bench) -> None:
        settled = await each.heal(await opened(each))
        assert (settled.state, settled.endpoint) == (State.HEALED, ENDPOINT)
        (route,) = await each.stored(active_routes)
        assert (route.endpoint, route.incident_id) == (ENDPOINT, settled.incident_id)
        (end,) = await each.read(ENDPOINT)
        assert isinstance(end, Answer)
        assert (end.strategy, end.fidelity) == (route.strategy, route.fidelity)
        assert (await each.look()).requests == ()

    on(body)


def test_a_recovery_withdraws_the_route_and_resolves_the_incident(on):
    async def body(each: Bench) -> None:
        settled = await each.heal(await opened(each))
        each.pass_by(PATIENCE)
        await each.look()
        assert (await each.incident(settled.incident_id)).state is State.HEALED  # still failing
        each.simulator.control.clear_faults()
        each.pass_by(PATIENCE)
        await each.look()
        row = await each.incident(settled.incident_id)
        assert row.state is State.RESOLVED
        assert row.resolved_at == each.date
        assert await each.stored(active_routes) == []
        assert await each.signals(row.id) == [
            Signal.CONFIRMED,
            Signal.HEAL_STARTED,
            Signal.HEAL_SUCCEEDED,
            Signal.RECOVERED,
        ]
        each.routes.replace_all(await each.stored(active_routes))
        (end,) = await each.read(ENDPOINT)
        assert (end.strategy, end.fidelity) == (PLAIN, "exact")

    on(body)


def test_one_good_answer_between_failures_is_no_recovery(on):
    async def body(each: Bench) -> None:
        settled = await each.heal(await opened(each))
        each.simulator.control.clear_faults()
        each.pass_by(PATIENCE)
        each.through[each.catalog.endpoints[ENDPOINT].path] = 1
        before = len(each.probe_results)
        await each.look()
        results = [one for one in each.probe_results[before:] if one.endpoint == ENDPOINT]
        seen = [result.failure_class for result in results]
        assert seen == [FailureClass.OK, FailureClass.NETWORK_ERROR]
        assert (await each.incident(settled.incident_id)).state is State.HEALED
        assert len(await each.stored(active_routes)) == 1

    on(body)


def test_an_incident_is_taken_by_one_run_however_many_ask(on):
    async def body(each: Bench) -> None:
        request = await opened(each)
        taken = await asyncio.gather(*(each.take(request) for _ in range(10)))
        assert sum(one is not None for one in taken) == 1
        assert (await each.look()).requests == ()

    on(body)


def test_a_heal_run_that_died_is_asked_for_again_with_a_new_event(on):
    async def body(each: Bench) -> None:
        request = await opened(each)
        assert await each.take(request) is not None  # and nothing is heard of it any more
        each.pass_by(HEAL_LOST_AFTER - timedelta(seconds=1))
        assert (await each.look()).requests == ()
        each.pass_by(timedelta(seconds=2))
        looks = await asyncio.gather(*(each.look() for _ in range(5)))
        asked = {again for look in looks for again in look.requests}
        assert len(asked) == 1
        (again,) = asked
        assert again.incident_id == request.incident_id
        assert again.run_key != request.run_key
        signals = await each.signals(request.incident_id)
        assert signals == [Signal.CONFIRMED, Signal.HEAL_STARTED, Signal.HEAL_LOST]
        assert (await each.heal(again)).state is State.HEALED

    on(body)


def test_a_clock_that_is_set_back_by_a_day_leaves_no_endpoint_unasked_and_no_heal_missed(on):
    """Everything was due tomorrow by the old clock, and the heal would be given up then."""

    async def body(each: Bench) -> None:
        request = await opened(each)
        assert await each.take(request) is not None  # by a run that dies
        each.pass_by(timedelta(days=-1))
        await each.look()
        before = len(each.probe_results)
        each.pass_by(timedelta(seconds=max(e.interval_s for e in each.catalog.endpoints.values())))
        requests = (await each.look()).requests
        assert {every.endpoint for every in each.probe_results[before:]} == set(each.names)
        assert ENDPOINT in {every.endpoint for every in requests}
        signals = await each.signals(request.incident_id)
        assert signals[:3] == ["confirmed", "heal_started", "heal_lost"]

    on(body)


def test_a_request_that_no_run_took_is_made_again_with_a_new_event(on):
    """A launch that failed: its run key is spent, so the same event would never start another."""

    async def body(each: Bench) -> None:
        request = await opened(each)
        each.pass_by(timedelta(seconds=61))
        (again,) = (await each.look()).requests
        assert again.incident_id == request.incident_id
        assert again.event_id > request.event_id

    on(body)


def test_what_nothing_heals_calls_for_people_once_however_often_it_is_tried(on):
    async def body(each: Bench) -> None:
        # Never read before, so there is nothing older to serve either.
        each.simulator.control.add_fault(DOWN)
        await each.read(ENDPOINT, times=2)
        (request,) = (await each.look()).requests
        for _ in range(3):
            settled = await each.heal(request)
            assert settled.state is State.ESCALATED
            assert "no strategy helped" in settled.note
            assert (await each.look()).requests == ()
            each.pass_by(TRY_AGAIN_AFTER + timedelta(seconds=1))
            (again,) = (await each.look()).requests
            assert again.run_key != request.run_key
            request = again
        assert (await each.stored(reports.counts))["alert"] == 1
        assert await each.stored(active_routes) == []

    on(body)


def test_a_primary_that_is_well_again_when_the_run_begins_needs_no_route(on):
    async def body(each: Bench) -> None:
        request = await opened(each)
        each.simulator.control.clear_faults()
        settled = await each.heal(request)
        assert (settled.state, settled.strategy) == (State.RESOLVED, PLAIN)
        assert await each.stored(active_routes) == []

    on(body)


def test_an_incident_that_opens_again_asks_again(on):
    async def body(each: Bench) -> None:
        request = await opened(each)
        each.simulator.control.clear_faults()
        await each.heal(request)
        each.simulator.control.add_fault(DOWN)
        each.pass_by(timedelta(seconds=20))  # past what counts as news of the first time
        await each.make_all_due()
        requests = [one for one in (await each.look()).requests if one.endpoint == ENDPOINT]
        assert len(requests) == 1
        assert requests[0].incident_id != request.incident_id
        assert requests[0].run_key != request.run_key

    on(body)
