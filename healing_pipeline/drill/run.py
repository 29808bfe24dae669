"""One drill in one process: readers, faults by script, the control loop, and the account of it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from healing_pipeline.drill.account import account_of
from healing_pipeline.drill.control_loop import control_loop
from healing_pipeline.drill.playing import Progress, drive, open_drill, warm_up, watch
from healing_pipeline.drill.world import EPOCH, drill_catalog, drill_database, simulated_clock
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from healing_pipeline.simulator.scenario import Scenario
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.recorder import Recorder


def run_drill(
    scenario: Scenario,
    scenario_source: str | Path,
    *,
    seed: int,
    duration_s: float,
    state_dir: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Run a scenario and score it.

    Parameters
    ----------
    scenario_source : str or Path
        What the simulator loads it by.

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
    progress: Progress,
) -> dict[str, Any]:
    catalog = drill_catalog(simulator.addresses, scenario)
    async with open_drill(
        scenario,
        seed=seed,
        duration_s=duration_s,
        catalog=catalog,
        read_endpoints=list(catalog.endpoints),
        clock=simulated_clock(simulator),
        simulator=simulator,
        database=database,
        recorder=recorder,
    ) as drill:
        await warm_up(drill, progress)
        await watch(drill)
        await drive(drill, control_loop(drill), progress)
    progress("adding up", duration_s)
    await asyncio.to_thread(recorder.flush, 15.0)
    report: dict[str, Any] = await drill.store(partial(account_of, drill))
    return report
