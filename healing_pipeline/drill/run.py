"""One drill in one process: readers, faults by script, the control loop, and the account of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control import heal_run
from healing_pipeline.control.look import HealRequest
from healing_pipeline.control.watching import Watcher
from healing_pipeline.drill.account import account_of
from healing_pipeline.drill.fates import Read
from healing_pipeline.drill.schedule import Arrival, arrivals
from healing_pipeline.drill.world import (
    EPOCH,
    MarkedSender,
    Telling,
    caller,
    drill_catalog,
    drill_database,
    simulated_clock,
)
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.installation import allowed_hosts, build_engine
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from healing_pipeline.simulator.quotas import OFF
from healing_pipeline.simulator.scenario import Scenario
from healing_pipeline.storage import probes
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.routes import active_routes
from healing_pipeline.transport.http import HttpSender, new_client

# The control loop looks at every source this often.
LOOK_EVERY_S = 0.5

# Readers that asked in the last moment are waited for; none waits longer than its deadline.
LAST_READERS_S = 5.0


@dataclass
class Drill:
    """The parts of a running drill, and what it has seen so far."""

    scenario: Scenario
    seed: int
    duration_s: float
    catalog: Catalog
    engine: HealingEngine
    database: Database
    recorder: Recorder
    watcher: Watcher
    routes: RouteTable
    clock: Clock
    simulator: RunningSimulator
    telling: Telling
    marked: MarkedSender
    reads: list[Read] = field(default_factory=list)
    started_at: datetime = EPOCH
    asked_for: set[int] = field(default_factory=set)

    async def store(self, work: Callable[[Any], Any]) -> Any:
        """Do `work` with a connection, off the event loop."""

        def run() -> Any:
            with self.database.connection() as connection:
                return work(connection)

        return await asyncio.to_thread(run)


def run_drill(
    scenario: Scenario,
    scenario_source: str | Path,
    *,
    seed: int,
    duration_s: float,
    state_dir: Path,
    progress: Callable[[str, float], None],
) -> dict[str, Any]:
    """Run a scenario and score it.

    Parameters
    ----------
    scenario_source : str or Path
        What the simulator loads it by.
    progress : callable
        Told (what is being done, seconds of the drill so far).

    Returns
    -------
    dict
        The report of `score.score`.
    """
    with ExitStack() as stack:
        progress("starting PostgreSQL", 0.0)
        url = stack.enter_context(drill_database())
        progress("starting the simulated upstreams", 0.0)
        simulator = stack.enter_context(
            running_simulator(seed=seed, scenario=scenario_source, epoch=EPOCH, paused=True)
        )
        database = stack.enter_context(Database(url))
        recorder = Recorder(url, state_dir / "drill_spool")
        stack.callback(recorder.close)
        return asyncio.run(
            _run(scenario, seed, duration_s, simulator, database, recorder, progress)
        )


async def _run(
    scenario: Scenario,
    seed: int,
    duration_s: float,
    simulator: RunningSimulator,
    database: Database,
    recorder: Recorder,
    progress: Callable[[str, float], None],
) -> dict[str, Any]:
    catalog = drill_catalog(simulator.addresses, scenario)
    clock = simulated_clock(simulator)
    telling, routes = Telling(), RouteTable()
    marked = MarkedSender(HttpSender(new_client(), allowed_hosts(catalog)))

    def record(fact: Fact) -> None:
        telling.hear(fact)
        recorder.record(fact)

    engine = build_engine(
        catalog,
        send=marked.send,
        record=record,
        clock=clock,
        snapshots=SnapshotMemory(),
        routes=routes,
        seed=seed,
    )
    drill = Drill(
        scenario=scenario,
        seed=seed,
        duration_s=duration_s,
        catalog=catalog,
        engine=engine,
        database=database,
        recorder=recorder,
        watcher=Watcher(catalog, engine, database, record, clock),
        routes=routes,
        clock=clock,
        simulator=simulator,
        telling=telling,
        marked=marked,
    )
    try:
        await _warm_up(drill, progress)
        await _drive(drill, progress)
    finally:
        await engine.aclose()
        await marked.sender.aclose()
    progress("adding up", duration_s)
    await asyncio.to_thread(recorder.flush, 15.0)
    report: dict[str, Any] = await drill.store(partial(account_of, drill))
    return report


async def _warm_up(drill: Drill, progress: Callable[[str, float], None]) -> None:
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
    spread = Random(f"schedule:{drill.seed}").random  # noqa: S311 (a schedule, not a secret)
    await drill.store(
        lambda connection: probes.seed_schedule(
            connection, drill.catalog.endpoints.values(), drill.clock.now(), spread
        )
    )


async def _drive(drill: Drill, progress: Callable[[str, float], None]) -> None:
    drill.simulator.control.start()
    drill.started_at = drill.clock.now()
    began = drill.clock.monotonic()
    control = asyncio.create_task(_control_loop(drill))
    readers: set[asyncio.Task[None]] = set()
    plan = arrivals(
        list(drill.catalog.endpoints),
        drill.scenario.traffic.requests_per_s,
        drill.duration_s,
        drill.seed,
    )
    for number, arrival in enumerate(plan):
        wait = arrival.at_s - (drill.clock.monotonic() - began)
        if wait > 0:
            await asyncio.sleep(wait)
        progress(f"{number} of {len(plan)} requests", arrival.at_s)
        task = asyncio.create_task(_read(drill, arrival, f"r{number}"))
        readers.add(task)
        task.add_done_callback(readers.discard)
        if control.done():
            control.result()
    rest = drill.duration_s - (drill.clock.monotonic() - began)
    await asyncio.sleep(max(0.0, rest))
    if readers:
        done, late = await asyncio.wait(readers, timeout=LAST_READERS_S)
        for task in done:
            task.result()
        assert not late, f"{len(late)} readers still wait {LAST_READERS_S} s after the drill"
    control.cancel()
    await asyncio.gather(control, return_exceptions=True)
    if not control.cancelled():
        control.result()


async def _read(drill: Drill, arrival: Arrival, token: str) -> None:
    caller.set(token)
    asked_at = drill.clock.now()
    end = await drill.engine.fetch(arrival.endpoint)
    drill.reads.append(Read(arrival, token, asked_at, drill.clock.now(), end))


async def _control_loop(drill: Drill) -> None:
    caller.set("control")
    heals: set[asyncio.Task[None]] = set()
    try:
        while True:
            began = drill.clock.monotonic()
            looks = await asyncio.gather(
                *(drill.watcher.look(source) for source in drill.catalog.sources)
            )
            for request in (each for look in looks for each in look.requests):
                if request.event_id not in drill.asked_for:
                    drill.asked_for.add(request.event_id)
                    heals.add(asyncio.create_task(_heal(drill, request)))
            for task in [each for each in heals if each.done()]:
                heals.discard(task)
                task.result()
            await _refresh_routes(drill)
            spent = drill.clock.monotonic() - began
            await asyncio.sleep(max(0.05, LOOK_EVERY_S - spent))
    finally:
        await asyncio.gather(*heals)


async def _heal(drill: Drill, request: HealRequest) -> None:
    """Do what the job `heal_endpoint` does, step by step."""
    taken = await drill.store(
        lambda connection: heal_run.take(connection, request.incident_id, drill.clock.now())
    )
    if taken is None:
        return
    diagnosis = heal_run.diagnosed(drill.engine, taken)
    last = drill.engine.last_good(taken.endpoint)
    end = await heal_run.healed(drill.engine, taken)
    checks: tuple[Any, ...] = ()
    if isinstance(end, Answer):
        checks = heal_run.verified(
            drill.catalog,
            drill.engine.provider_of(taken.endpoint),
            end,
            None if last is None else last.reading,
            drill.clock.now(),
        )
    await drill.store(
        lambda connection: heal_run.settle(
            connection, taken, diagnosis, end, checks, drill.clock.now()
        )
    )
    await _refresh_routes(drill)


async def _refresh_routes(drill: Drill) -> None:
    drill.routes.replace_all(await drill.store(active_routes))
