"""The part that all drills share: an engine under watch, and readers who ask it by schedule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.fates import Read
from healing_pipeline.drill.schedule import Arrival, arrivals
from healing_pipeline.drill.world import EPOCH, PROBE_INTERVAL_S, MarkedSender, Telling, caller
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact, ProbeResult
from healing_pipeline.healing.memory import PolicyInForce, RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.installation import allowed_hosts, build_engine
from healing_pipeline.simulator.control import RunningSimulator
from healing_pipeline.simulator.quotas import OFF
from healing_pipeline.simulator.scenario import Scenario
from healing_pipeline.storage import probes
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.transport.http import HttpSender, new_client

# Readers that asked in the last moment are waited for; none waits longer than its deadline.
LAST_READERS_S = 5.0

Progress = Callable[[str, float], None]
"""Told what is being done, and the seconds of the drill so far."""


@dataclass
class Drill:
    """The parts of a running drill, and what it has seen so far.

    Attributes
    ----------
    read_endpoints : sequence of str
        Those that readers ask for.
    told_elsewhere : sequence of ProbeResult
        What other processes' probes found, read from the database when all is over.
    """

    scenario: Scenario
    seed: int
    duration_s: float
    catalog: Catalog
    read_endpoints: Sequence[str]
    engine: HealingEngine
    database: Database
    recorder: Recorder
    snapshots: SnapshotMemory
    routes: RouteTable
    policy: PolicyInForce
    clock: Clock
    simulator: RunningSimulator
    telling: Telling
    marked: MarkedSender
    reads: list[Read] = field(default_factory=list)
    started_at: datetime = EPOCH
    told_elsewhere: Sequence[ProbeResult] = ()

    def record(self, fact: Fact) -> None:
        """Take a fact of this process: kept, and sent to the database."""
        self.telling.hear(fact)
        self.recorder.record(fact)

    async def store(self, work: Callable[[Any], Any]) -> Any:
        """Do `work` with a connection, off the event loop."""

        def run() -> Any:
            with self.database.connection() as connection:
                return work(connection)

        return await asyncio.to_thread(run)


@asynccontextmanager
async def open_drill(
    scenario: Scenario,
    *,
    seed: int,
    duration_s: float,
    catalog: Catalog,
    read_endpoints: Sequence[str],
    clock: Clock,
    simulator: RunningSimulator,
    database: Database,
    recorder: Recorder,
) -> AsyncIterator[Drill]:
    """Put a drill together in the event loop that plays it."""
    telling = Telling()
    snapshots, routes, policy = SnapshotMemory(), RouteTable(), PolicyInForce()
    marked = MarkedSender(HttpSender(new_client(), allowed_hosts(catalog)))

    def record(fact: Fact) -> None:
        drill.record(fact)

    engine = build_engine(
        catalog,
        send=marked.send,
        record=record,
        clock=clock,
        snapshots=snapshots,
        routes=routes,
        policy=policy,
        seed=seed,
    )
    drill = Drill(
        scenario=scenario,
        seed=seed,
        duration_s=duration_s,
        catalog=catalog,
        read_endpoints=read_endpoints,
        engine=engine,
        database=database,
        recorder=recorder,
        snapshots=snapshots,
        routes=routes,
        policy=policy,
        clock=clock,
        simulator=simulator,
        telling=telling,
        marked=marked,
    )
    try:
        yield drill
    finally:
        await engine.aclose()
        await marked.sender.aclose()


async def warm_up(drill: Drill, progress: Progress) -> None:
    """Let every endpoint be read once while all is well, as on any day before a bad one."""
    progress("reading every endpoint once", 0.0)
    caller.set("warm-up")
    seen = await asyncio.gather(
        *(drill.engine.observe(each, timeout_s=5.0) for each in drill.catalog.endpoints)
    )
    cold = [
        name for name, each in zip(drill.catalog.endpoints, seen, strict=True) if not each.reading
    ]
    # Where the script meters calls, one key is soon spent: these are read by whatever way there is.
    still = [each for each in cold if not isinstance(await drill.engine.fetch(each), Answer)]
    assert not still or drill.scenario.quotas != OFF, f"the calm simulator did not answer {still}"


async def watch(drill: Drill, every_s: float = PROBE_INTERVAL_S) -> None:
    """Let every endpoint be probed, as often as a drill wants, each at a moment of its own."""
    watched = [replace(each, interval_s=every_s) for each in drill.catalog.endpoints.values()]
    spread = Random(f"schedule:{drill.seed}").random  # noqa: S311 (a schedule, not a secret)  # nosec B311
    await drill.store(
        lambda connection: probes.seed_schedule(connection, watched, drill.clock.now(), spread)
    )


async def drive(drill: Drill, control: Awaitable[None], progress: Progress) -> None:
    """Let the script and the readers run for the drill's time.

    Parameters
    ----------
    control : awaitable
        What goes on beside the readers; ended with them, and its own error ends the drill.
    """
    drill.simulator.control.start()
    drill.started_at = drill.clock.now()
    began = drill.clock.monotonic()
    beside = asyncio.ensure_future(control)
    readers: set[asyncio.Task[None]] = set()
    plan = arrivals(
        drill.read_endpoints, drill.scenario.traffic.requests_per_s, drill.duration_s, drill.seed
    )
    for number, arrival in enumerate(plan):
        wait = arrival.at_s - (drill.clock.monotonic() - began)
        if wait > 0:
            await asyncio.sleep(wait)
        progress(f"{number} of {len(plan)} requests", arrival.at_s)
        task = asyncio.create_task(_read(drill, arrival, f"r{number}"))
        readers.add(task)
        task.add_done_callback(readers.discard)
        if beside.done():
            beside.result()
    rest = drill.duration_s - (drill.clock.monotonic() - began)
    await asyncio.sleep(max(0.0, rest))
    if readers:
        done, late = await asyncio.wait(readers, timeout=LAST_READERS_S)
        for task in done:
            task.result()
        assert not late, f"{len(late)} readers still wait {LAST_READERS_S} s after the drill"
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)
    if not beside.cancelled():
        beside.result()


async def side_by_side(*works: Coroutine[Any, Any, None]) -> None:
    """Do works beside each other until cancelled; the first error of one ends all, as itself."""
    tasks = [asyncio.create_task(each) for each in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for each in tasks:
            each.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        # Also of what went wrong while it was being ended: a drill that hides it would look clean.
        broken = next((each for each in ends if isinstance(each, Exception)), None)
        if broken is not None:
            raise broken


async def _read(drill: Drill, arrival: Arrival, token: str) -> None:
    caller.set(token)
    asked_at = drill.clock.now()
    end = await drill.engine.fetch(arrival.endpoint)
    drill.reads.append(Read(arrival, token, asked_at, drill.clock.now(), end))
