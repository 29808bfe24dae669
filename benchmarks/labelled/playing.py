"""Many cases, on several simulators at once: what one lane waits for costs the others none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack

from healing_pipeline.drill.world import EPOCH
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from labelled.cases import Case, cases
from labelled.world import Lane, Observed, open_lane, whole_catalog


def observe_all(
    count: int, seed: int, lanes: int, progress: Callable[[Case], None]
) -> list[Observed]:
    """Let cases happen and keep what was seen of each, in their order.

    Parameters
    ----------
    progress : callable
        Told of each case that is done.
    """
    with ExitStack() as stack:
        simulators = [
            stack.enter_context(running_simulator(seed=seed + lane, epoch=EPOCH, quotas="off"))
            for lane in range(lanes)
        ]
        todo = cases(whole_catalog(simulators[0]), EPOCH, count, seed)
        return asyncio.run(_play(simulators, todo, progress))


async def _play(
    simulators: list[RunningSimulator], todo: list[Case], progress: Callable[[Case], None]
) -> list[Observed]:
    queue = list(reversed(todo))
    found: list[Observed] = []

    async def play(lane: Lane) -> None:
        while queue:
            case = queue.pop()
            found.append(await lane.observe(case))
            progress(case)

    async with AsyncExitStack() as stack:
        lanes = [await stack.enter_async_context(open_lane(each)) for each in simulators]
        await asyncio.gather(*map(play, lanes))
    return sorted(found, key=lambda each: each.case.number)
