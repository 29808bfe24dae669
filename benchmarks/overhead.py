"""What a healthy read costs over a bare httpx call to the same simulated upstream, in one run.

Calls of both kinds take turns, so that a slow moment of the machine falls on both. Run it with
``python benchmarks/overhead.py``; it needs no database.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from healing_pipeline.drill.world import drill_catalog
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.installation import allowed_hosts, build_engine, system_clock
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.transport.http import HttpSender, new_client

CALLS = 2_000
ENDPOINTS = ("yahoo/quote-aapl", "fred/dgs10", "yahoo/chart-aapl-1d")


async def measure(calls: int) -> None:
    """Print medians in microseconds, their difference and their ratio, per endpoint."""
    scenario = load_scenario("calm")
    with running_simulator(seed=1, scenario="calm") as simulator:
        catalog = drill_catalog(simulator.addresses, scenario)
        bare, ours = new_client(), HttpSender(new_client(), allowed_hosts(catalog))
        engine = build_engine(
            catalog,
            send=ours.send,
            record=[].append,
            clock=system_clock(),
            snapshots=SnapshotMemory(),
            routes=RouteTable(),
        )
        print(f"{'endpoint':<22} {'httpx µs':>9} {'ours µs':>9} {'more µs':>9} {'ratio':>6}")
        for name in ENDPOINTS:
            endpoint = catalog.endpoints[name]
            source = catalog.sources[endpoint.source]
            key = source.keys[0] if source.keys else None
            request = engine.provider_of(name).request(
                endpoint, source.hosts[0], key, system_clock().now()
            )
            plain, healed = [], []
            for number in range(calls + 50):
                began = time.perf_counter()
                response = await bare.get(request.url, headers=dict(request.headers))
                middle = time.perf_counter()
                answer = await engine.fetch(name)
                ended = time.perf_counter()
                assert response.status_code == 200
                assert isinstance(answer, Answer)
                assert answer.fidelity is Fidelity.EXACT
                if number >= 50:
                    plain.append(middle - began)
                    healed.append(ended - middle)
            one, two = statistics.median(plain) * 1e6, statistics.median(healed) * 1e6
            print(f"{name:<22} {one:9.0f} {two:9.0f} {two - one:9.0f} {two / one:6.2f}")
        await bare.aclose()
        await ours.aclose()


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS))
