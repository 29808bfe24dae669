"""How long the pages and reports of an installation take that has been running for long."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.cli.second_opinion import read_score
from healing_pipeline.control.learning_run import read_learning
from healing_pipeline.storage.database import URL_VARIABLE, Database, DatabaseAddress
from healing_pipeline.storage.incidents import recent_incidents
from healing_pipeline.storage.joint_incidents import joint_incidents_since
from healing_pipeline.storage.reports import health_rows, summary_by_strategy

TIMES = 7
PAGES = {
    "overview": "/health-dashboard",
    "endpoint": "/health-dashboard/endpoints/yahoo/quote-spy",
    "endpoint with the open incident": "/health-dashboard/endpoints/fred/gdp",
    "incidents": "/health-dashboard/incidents",
    "alerts": "/health-dashboard/alerts",
    "learning": "/health-dashboard/learning",
    "status": "/status",
    "metrics": "/metrics",
    "report page, a day": "/health-dashboard/reports?window=24h",
    "report page, a month": "/health-dashboard/reports?window=30d",
}


def pages(config: Path, url: str, folder: Path, incident: int) -> dict[str, float]:
    """Milliseconds of each page of a gateway of its own: the median of some visits."""
    addresses = {**PAGES, "incident": f"/health-dashboard/incidents/{incident}"}
    with _gateway(config, url, folder) as base, httpx.Client(timeout=60) as client:
        _wait_for(client, f"{base}/health-dashboard")
        return {name: _median(client, base + path) for name, path in addresses.items()}


def reports(address: DatabaseAddress, catalog: Catalog) -> dict[str, float]:
    """Milliseconds of what `healing report` reads, for a day and for a month."""
    now = datetime.now(UTC)
    found = {}
    with Database(address.url) as database:
        for name, hours in (("a day", 24.0), ("a month", 720.0)):
            since = now - timedelta(hours=hours)
            parts: dict[str, Callable[[Any], object]] = {
                "health": lambda c, since=since: health_rows(c, since, now),
                "incidents": lambda c, since=since: recent_incidents(c, since, 1000),
                "joint incidents": lambda c, since=since: joint_incidents_since(c, since, 1000),
                "strategies": lambda c, since=since: summary_by_strategy(c, since, now),
                "learning": lambda c: read_learning(c, now),
                "second opinions": lambda c, since=since: read_score(c, catalog, since, now),
            }
            total = 0.0
            for part, read in parts.items():
                took = []
                for _ in range(3):
                    with database.connection() as connection:
                        began = time.perf_counter()
                        read(connection)
                        took.append(1000 * (time.perf_counter() - began))
                found[f"report, {name}: {part}"] = statistics.median(took)
                total += statistics.median(took)
            found[f"report, {name}: all"] = total
    return found


def _median(client: httpx.Client, url: str) -> float:
    took = []
    for number in range(TIMES + 1):
        began = time.perf_counter()
        answer = client.get(url)
        if answer.status_code != httpx.codes.OK:
            raise AssertionError(f"{url}: {answer.status_code} {answer.text[:2000]}")
        if number:
            took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


@contextmanager
def _gateway(config: Path, url: str, folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    environ = {
        **os.environ,
        "HEALING_STATE_DIR": str(folder / "gateway"),
        URL_VARIABLE: url,
    }
    command = ("-m", "healing_pipeline", "gateway", f"--config={config}", f"--port={port}")
    process = subprocess.Popen([sys.executable, *command], env=environ, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(client: httpx.Client, page: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if client.get(page).status_code == httpx.codes.OK:
                time.sleep(3.0)  # until it has read how things stand
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError("the gateway does not show its page")
