"""Data path and control loop in one process, by clocks that can be set; upstreams are simulated.

Time passes as fast as its owner says: `pass_by` moves both clocks, `step` the wall's alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

from psycopg import Connection

from healing_pipeline.control import heal_run
from healing_pipeline.control.look import HealRequest
from healing_pipeline.control.settling import Settled, settle
from healing_pipeline.control.watching import Watcher
from healing_pipeline.drill.world import drill_catalog, line_of
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.healing.facts import AnswerFact, Attempt, Fact, ProbeResult
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.incidents.verification import Check
from healing_pipeline.installation import allowed_hosts, build_engine
from healing_pipeline.probing.response import Response
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.simulator.control import RunningSimulator
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.storage import incidents, probes
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.routes import active_routes
from healing_pipeline.transport.http import HttpSender, new_client

SOURCE = "yahoo"
OK = 200
Result = TypeVar("Result")


class Hands:
    """A wall clock and one that nobody can set."""

    def __init__(self, date: datetime) -> None:
        self._date = date
        self._passed = timedelta()
        self._stepped = timedelta()

    def now(self) -> datetime:
        return self._date + self._passed + self._stepped

    def monotonic(self) -> float:
        return self._passed.total_seconds()

    def pass_by(self, seconds: float) -> None:
        self._passed += timedelta(seconds=seconds)

    def step(self, by: timedelta) -> None:
        self._stepped += by

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)
        await asyncio.sleep(0)


@dataclass
class SteppedWorld:
    """One engine and one watcher; what was recorded is kept beside the database."""

    simulator: RunningSimulator
    database: Database
    recorder: Recorder
    sender: HttpSender
    hands: Hands
    facts: list[Fact] = field(default_factory=list)
    good_at: dict[str, float] = field(default_factory=dict)  # by path, monotonic: asked last

    def __post_init__(self) -> None:
        scenario = replace(load_scenario("calm"), sources=(SOURCE,))
        self.catalog = drill_catalog(self.simulator.addresses, scenario)
        clock = Clock(self.hands.now, self.hands.monotonic, self.hands.sleep)
        self.routes = RouteTable()
        self.engine = build_engine(
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
        began = self.hands.monotonic()
        response = await self.sender.send(request, timeout_s)
        if response.status == OK:
            self.good_at[request.line.path] = began
        return response

    def _record(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.recorder.record(fact)

    async def stored(self, work: Callable[[Connection[Any]], Result]) -> Result:
        def run() -> Result:
            with self.database.connection() as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    async def make_all_due(self) -> None:
        await self.stored(
            lambda connection: probes.seed_schedule(
                connection, self.catalog.endpoints.values(), self.hands.now(), lambda: 0.0
            )
        )

    def path_of(self, endpoint: str) -> str:
        return line_of(self.catalog, self.catalog.endpoints[endpoint], self.hands.now()).path

    def break_(self, endpoint: str) -> None:
        match = {"source": SOURCE, "path": escape(self.path_of(endpoint))}
        self.simulator.control.add_fault({"fault": "server_error", "match": match})

    def mend(self) -> None:
        self.simulator.control.clear_faults()

    async def read(self, endpoint: str) -> Answer | HealingFailed:
        """A reader asks."""
        return await self.engine.fetch(endpoint)

    async def look(self) -> tuple[HealRequest, ...]:
        await asyncio.to_thread(self.recorder.flush)
        requests = (await self.watcher.look(SOURCE)).requests
        self.routes.replace_all(await self.stored(active_routes))
        return requests

    async def take(self, request: HealRequest) -> heal_run.Taken | None:
        return await self.stored(
            lambda connection: heal_run.take(connection, request.incident_id, self.hands.now())
        )

    async def heal(self, taken: heal_run.Taken) -> Settled:
        """What the job `heal_endpoint` does, step by step."""
        diagnosis = heal_run.diagnosed(self.engine, taken)
        last = self.engine.last_good(taken.endpoint)
        end = await heal_run.healed(self.engine, taken)
        checks: tuple[Check, ...] = ()
        if isinstance(end, Answer):
            provider = self.engine.provider_of(taken.endpoint)
            before = None if last is None else last.reading
            checks = heal_run.verified(self.catalog, provider, end, before, self.hands.now())
        settled = await self.stored(
            lambda connection: settle(connection, taken, diagnosis, end, checks, self.hands.now())
        )
        self.routes.replace_all(await self.stored(active_routes))
        return settled

    async def incident(self, number: int) -> incidents.IncidentRow:
        row = await self.stored(lambda connection: incidents.incident_by_id(connection, number))
        assert row is not None
        return row

    def recorded(self) -> dict[str, int]:
        """How many facts there should be in each table, by the account kept here."""
        tables = {"attempt": Attempt, "answer": AnswerFact, "probe_result": ProbeResult}
        return {
            name: sum(isinstance(fact, kind) for fact in self.facts)
            for name, kind in tables.items()
        }


@asynccontextmanager
async def stepped_world(
    simulator: RunningSimulator, url: str, spool: Path
) -> AsyncIterator[SteppedWorld]:
    """A world at the simulator's date, so that its data is of today."""
    sender: HttpSender | None = None
    recorder = Recorder(url, spool)
    with Database(url) as database:
        try:
            hands = Hands(simulator.control.now())
            scenario = replace(load_scenario("calm"), sources=(SOURCE,))
            hosts = allowed_hosts(drill_catalog(simulator.addresses, scenario))
            sender = HttpSender(new_client(), hosts)
            yield SteppedWorld(simulator, database, recorder, sender, hands)
        finally:
            if sender is not None:
                await sender.aclose()
            await asyncio.to_thread(recorder.close)
