"""What it costs a reader that facts are on disk before the answer: CPU and wall time of a fetch.

Two engines take turns, batch by batch, over the same question, whose call returns a real body at
once: one drops its facts, the other hands them to a `Recorder`, which stores them in PostgreSQL at
the same time. The difference, by the facts there were, is what `Recorder.record` costs; CPU time is
of the thread that answers, so what the recorder's own thread does shows in the wall time alone.

Run it with ``python benchmarks/recording.py [calls]``.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from overhead import asked_once, checked

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.world import drill_catalog, drill_database
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.installation import allowed_hosts, build_engine, system_clock
from healing_pipeline.probing.response import Response
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.transport.http import HttpSender, new_client

CALLS, BATCH = 20_000, 200
TARGET_US = 50
KINDS = ("yahoo/quote-aapl", "fred/dgs10", "yahoo/chart-aapl-1d")


def engine_of(
    catalog: Catalog, response: Response, record: Callable[[Fact], None]
) -> HealingEngine:
    """An engine whose every call has the same answer at once."""

    async def send(_request: UpstreamRequest, _timeout_s: float) -> Response:
        return response

    return build_engine(
        catalog,
        send=send,
        record=record,
        clock=system_clock(),
        snapshots=SnapshotMemory(),
        routes=RouteTable(),
    )


async def spent_us(engine: HealingEngine, name: str) -> tuple[float, float]:
    """CPU of this thread and wall time of one fetch, by a batch."""
    cpu, wall = time.thread_time(), time.perf_counter()
    for _ in range(BATCH):
        checked(await engine.fetch(name))
    return (
        (time.thread_time() - cpu) / BATCH * 1e6,
        (time.perf_counter() - wall) / BATCH * 1e6,
    )


async def measure(calls: int, url: str, folder: Path) -> None:
    """Print the table."""
    with running_simulator(seed=1, scenario="calm") as simulator:
        catalog = drill_catalog(simulator.addresses, load_scenario("calm"))
        sender = HttpSender(new_client(), allowed_hosts(catalog))
        asked = {name: await asked_once(catalog, name, sender) for name in KINDS}
        await sender.aclose()
    print(f"on record, µs more per fetch (median; target: under {TARGET_US} a fact, CPU)")
    print(f"{'endpoint':<22} {'facts':>6} {'CPU':>7} {'a fact':>7} {'wall':>7} {'p99 wall':>9}")
    recorder = Recorder(url, folder)
    for name, each in asked.items():
        dropped = engine_of(catalog, each.response, deque(maxlen=0).append)
        kept = engine_of(catalog, each.response, recorder.record)
        await spent_us(dropped, name), await spent_us(kept, name)
        before = recorder.counters.recorded
        without, with_it = [], []
        for _ in range(max(calls // BATCH, 5)):
            without.append(await spent_us(dropped, name))
            with_it.append(await spent_us(kept, name))
        facts = (recorder.counters.recorded - before) / (BATCH * len(with_it))
        cpu, wall = (
            statistics.median(one[i] for one in with_it)
            - statistics.median(one[i] for one in without)
            for i in (0, 1)
        )
        worst = sorted(one[1] for one in with_it)[int(0.99 * len(with_it))]
        print(
            f"{name:<22} {facts:6.2f} {cpu:7.1f} {cpu / facts:7.1f} {wall:7.1f} {worst:9.1f}  "
            f"{'met' if cpu / facts < TARGET_US else 'missed'}"
        )
    recorder.close()
    print(recorder.counters)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, drill_database() as database:
        asyncio.run(
            measure(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS, database, Path(place))
        )
