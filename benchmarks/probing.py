"""What a probe costs, beside Debian's prometheus-blackbox-exporter, and how late probes are.

Three measurements on one stub upstream (``probing_stub.py``, a process of its own) that answers
with the rate of a currency pair, 1,000 endpoints of them:

cold
    From a schedule on which everything is due at once to every endpoint probed and its result
    stored, with an upstream that takes 20 ms. Gatus would stagger the same over 222 s.
cpu
    Probes per CPU second of the process that probes, all its threads counted, until the results are
    in PostgreSQL, and with each the data itself as the last good of its endpoint; PostgreSQL's own
    CPU time is told apart. blackbox_exporter is asked by HTTP to probe the same addresses, looks at
    the status and stores nothing; what asking it costs the asker is not counted.
lag
    From the moment a probe is due to the moment it is sent, at an interval of 30 s.

``apt-get install prometheus-blackbox-exporter``, then ``python benchmarks/probing.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import islice, permutations
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from healing_pipeline.catalog.values import (
    ApiKey,
    Catalog,
    Endpoint,
    Host,
    Quota,
    Source,
    Upstreams,
)
from healing_pipeline.control.watching import Watcher
from healing_pipeline.drill.world import drill_database
from healing_pipeline.healing.attempting import SNAPSHOT_EVERY_S
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.installation import allowed_hosts, build_engine, system_clock
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.probes import hasten_all, seed_schedule
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.transport.http import HttpSender, new_client
from healing_pipeline.transport.reaching import Reach

SOURCE = "exchange_rate"
SECRET = "k" * 24
CODES = (
    "USD EUR GBP JPY CHF AUD CAD NZD SEK NOK DKK PLN CZK HUF RON BGN TRY ILS ZAR MXN BRL CLP COP "
    "PEN INR IDR MYR PHP THB SGD HKD KRW TWD"
)
ENDPOINTS = 1_000
INTERVAL_S = 30.0
COLD_DELAY_S = 0.02
ROUNDS = 8
LAG_S = 95.0
LOOK_EVERY_S = 0.25
GATUS_STAGGER_S = 0.222
BLACKBOX = "prometheus-blackbox-exporter"
AT_ONCE = 32
TARGET_PROBES = 1_000
TARGET_LAG_S = 1.0
MODULE = """\
modules:
  http_2xx:
    prober: http
    timeout: 5s
    http: {preferred_ip_protocol: ip4, valid_status_codes: [200]}
"""

PROGRESS = Console(stderr=True)


@contextmanager
def stub(delay_s: float) -> Iterator[int]:
    """Run the upstream; its port."""
    script = Path(__file__).with_name("probing_stub.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(delay_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def catalog_of(port: int, count: int) -> Catalog:
    """So many pairs of currencies at one host."""
    source = Source(
        name=SOURCE,
        provider=SOURCE,
        hosts=(Host("v6", f"http://127.0.0.1:{port}"),),
        keys=(ApiKey("primary", "NONE", SECRET),),
        quota=Quota(),
    )
    pairs = islice(permutations(CODES.split(), 2), count)
    endpoints = (
        Endpoint(f"{SOURCE}/{a}-{b}".lower(), SOURCE, f"/v6/pair/{a}/{b}", interval_s=INTERVAL_S)
        for a, b in pairs
    )
    return Catalog(
        MappingProxyType({SOURCE: source}),
        MappingProxyType({each.id: each for each in endpoints}),
        Upstreams.REAL,
        private_hosts=frozenset({("127.0.0.1", port)}),
    )


@dataclass
class Bench:
    """A watcher of one catalog, with everything that a session has."""

    catalog: Catalog
    database: Database
    recorder: Recorder
    watcher: Watcher

    def stored(self) -> int:
        """Probe results in PostgreSQL."""
        with self.database.connection() as connection:
            found = connection.execute("SELECT count(*) FROM probe_result").fetchone()
        return int(found[0])

    def seed(self, spread: Any) -> None:
        """Let every endpoint be due somewhere in its interval."""
        with self.database.connection() as connection:
            now = system_clock().now()
            seed_schedule(connection, self.catalog.endpoints.values(), now, spread)

    def make_all_due(self) -> None:
        """Let every endpoint be due now."""
        with self.database.connection() as connection:
            hasten_all(connection, self.catalog.endpoints, system_clock().now())

    async def probe_all(self) -> int:
        """Look until everything that is due has been probed once."""
        probed = 0
        while probed < len(self.catalog.endpoints):
            look = await self.watcher.look(SOURCE)
            assert look.bad == 0, "the stub answers well"
            probed += look.probed
        return probed


@asynccontextmanager
async def bench(url: str, port: int, count: int, folder: Path) -> AsyncIterator[Bench]:
    """Open all parts."""
    catalog, clock = catalog_of(port, count), system_clock()
    sender = HttpSender(new_client(), allowed_hosts(catalog))
    recorder = Recorder(url, folder / "spool")
    with Database(url) as database:
        engine = build_engine(
            catalog,
            send=sender.send,
            record=recorder.record,
            clock=clock,
            snapshots=SnapshotMemory(),
            routes=RouteTable(),
        )
        reach = Reach(allowed_hosts(catalog))
        watcher = Watcher(catalog, engine, database, recorder.record, clock, reach)
        try:
            yield Bench(catalog, database, recorder, watcher)
        finally:
            await watcher.aclose()
            await sender.aclose()
            recorder.close()


async def stats(port: int) -> dict[str, int]:
    """What the stub counted."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/stats") as answer,
    ):
        told: dict[str, int] = await answer.json()
        return told


async def cold(each: Bench, port: int) -> dict[str, Any]:
    """From nothing to everything once probed, and stored."""
    each.seed(lambda: 0.0)
    began = time.perf_counter()
    probed = await each.probe_all()
    took_s = time.perf_counter() - began
    assert each.recorder.flush(30.0)
    told = await stats(port)
    return {
        "probed": probed,
        "stored": each.stored(),
        "seconds": took_s,
        "stored_after_s": time.perf_counter() - began,
        "upstream_answers": told["answers"],
        "connections": told["connections"] - 1,  # the one that asked for the counts
        "gatus_would_take_s": GATUS_STAGGER_S * probed,
    }


def server_cpu_s(each: Bench) -> float | None:
    """CPU seconds of PostgreSQL so far; None where it runs elsewhere."""
    with each.database.connection() as connection:
        found = connection.execute("SELECT pg_backend_pid()").fetchone()
    try:
        server = psutil.Process(int(found[0])).parent()
    except psutil.NoSuchProcess:
        return None
    if server is None:
        return None
    total = 0.0
    for process in [server, *server.children(recursive=True)]:
        with ExitStack() as stack:
            stack.push(lambda kind, *_: kind is not None and issubclass(kind, psutil.Error))
            spent = process.cpu_times()
            total += spent.user + spent.system
    return total


async def cpu(each: Bench, port: int, rounds: int) -> dict[str, Any]:
    """Probes per CPU second, results stored, connections kept."""
    each.seed(lambda: 0.0)
    await each.probe_all()  # connections, caches and plans are made once
    assert each.recorder.flush(30.0)
    before, server_before, stored = await stats(port), server_cpu_s(each), each.stored()
    kept = each.recorder.counters.stored
    spent_s, wall_s, probed = [], 0.0, 0
    for number in range(rounds):
        PROGRESS.print(f"cpu: round {number + 1} of {rounds}")
        await asyncio.sleep(SNAPSHOT_EVERY_S)
        each.make_all_due()
        began, began_cpu = time.perf_counter(), time.process_time()
        probed += await each.probe_all()
        assert each.recorder.flush(30.0)
        spent_s.append(time.process_time() - began_cpu)
        wall_s += time.perf_counter() - began
    server_after, after = server_cpu_s(each), await stats(port)
    count = len(each.catalog.endpoints)
    server_s = None if None in (server_before, server_after) else server_after - server_before
    stored, kept = each.stored() - stored, each.recorder.counters.stored - kept
    assert stored == probed, f"{probed} probes, {stored} results"
    assert kept == 2 * probed, f"{probed} probes, {kept - stored} times data"
    return {
        "probed": probed,
        "stored": stored,
        "probes_per_cpu_s": probed / sum(spent_s),
        "probes_per_cpu_s_of_the_median_round": count / statistics.median(spent_s),
        "cpu_us_per_probe": 1e6 * sum(spent_s) / probed,
        "probes_per_s": probed / wall_s,
        "postgresql_cpu_us_per_probe": None if server_s is None else 1e6 * server_s / probed,
        "connections_made": after["connections"] - before["connections"] - 1,
    }


@contextmanager
def exporter(folder: Path) -> Iterator[psutil.Process]:
    """Run blackbox_exporter."""
    module = folder / "blackbox.yml"
    module.write_text(MODULE)
    with subprocess.Popen(
        [BLACKBOX, f"--config.file={module}", "--web.listen-address=127.0.0.1:19115"],
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


async def blackbox(
    process: psutil.Process, port: int, catalog: Catalog, rounds: int
) -> dict[str, Any]:
    """The same addresses, probed by blackbox_exporter."""

    def address(endpoint: Endpoint) -> str:
        path = endpoint.path.replace("/v6/", f"/v6/{SECRET}/")
        query = urlencode({"target": f"http://127.0.0.1:{port}{path}", "module": "http_2xx"})
        return f"http://127.0.0.1:19115/probe?{query}"

    addresses = [address(each) for each in catalog.endpoints.values()]
    places = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession() as session:

        async def one(url: str) -> None:
            async with places, session.get(url) as answer:
                assert "probe_success 1" in await answer.text(), "it finds the stub well"

        for _ in range(50):
            try:
                await one(addresses[0])
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
        await asyncio.gather(*map(one, addresses))
        before, began = process.cpu_times(), time.perf_counter()
        for number in range(rounds):
            PROGRESS.print(f"blackbox: round {number + 1} of {rounds}")
            await asyncio.gather(*map(one, addresses))
        spent, wall_s = process.cpu_times(), time.perf_counter() - began
    spent_s = spent.user + spent.system - before.user - before.system
    probed = rounds * len(addresses)
    return {
        "probed": probed,
        "probes_per_cpu_s": probed / spent_s,
        "cpu_us_per_probe": 1e6 * spent_s / probed,
        "probes_per_s": probed / wall_s,
    }


async def lag(each: Bench, seconds: float) -> dict[str, Any]:
    """How late probes are, over more than three intervals."""
    each.seed(Random(1).random)
    lags: list[float] = []
    began, told, cpu_before = time.perf_counter(), 0.0, time.process_time()
    while (passed := time.perf_counter() - began) < seconds:
        if passed >= told:
            PROGRESS.print(f"lag: {passed:.0f} of {seconds:.0f} s, {len(lags)} probes")
            told += 10
        lags += (await each.watcher.look(SOURCE)).lags_s
        await asyncio.sleep(LOOK_EVERY_S)
    cpu_share = (time.process_time() - cpu_before) / seconds
    assert each.recorder.flush(30.0)
    lags.sort()
    return {
        "probed": len(lags),
        "stored": each.stored(),
        "p50_s": lags[len(lags) // 2],
        "p99_s": lags[len(lags) * 99 // 100],
        "max_s": lags[-1],
        "cpu_share": cpu_share,
    }


async def measure(
    only: str | None, count: int, seconds: float, *, alone: bool = False
) -> dict[str, Any]:
    """Measure what is wanted, one after the other."""
    report: dict[str, Any] = {"endpoints": count, "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if only in (None, "cold"):
            PROGRESS.print("cold: everything is due at once")
            with stub(COLD_DELAY_S) as port, drill_database() as url:
                async with bench(url, port, count, folder) as each:
                    report["cold"] = await cold(each, port)
        if only in (None, "cpu"):
            with stub(0.0) as port, drill_database() as url:
                async with bench(url, port, count, folder) as each:
                    report["cpu"] = await cpu(each, port, ROUNDS)
                if not alone:
                    with exporter(folder) as process:
                        catalog = catalog_of(port, count)
                        report["blackbox"] = await blackbox(process, port, catalog, ROUNDS)
        if only in (None, "lag"):
            with stub(COLD_DELAY_S) as port, drill_database() as url:
                async with bench(url, port, count, folder) as each:
                    report["lag"] = await lag(each, seconds)
    return report


def table_of(report: dict[str, Any]) -> Table:
    """One line for each figure."""
    table = Table(title=f"probing {report['endpoints']:,} endpoints")
    for heading in ("what", "figure", "target"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    if (told := report.get("cold")) is not None:
        table.add_row("cold to all once probed", f"{told['seconds']:.2f} s", "")
        table.add_row("  and stored", f"{told['stored_after_s']:.2f} s", "")
        table.add_row("  connections made", str(told["connections"]), "")
        table.add_row("  Gatus, 222 ms each", f"{told['gatus_would_take_s']:.0f} s", "")
    if (told := report.get("cpu")) is not None:
        probes = f"{told['probes_per_cpu_s']:,.0f}"
        table.add_row("probes per CPU second, stored", probes, f">= {TARGET_PROBES:,}")
        table.add_row("  CPU of ours per probe", f"{told['cpu_us_per_probe']:.0f} µs", "")
        server_us = told["postgresql_cpu_us_per_probe"]
        said = "elsewhere" if server_us is None else f"{server_us:.0f} µs"
        table.add_row("  CPU of PostgreSQL per probe", said, "")
        table.add_row("  connections made", str(told["connections_made"]), "0")
    if (told := report.get("blackbox")) is not None:
        table.add_row(f"{BLACKBOX}, nothing stored", f"{told['probes_per_cpu_s']:,.0f}", "")
        table.add_row("  CPU per probe", f"{told['cpu_us_per_probe']:.0f} µs", "")
    if (told := report.get("lag")) is not None:
        table.add_row("schedule lag p50", f"{told['p50_s']:.3f} s", "")
        table.add_row("schedule lag p99", f"{told['p99_s']:.3f} s", f"< {TARGET_LAG_S:g} s")
        table.add_row("  max", f"{told['max_s']:.3f} s", "")
        table.add_row(f"  over {told['probed']:,} probes; CPU", f"{told['cpu_share']:.0%}", "")
    return table


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=["cold", "cpu", "lag"])
    parser.add_argument("--endpoints", type=int, default=ENDPOINTS)
    parser.add_argument("--seconds", type=float, default=LAG_S, help="of the lag measurement")
    parser.add_argument("--alone", action="store_true", help="without the exporter beside it")
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    if not said.alone and said.only in (None, "cpu") and shutil.which(BLACKBOX) is None:
        sys.exit(
            f"{BLACKBOX} is not installed, and the figure means little alone. Install it with "
            f"`apt-get install {BLACKBOX}`, or leave it out: --alone."
        )
    report = asyncio.run(measure(said.only, said.endpoints, said.seconds, alone=said.alone))
    if said.json:
        json.dump(report, sys.stdout, indent=1)
        return
    Console(width=None if sys.stdout.isatty() else 120).print(table_of(report))


if __name__ == "__main__":
    main()
