"""One drill of the whole stack: Dagster's daemon, sensors and runs heal what the readers meet.

Readers, script and score are those of a drill in one process; what one process tells the other goes
by PostgreSQL, as it does where this is installed.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from psycopg import Connection

from healing_pipeline.data_path import Engine
from healing_pipeline.drill.account import account_of, evidence_of
from healing_pipeline.drill.configuration import drill_config_text, unread_endpoints
from healing_pipeline.drill.control_loop import tell_people
from healing_pipeline.drill.detections import detection_report, detections
from healing_pipeline.drill.fates import fate_of
from healing_pipeline.drill.heal_times import HealRun, heal_report, heals_of
from healing_pipeline.drill.playing import Drill, Progress, drive, open_drill, side_by_side, warm_up
from healing_pipeline.drill.stack_start import CHECK_EVERY_S, start_and_practise
from healing_pipeline.drill.stack_world import (
    ControlPath,
    control_path,
    drill_folder,
    stack_databases,
)
from healing_pipeline.drill.world import EPOCH, clock_offset_s, drill_catalog
from healing_pipeline.installation import system_clock
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from healing_pipeline.simulator.scenario import Scenario
from healing_pipeline.stack.dagster_home import Launcher, launcher_of, settings_of
from healing_pipeline.storage import counts, incidents
from healing_pipeline.storage.database import URL_VARIABLE, Database
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.shared_memory import News, SharedMemory

# Heal runs that were asked for in the last moment get this long to end, on a machine however busy.
LAST_HEALS_S = 60.0

MOST_INCIDENTS = 100_000


def run_stack_drill(
    scenario: Scenario,
    scenario_source: str | Path,
    *,
    seed: int,
    duration_s: float,
    state_dir: Path,
    root: Path,
    launcher: Launcher | None,
    progress: Progress,
) -> dict[str, Any]:
    """Run a scenario through Dagster and score it.

    Parameters
    ----------
    scenario_source : str or Path
        What the simulator loads it by.
    root : Path
        The project's folder, for its dagster.yaml.
    launcher : Launcher or None
        None: the one that dagster.yaml has.

    Returns
    -------
    dict
        The report of `score.score`, with the times of the control path.

    Raises
    ------
    HealingPipelineError
        If something cannot be started, or stops by itself. Nothing is left running then.
    """
    settings = settings_of(root)
    chosen = launcher_of(settings) if launcher is None else launcher
    with ExitStack() as stack:
        folder = stack.enter_context(drill_folder(state_dir))
        progress("starting PostgreSQL", 0.0)
        databases = stack.enter_context(stack_databases())
        progress("starting the simulated upstreams", 0.0)
        simulator = stack.enter_context(
            running_simulator(seed=seed, scenario=scenario_source, epoch=EPOCH, paused=True)
        )
        config = folder / "healing_config.yaml"
        config.write_text(drill_config_text(scenario, simulator.base_port), encoding="utf-8")
        offset_s = clock_offset_s(simulator)
        dagster = stack.enter_context(
            control_path(
                root=root,
                folder=folder,
                config=config,
                databases=databases,
                settings=settings,
                launcher=chosen,
                clock_offset_s=offset_s,
            )
        )
        database = stack.enter_context(Database(databases.url))
        recorder = Recorder(databases.url, folder / "drill_spool")
        stack.callback(recorder.close)
        times = asyncio.run(
            _run(scenario, seed, duration_s, simulator, config, database, recorder, dagster,
                 offset_s, progress)
        )  # fmt: skip
        return {**times, "launcher": str(chosen)}


async def _run(
    scenario: Scenario,
    seed: int,
    duration_s: float,
    simulator: RunningSimulator,
    config: Path,
    database: Database,
    recorder: Recorder,
    dagster: ControlPath,
    offset_s: float,
    progress: Progress,
) -> dict[str, Any]:
    began = time.monotonic()
    catalog = drill_catalog(simulator.addresses, scenario)
    unread = unread_endpoints(catalog, seed)
    dagster.load_code(len(catalog.sources))
    async with open_drill(
        scenario,
        seed=seed,
        duration_s=duration_s,
        catalog=catalog,
        read_endpoints=[each for each in catalog.endpoints if each not in unread],
        clock=system_clock(offset_s),
        simulator=simulator,
        database=database,
        recorder=recorder,
    ) as drill:
        await warm_up(drill, progress)
        progress("starting Dagster's code server and daemon", 0.0)
        await start_and_practise(drill, dagster, config, progress)
        started_in_s = time.monotonic() - began
        load = [_load()]
        memory = _shared_memory(drill, database.url, config.parent)
        memory.start()
        try:
            await asyncio.to_thread(memory.wait, 5.0)
            await drive(drill, _beside(drill, dagster), progress)
            progress("waiting for the last heal runs", duration_s)
            await _last_heals(drill, dagster)
            load.append(_load())
        finally:
            await asyncio.to_thread(memory.close)
    progress("stopping Dagster", duration_s)
    await asyncio.to_thread(dagster.stop)
    progress("adding up", duration_s)
    await asyncio.to_thread(recorder.flush, 15.0)
    runs = await asyncio.to_thread(dagster.heal_runs)
    report: dict[str, Any] = await drill.store(partial(_report, drill, runs, offset_s))
    return {
        **report,
        "started_in_s": round(started_in_s, 2),
        # Times of a machine that others keep busy are no measure of what is drilled.
        "machine": {"cpus": os.cpu_count(), "load_before": load[0], "load_after": load[1]},
    }


def _load() -> float:
    """Processes that want to run, averaged over the last minute."""
    return round(os.getloadavg()[0], 2)


def _shared_memory(drill: Drill, url: str, folder: Path) -> SharedMemory:
    """What follows the routes, snapshots and policy of the others, as every client does."""
    loop = asyncio.get_running_loop()
    parts = Engine(
        drill.catalog, drill.engine, drill.snapshots, drill.routes, drill.policy,
        drill.marked.sender,
    )  # fmt: skip

    def take(news: News) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(parts.take, news)

    return SharedMemory(
        {URL_VARIABLE: url},
        folder,
        sources=drill.catalog.sources.values(),
        now=drill.clock.now,
        take=take,
        is_known=parts.knows,
    )


async def _beside(drill: Drill, dagster: ControlPath) -> None:
    """What goes on beside the readers, in this process: Dagster's processes do the rest."""
    await side_by_side(_keep_watch(dagster), tell_people(drill))


async def _keep_watch(dagster: ControlPath) -> None:
    while True:
        dagster.check()
        await asyncio.sleep(CHECK_EVERY_S)


async def _last_heals(drill: Drill, dagster: ControlPath) -> None:
    until = time.monotonic() + LAST_HEALS_S
    while time.monotonic() < until and await drill.store(counts.waiting_for_a_heal):
        dagster.check()
        await asyncio.sleep(CHECK_EVERY_S)


def _report(
    drill: Drill, runs: list[HealRun], offset_s: float, connection: Connection[Any]
) -> dict[str, Any]:
    drill.told_elsewhere = counts.probe_results(connection)
    report = account_of(drill, connection)
    evidence = evidence_of(drill)
    since = drill.started_at - timedelta(days=1)
    began = sorted(
        (
            each
            for each in incidents.recent_incidents(connection, since, MOST_INCIDENTS)
            if each.detected_at >= drill.started_at
        ),
        key=lambda each: each.detected_at,
    )
    steps = {each.id: incidents.incident_events(connection, each.id) for each in began}
    detected = detection_report(
        detections(
            began,
            drill.reads,
            {each.token: fate_of(each, evidence) for each in drill.reads},
            evidence,
            read_endpoints=drill.read_endpoints,
            duration_s=drill.duration_s,
        )
    )
    healed = heal_report(heals_of(began, steps, runs, offset_s))
    return {
        **report,
        **detected,
        **healed,
        "runs": len(runs),
        "probes": len(drill.told_elsewhere),
    }
