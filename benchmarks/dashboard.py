"""What the dashboard costs: its page, and fifty browsers that watch a thousand endpoints change.

Run it with ``python benchmarks/dashboard.py [SECONDS]``. PostgreSQL, simulator and gateway are
real; the day of every endpoint is made up (`health_quarter`), and so are twenty changes a second:
incidents that begin and end. A delta's delay is from its commit to its arrival at one browser. What
the gateway costs is the CPU time of its process, all threads, of one core. Needs Chromium for the
first paint.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
from playwright.sync_api import sync_playwright
from websockets.asyncio.client import connect

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.load import load
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.world import drill_database
from healing_pipeline.installation import simulated
from healing_pipeline.providers.registry import provider_names
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from healing_pipeline.storage.database import connection_info

HERE = Path(__file__).parent
BROWSERS, CHANGES_PER_S = 50, 20
READERS = 4
LEAST_PAGE = "/problems/not-found"
MOST_PAINT_MS, MOST_BYTES = 200, 100_000

DAY = """
INSERT INTO health_quarter (quarter, endpoint, source, requests, met_fault, healed, reader_errors,
    probes, failures, waited_s, p50_s, p95_s, ill, unhealed)
SELECT quarter, endpoint, split_part(endpoint, '/', 1), 31, CASE WHEN bad < 0.03 THEN 5 ELSE 0 END,
       CASE WHEN bad < 0.03 THEN 4 ELSE 0 END, CASE WHEN bad < 0.005 THEN 1 ELSE 0 END,
       15, CASE WHEN bad < 0.03 THEN 2 ELSE 0 END, 6.2, 0.1 + random() * 0.4, 0.9, bad < 0.03, false
  FROM (SELECT quarter, endpoint, random() AS bad
          FROM unnest(%(endpoints)s::text[]) AS endpoint
         CROSS JOIN generate_series(
                   date_bin('15 minutes', now() - interval '24 hours', 'epoch'),
                   date_bin('15 minutes', now() - interval '15 minutes', 'epoch'),
                   interval '15 minutes') AS quarter) AS made
"""

BEGIN = """
WITH begun AS (
    INSERT INTO incident (endpoint, source, state, state_since, failure_class, evidence, severity,
                          detected_by, began_at, detected_at)
    VALUES (%s, %s, 'open', now(), 'timeout', 'no answer', 'error', 'probe', now(), now())
    RETURNING id)
INSERT INTO incident_event (incident_id, at, signal, to_state, note, asks_heal)
SELECT id, now(), 'confirmed', 'open', '', false FROM begun
RETURNING incident_id
"""
END = """
WITH moved AS (
    UPDATE incident SET state = 'resolved', resolved_at = now() WHERE id = %s RETURNING id)
INSERT INTO incident_event (incident_id, at, signal, from_state, to_state, note, asks_heal)
SELECT id, now(), 'recovered', 'open', 'resolved', '', false FROM moved
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway on a day that was made up."""

    port: int
    process: psutil.Process
    catalog: Catalog
    database: str

    @property
    def page(self) -> str:
        """Address of the overview."""
        return f"http://127.0.0.1:{self.port}/health-dashboard"

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        times = self.process.cpu_times()
        return times.user + times.system


def main(seconds: float) -> None:
    """Measure and print."""
    with running_simulator(seed=1, quotas="off") as simulator:
        for endpoints in (None, 1_000):
            with running(simulator, endpoints) as gateway:
                measure_page(gateway)
                if endpoints is not None:
                    measure_watching(gateway, seconds)


@contextmanager
def running(simulator: RunningSimulator, endpoints: int | None) -> Iterator[Running]:
    """A gateway with so many endpoints; None: those of the default configuration."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="healing-bench-")))
        config = folder / "healing_config.yaml"
        text = default_config_text().replace("port: 8900", f"port: {simulator.base_port}")
        text = re.sub(r"\n +quota: .*", "", text)
        config.write_text(text if endpoints is None else many(text, endpoints))
        hosts, keys = simulated(config, {})
        catalog = load(
            config,
            environ={},
            providers=provider_names(),
            simulated_hosts=hosts,
            simulated_keys=keys,
        )
        database = stack.enter_context(drill_database())
        with psycopg.connect(connection_info(database)) as connection:
            connection.execute("SELECT setseed(0.5)")
            connection.execute(DAY, {"endpoints": list(catalog.endpoints)})
            connection.execute(
                "UPDATE health_fold SET until = date_bin('15 minutes', now(), 'epoch')"
            )
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = int(probe.getsockname()[1])
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "healing_pipeline", "gateway"),
                *(f"--config={config}", f"--port={port}"),
            ],
            env={
                **os.environ,
                "HEALING_STATE_DIR": str(folder / "state"),
                "HEALING_DATABASE_URL": database,
            },
            stdout=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        gateway = Running(port, psutil.Process(process.pid), catalog, database)
        wait_for(gateway)
        yield gateway


def many(text: str, endpoints: int) -> str:
    """The configuration with endpoints of Yahoo's and FRED's only, as many as asked for."""
    head = text[: text.index("\nendpoints:")]
    lines = [
        f"  yahoo/quote-{number:04}: {{path: /v7/finance/quote, params: {{symbols: AAPL}}}}"
        if number % 2
        else f"  fred/series-{number:04}: {{path: /fred/series/observations, "
        "params: {series_id: DGS10, file_type: json}}"
        for number in range(endpoints)
    ]
    return f"{head}\nendpoints:\n" + "\n".join(lines) + "\n"


def wait_for(gateway: Running) -> None:
    """Until the page shows the day."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if "live 2" in httpx.get(gateway.page).text:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError("the page does not show the day")


def measure_page(gateway: Running) -> None:
    """Bytes, and time to the first paint."""
    with httpx.Client() as client:
        raw = client.get(gateway.page, headers={"accept-encoding": "identity"})
        names = re.findall(r'(?:src|href)="(/health-dashboard/assets/[^"]+)"', raw.text)
        parts = [raw.content]
        base = f"http://127.0.0.1:{gateway.port}"
        parts += [
            client.get(base + name, headers={"accept-encoding": "identity"}).content
            for name in names
        ]
        took = []
        for _ in range(20):
            began = time.perf_counter()
            client.get(gateway.page)
            took.append(time.perf_counter() - began)
    packed = [len(gzip.compress(each, 5)) for each in parts]
    paints, least = (first_paints(gateway, each) for each in (gateway.page, LEAST_PAGE))
    print(
        f"{len(gateway.catalog.endpoints)} endpoints: page {len(parts[0]):,} bytes, "
        f"{packed[0]:,} packed; with all it loads {sum(map(len, parts)):,}, {sum(packed):,} packed "
        f"(target: < {MOST_BYTES:,}); answered in {1000 * statistics.median(took):.0f} ms; "
        f"first paint after {paints} ms (target: < {MOST_PAINT_MS}); "
        f"of a page of one line, {least} ms",
        flush=True,
    )


def first_paints(gateway: Running, address: str) -> str:
    """Of ten visits with an empty cache, the median, the best and the worst."""
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if found is None:
        return "(no browser)"
    paints = []
    with sync_playwright() as playwright:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        for _ in range(10):
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{gateway.port}{address}" if address[0] == "/" else address)
            paint = "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)"
            while not (painted := page.evaluate(paint)):
                time.sleep(0.05)
            paints += painted
            context.close()
        browser.close()
    return f"{statistics.median(paints):.0f} ({min(paints):.0f} to {max(paints):.0f})"


def measure_watching(gateway: Running, seconds: float) -> None:
    """Reads alone, then with browsers and changes beside them."""
    told = reads(gateway, 3.0)  # warm
    print(f"{'':<46} {'CPU':>6} {'read p50':>9} {'read p99':>9}")
    told, cpu = spent(gateway, lambda: reads(gateway, seconds))
    tell("nobody watches, nothing changes", cpu, told)
    with changes(gateway):
        told, cpu = spent(gateway, lambda: reads(gateway, seconds))
        tell(f"nobody watches, {CHANGES_PER_S} changes a second", cpu, told)
    with changes(gateway) as committed, browsers(gateway) as seen:
        _, cpu = spent(gateway, lambda: time.sleep(seconds))
        print(f"{f'{BROWSERS} browsers and these changes, no reads':<46} {cpu:>5.1f}%", flush=True)
        told, cpu = spent(gateway, lambda: reads(gateway, seconds))
        tell(f"{BROWSERS} browsers and these changes", cpu, told)
    delays = sorted(
        at - max(each for each in committed[name, state] if each <= at + 0.01)
        for name, state, at in seen["rows"]
        if any(each <= at + 0.01 for each in committed[name, state])
    )
    print(
        f"delta delay p50 {1000 * delays[len(delays) // 2]:.0f} ms, "
        f"p95 {1000 * delays[len(delays) * 95 // 100]:.0f} ms of {len(delays):,}; "
        f"{seen['bytes'] / BROWSERS / seen['seconds']:,.0f} bytes a second to each browser; "
        f"numbers missed: {seen['missed']}"
    )


def spent(gateway: Running, work) -> tuple[dict, float]:
    """What `work` gave, and the gateway's CPU meanwhile in percent of a core."""
    began, before = time.monotonic(), gateway.cpu_s()
    told = work()
    return told, 100 * (gateway.cpu_s() - before) / (time.monotonic() - began)


def tell(what: str, cpu: float, told: dict) -> None:
    """Print a line."""
    print(
        f"{what:<46} {cpu:>5.1f}% {told['p50_us']:>6,.0f} µs {told['p99_us']:>6,.0f} µs", flush=True
    )


def reads(gateway: Running, seconds: float) -> dict:
    """Reads at a steady pace, from a process of their own."""
    targets = [f"/v1/{name}" for name in list(gateway.catalog.endpoints)[1 : 2 * READERS : 2]]
    ran = subprocess.run(
        [sys.executable, __file__, "--reads", str(gateway.port), str(seconds), *targets],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


async def read_steadily(port: int, seconds: float, targets: list[str]) -> None:
    """Each target 25 times a second over a connection of its own; latencies as JSON."""
    took: list[float] = []

    async def one(target: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
            assert head.startswith(b"http/1.1 200"), head
            took.append(time.perf_counter() - began)
            await asyncio.sleep(max(0.0, 0.04 - took[-1]))
        writer.close()

    await asyncio.gather(*map(one, targets))
    took.sort()
    told = {"p50_us": 1e6 * took[len(took) // 2], "p99_us": 1e6 * took[len(took) * 99 // 100]}
    json.dump(told, sys.stdout)


@contextmanager
def changes(gateway: Running) -> Iterator[dict[tuple[str, str], list[float]]]:
    """Incidents that begin and end; when each change was committed, by endpoint and state."""
    committed: dict[tuple[str, str], list[float]] = defaultdict(list)
    stopped = threading.Event()

    def go_on() -> None:
        rng, open_ones = random.Random(1), {}
        names = list(gateway.catalog.endpoints)[40:]
        with psycopg.connect(connection_info(gateway.database), autocommit=True) as connection:
            next_at = time.monotonic()
            while not stopped.is_set():
                if open_ones and (len(open_ones) >= 40 or rng.random() < 0.5):
                    name, state = rng.choice(list(open_ones)), "live"
                    connection.execute(END, [open_ones.pop(name)])
                else:
                    name, state = rng.choice(names), "failed"
                    if name in open_ones:
                        continue
                    begun = connection.execute(BEGIN, [name, name.split("/")[0]])
                    (open_ones[name],) = begun.fetchone()
                committed[name, state].append(time.time())
                next_at += 1 / CHANGES_PER_S
                time.sleep(max(0.0, next_at - time.monotonic()))
            for incident in open_ones.values():
                connection.execute(END, [incident])

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield committed
    finally:
        stopped.set()
        thread.join()


@contextmanager
def browsers(gateway: Running) -> Iterator[dict]:
    """Sockets that are all opened at once, in a process of their own; what they saw."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--browsers", str(gateway.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "open\n"
    seen: dict = {}
    try:
        yield seen
    finally:
        out, _ = process.communicate("stop\n")
        seen |= json.loads(out)


async def watch(port: int) -> None:
    """Fifty browsers; the first one's changes are told with their times."""
    all_open = asyncio.Event()
    rows: list[tuple[str, str, float]] = []
    total, missed, opened = 0, 0, 0

    async def one(number: int) -> None:
        nonlocal total, missed, opened
        address = f"ws://127.0.0.1:{port}/health-dashboard/live"
        options = {"origin": f"http://127.0.0.1:{port}", "compression": None, "proxy": None}
        async with connect(address, max_size=None, **options) as socket_:
            seq = None
            async for message in socket_:
                at = time.time()
                total += len(message)
                if number == 0 or seq is None:
                    told = json.loads(message)
                    if seq is None:
                        opened += 1
                        if opened == BROWSERS:
                            all_open.set()
                    elif "seq" in told and told["seq"] != seq + 1:
                        missed += 1
                    seq = told.get("seq", seq)
                    if number == 0 and not told.get("whole"):
                        rows.extend(
                            (name, row["s"], at)
                            for name, row in told.get("rows", {}).items()
                            if "s" in row and "/" in name
                        )

    tasks = [asyncio.create_task(one(number)) for number in range(BROWSERS)]
    await all_open.wait()
    began, total = time.monotonic(), 0
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    seconds = time.monotonic() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    json.dump({"rows": rows, "bytes": total, "seconds": seconds, "missed": missed}, sys.stdout)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--browsers"]:
        asyncio.run(watch(int(sys.argv[2])))
    elif sys.argv[1:2] == ["--reads"]:
        asyncio.run(read_steadily(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
