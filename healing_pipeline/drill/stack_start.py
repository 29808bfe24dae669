"""The start of a drilled stack: until every source is probed, and one endpoint was healed."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from glob import escape
from pathlib import Path

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.playing import Drill, Progress, watch
from healing_pipeline.drill.stack_world import ControlPath
from healing_pipeline.drill.world import line_of
from healing_pipeline.installation import load_catalog
from healing_pipeline.storage import counts
from healing_pipeline.storage.probes import seed_schedule

CHECK_EVERY_S = 0.5
OFTEN_S = 0.1

# Every sensor probes every endpoint of its source in each of its ticks, which last four seconds.
PROBED_EVERY_S = 3.0

# Long enough for the first heal run of a cold launcher to meet it.
PRACTICE_FAULT_S = 5.0
PRACTICE_S = 60.0


async def start_and_practise(
    drill: Drill, dagster: ControlPath, config: Path, progress: Progress
) -> None:
    """Wait until every source's sensor has probed, and have one endpoint fail and be healed.

    The first heal run after a start is the launcher's slowest, and no day's measure.
    """
    watched = load_catalog(config, {}).endpoints.values()
    await drill.store(
        lambda connection: seed_schedule(connection, watched, drill.clock.now(), lambda: 0.0)
    )

    while not dagster.has_loaded_code:
        dagster.require_in_time("Dagster's code server")
        await asyncio.sleep(OFTEN_S)
    dagster.start_daemon()
    while not await drill.store(counts.probed_sources) >= set(drill.catalog.sources):
        dagster.require_in_time("Dagster's sensors")
        await asyncio.sleep(OFTEN_S)
    while not dagster.has_warmed_up:
        dagster.require_in_time("the launcher of runs")
        await asyncio.sleep(OFTEN_S)
    progress("healing one endpoint for practice", 0.0)
    await watch(drill, PROBED_EVERY_S)
    fault = practice_fault(drill.catalog, drill.clock.now())
    if fault is not None:
        await asyncio.to_thread(drill.simulator.control.add_fault, fault)
        until = time.monotonic() + PRACTICE_S
        while time.monotonic() < until and not await drill.store(counts.is_over):
            dagster.check()
            await asyncio.sleep(CHECK_EVERY_S)


def practice_fault(catalog: Catalog, now: datetime) -> dict[str, object] | None:
    """A fault for one endpoint alone; None where no endpoint has a path to itself."""
    lines = [(each.source, line_of(catalog, each, now).path) for each in catalog.endpoints.values()]
    alone = [pair for pair in lines if lines.count(pair) == 1]
    if not alone:
        return None
    source, path = alone[0]
    match = {"source": source, "path": escape(path)}
    return {"for_s": PRACTICE_FAULT_S, "match": match, "fault": "server_error"}
