"""What a healthy read costs beyond the call itself: our own code alone, and over bare clients.

Two tables. The first is CPU time of `engine.fetch` whose call returns a real body at once, so that
nothing but our own code runs, with its parts: building the request, judging and reading the answer,
and the rest of the engine. The second is wall time over calls of bare httpx and bare aiohttp to the
same simulated upstream; calls of all kinds take turns, so that a slow moment of the machine falls
on each. Facts are handed over and dropped: storing them is another thread's work and is not in it.

Run it with ``python benchmarks/overhead.py [calls] [--json]``; it needs no database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
from yarl import URL

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.world import drill_catalog
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Send
from healing_pipeline.installation import allowed_hosts, build_engine, system_clock
from healing_pipeline.probing.response import Response
from healing_pipeline.providers.provider import Provider, UpstreamRequest
from healing_pipeline.providers.registry import provider_named
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.transport.http import HttpSender, new_client

CALLS = 2_000
BATCH = 100
WARM_UP = 1_000
TARGET_US = 60
KINDS = {
    "yahoo/quote-aapl": "a quote",
    "yahoo/chart-aapl-1d": "a chart of 91 bars",
    "fred/dgs10": "100 observations",
    "polygon/prev-aapl": "one bar",
    "polygon/aggs-aapl-1d": "91 bars",
    "alpha_vantage/quote-ibm": "a quote",
    "alpha_vantage/daily-ibm": "100 bars as text",
    "exchange_rate/latest-usd": "a table of rates",
}
OVER_BARE = ("yahoo/quote-aapl", "fred/dgs10", "yahoo/chart-aapl-1d")


@dataclass(frozen=True, slots=True)
class Asked:
    """One endpoint's question, and what the simulator said to it."""

    provider: Provider
    build: Callable[[], UpstreamRequest]
    response: Response


def engine_of(catalog: Catalog, send: Send) -> HealingEngine:
    """An engine that keeps no fact."""
    return build_engine(
        catalog,
        send=send,
        record=deque(maxlen=0).append,
        clock=system_clock(),
        snapshots=SnapshotMemory(),
        routes=RouteTable(),
    )


async def asked_once(catalog: Catalog, name: str, sender: HttpSender) -> Asked:
    """Ask an endpoint's question, to have its answer at hand."""
    endpoint, now = catalog.endpoints[name], system_clock().now
    source = catalog.sources[endpoint.source]
    key = source.keys[0] if source.keys else None
    provider = provider_named(source.provider)

    def build() -> UpstreamRequest:
        return provider.request(endpoint, source.hosts[0], key, now(), None)

    response = await sender.send(build(), 10.0)
    assert response.status == 200, response
    return Asked(provider, build, response)


async def cpu_us(call: Callable[[], Awaitable[object]], calls: int) -> float:
    """Median CPU time of a call, by batches."""
    spent = []
    for _ in range(max(calls // BATCH, 5)):
        began = time.process_time()
        for _ in range(BATCH):
            await call()
        spent.append((time.process_time() - began) / BATCH)
    return statistics.median(spent) * 1e6


def cpu_us_of(call: Callable[[], object], calls: int) -> float:
    """The same for what needs no event loop."""
    spent = []
    for _ in range(max(calls // BATCH, 5)):
        began = time.process_time()
        for _ in range(BATCH):
            call()
        spent.append((time.process_time() - began) / BATCH)
    return statistics.median(spent) * 1e6


def checked(answer: object) -> None:
    """Only an answer as good as the body is a healthy read."""
    assert isinstance(answer, Answer), answer
    assert answer.fidelity is Fidelity.EXACT, answer


async def own_code(catalog: Catalog, sender: HttpSender, calls: int) -> dict[str, Any]:
    """CPU microseconds of our own code per healthy read, and its parts, by endpoint."""
    found = {}
    for name, what in KINDS.items():
        asked = await asked_once(catalog, name, sender)
        request, response = asked.build(), asked.response

        async def send(_request: UpstreamRequest, _timeout_s: float, said=response) -> Response:
            return said

        engine = engine_of(catalog, send)
        for _ in range(WARM_UP):
            checked(await engine.fetch(name))
        whole = await cpu_us(lambda name=name, engine=engine: engine.fetch(name), calls)
        checked(await engine.fetch(name))
        built = cpu_us_of(asked.build, calls)
        examined = cpu_us_of(
            lambda asked=asked, request=request: asked.provider.examine(
                asked.response, request.line
            ),
            calls,
        )
        found[name] = {
            "what": what,
            "bytes": len(response.body),
            "request_us": built,
            "examine_us": examined,
            "engine_us": whole - built - examined,
            "all_us": whole,
        }
    return found


def show_own_code(found: dict[str, Any]) -> None:
    """Print the first table."""
    print(f"our own code per healthy read, CPU µs (target: under {TARGET_US} for a quote)")
    print(f"{'endpoint':<26} {'bytes':>6} {'request':>8} {'examine':>8} {'engine':>7} {'all':>6}")
    for name, each in found.items():
        is_met = each["all_us"] < TARGET_US
        met = "met" if is_met else "missed" if "quote" in each["what"] else ""
        print(
            f"{name:<26} {each['bytes']:6} {each['request_us']:8.1f} {each['examine_us']:8.1f} "
            f"{each['engine_us']:7.1f} {each['all_us']:6.1f}  {each['what']:<18} {met}"
        )


async def over_bare(catalog: Catalog, sender: HttpSender, calls: int) -> dict[str, Any]:
    """Medians of wall time in microseconds, by endpoint."""
    engine, found = engine_of(catalog, sender.send), {}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=10.0) as plain,
        aiohttp.ClientSession(trust_env=False) as bare,
    ):
        for name in OVER_BARE:
            request = (await asked_once(catalog, name, sender)).build()
            url, headers = URL(request.url, encoded=True), dict(request.headers)
            spent: dict[str, list[float]] = {"httpx": [], "aiohttp": [], "ours": []}
            for number in range(calls + WARM_UP):
                began = time.perf_counter()
                response = await plain.get(request.url, headers=headers)
                by_httpx = time.perf_counter()
                async with bare.get(url, headers=headers) as answer:
                    await answer.read()
                by_aiohttp = time.perf_counter()
                healed = await engine.fetch(name)
                ended = time.perf_counter()
                assert response.status_code == answer.status == 200
                checked(healed)
                if number >= WARM_UP:
                    spent["httpx"].append(by_httpx - began)
                    spent["aiohttp"].append(by_aiohttp - by_httpx)
                    spent["ours"].append(ended - by_aiohttp)
            found[name] = {
                f"{who}_us": statistics.median(each) * 1e6 for who, each in spent.items()
            }
    return found


def show_over_bare(found: dict[str, Any]) -> None:
    """Print the second table, and what ours is more."""
    print("\nover bare clients, wall µs (median)")
    print(f"{'endpoint':<22} {'httpx':>7} {'aiohttp':>8} {'ours':>7} {'/httpx':>7} {'/aiohttp':>9}")
    for name, each in found.items():
        one, other, ours = each["httpx_us"], each["aiohttp_us"], each["ours_us"]
        print(
            f"{name:<22} {one:7.0f} {other:8.0f} {ours:7.0f} {ours / one:7.2f} {ours / other:9.2f}"
        )


async def measure(calls: int) -> dict[str, Any]:
    """Both tables."""
    with running_simulator(seed=1, scenario="calm") as simulator:
        catalog = drill_catalog(simulator.addresses, load_scenario("calm"))
        sender = HttpSender(new_client(), allowed_hosts(catalog))
        try:
            return {
                "own_code": await own_code(catalog, sender, calls),
                "over_bare": await over_bare(catalog, sender, calls),
            }
        finally:
            await sender.aclose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("calls", type=int, nargs="?", default=CALLS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = asyncio.run(measure(given.calls))
    if given.json:
        print(json.dumps(found, indent=2))
        return
    show_own_code(found["own_code"])
    show_over_bare(found["over_bare"])


if __name__ == "__main__":
    main()
