"""One fault trace replayed to one contender: fresh upstreams, the same arrivals, an open loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.schedule import Arrival, arrivals
from healing_pipeline.drill.world import EPOCH, drill_catalog, simulated_clock
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.simulator.scenario import Scenario
from peers.contract import (
    Contender,
    End,
    Failure,
    Handed,
    Read,
    World,
    question_of,
    within_deadline,
)

# Readers that asked in the last moment are waited for; none waits longer than its deadline.
_LAST_READERS_S = 5.0


@dataclass(frozen=True, slots=True)
class Done:
    """One reader's request and how it ended; moments on the simulated clock."""

    arrival: Arrival
    asked_at: datetime
    answered_at: datetime
    seconds: float
    end: End


@dataclass(frozen=True, slots=True)
class Replayed:
    """Everything one contender did.

    Attributes
    ----------
    calls : sequence of dict
        The simulator's log from the start of the faults' clock on.
    """

    catalog: Catalog
    first_read_at: datetime
    started_at: datetime
    done: tuple[Done, ...]
    calls: Sequence[dict[str, Any]]


def replay(
    contender: Contender,
    scenario: Scenario,
    scenario_source: str | Path,
    *,
    seed: int,
    duration_s: float,
    progress: Callable[[float], None],
) -> Replayed:
    """Run one contender through the whole trace."""
    with running_simulator(
        seed=seed, scenario=scenario_source, epoch=EPOCH, paused=True
    ) as simulator:
        catalog = drill_catalog(simulator.addresses, scenario)
        world = World(catalog, simulated_clock(simulator), seed)

        async def run() -> tuple[datetime, datetime, list[Done]]:
            async with contender(world) as read:
                first_read_at = world.clock.now()
                await _read_everything_once(world, read)
                simulator.control.start()
                started_at = world.clock.now()
                plan = arrivals(
                    list(catalog.endpoints), scenario.traffic.requests_per_s, duration_s, seed
                )
                return first_read_at, started_at, await _drive(world, read, plan, progress)

        first_read_at, started_at, done = asyncio.run(run())
        calls = [each for each in simulator.control.log() if each["at_s"] is not None]
    return Replayed(catalog, first_read_at, started_at, tuple(done), calls)


async def _read_everything_once(world: World, read: Read) -> None:
    """As on any day before a bad one: whoever has a cache has data in it."""
    for endpoint in world.catalog.endpoints:
        end = await within_deadline(read, question_of(world, endpoint))
        is_cold = isinstance(end, Failure) or (isinstance(end, Handed) and end.status != 200)
        assert not is_cold, f"the calm simulator did not answer {endpoint}: {end}"


async def _drive(
    world: World, read: Read, plan: Sequence[Arrival], progress: Callable[[float], None]
) -> list[Done]:
    done: list[Done] = []
    began = world.clock.monotonic()

    async def one(arrival: Arrival) -> None:
        question = question_of(world, arrival.endpoint)
        asked_at, asked = world.clock.now(), world.clock.monotonic()
        end = await within_deadline(read, question)
        seconds = world.clock.monotonic() - asked
        done.append(Done(arrival, asked_at, world.clock.now(), seconds, end))

    readers: set[asyncio.Task[None]] = set()
    for arrival in plan:
        await asyncio.sleep(max(0.0, arrival.at_s - (world.clock.monotonic() - began)))
        progress(arrival.at_s)
        task = asyncio.create_task(one(arrival))
        readers.add(task)
        task.add_done_callback(readers.discard)
    if readers:
        _, late = await asyncio.wait(readers, timeout=_LAST_READERS_S)
        assert not late, f"{len(late)} readers still wait {_LAST_READERS_S} s after the trace"
    assert len(done) == len(plan), "a reader ended with an exception of the benchmark's own"
    return done
