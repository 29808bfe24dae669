"""How many bytes PostgreSQL takes for a probe and for a read, indexes included.

Reads are healthy ones, of a quote, a series and a chart in turn, through an engine whose calls have
real bodies at once; probes are those of `probing.py`. All go by the recorder into tables that are
new: tables that have been pruned for weeks take a third more, see docs/explanation/reliability.md.
Run it with ``python benchmarks/row_sizes.py [--reads N] [--rounds N] [--json]``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from overhead import asked_once, checked
from probing import Bench, bench, server_cpu_s, stub
from recording import KINDS, engine_of

from healing_pipeline.drill.world import drill_catalog, drill_database
from healing_pipeline.installation import allowed_hosts
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.transport.http import HttpSender, new_client

READS, ROUNDS, ENDPOINTS = 12_000, 20, 300
TABLES = ("probe_result", "attempt", "answer", "snapshot")


def sizes(each: Bench) -> dict[str, dict[str, float]]:
    """Rows and bytes of each table."""
    found = {}
    with each.database.connection() as connection:
        for table in TABLES:
            row = connection.execute(
                f"SELECT count(*), pg_total_relation_size('{table}') FROM {table}"
            ).fetchone()
            found[table] = {"rows": int(row[0]), "bytes": int(row[1])}
    return found


async def of_probes(port: int, url: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Tables after so many probes of each endpoint."""
    async with bench(url, port, ENDPOINTS, folder) as each:
        each.seed(lambda: 0.0)
        for _ in range(rounds):
            await each.probe_all()
            each.make_all_due()
        assert each.recorder.flush(60.0)
        found = sizes(each)
    probes = found["probe_result"]["rows"]
    return {
        "probes": probes,
        "bytes_per_probe": found["probe_result"]["bytes"] / probes,
        "bytes_per_endpoint": found["snapshot"]["bytes"] / found["snapshot"]["rows"],
        "tables": found,
    }


async def of_reads(port: int, url: str, folder: Path, reads: int) -> dict[str, Any]:
    """Tables after so many reads, and what they cost PostgreSQL."""
    with running_simulator(seed=1, scenario="calm") as simulator:
        catalog = drill_catalog(simulator.addresses, load_scenario("calm"))
        sender = HttpSender(new_client(), allowed_hosts(catalog))
        asked = {name: await asked_once(catalog, name, sender) for name in KINDS}
        await sender.aclose()
    async with bench(url, port, 1, folder) as each:
        recorder, before = each.recorder, server_cpu_s(each)
        engines = {
            name: engine_of(catalog, one.response, recorder.record) for name, one in asked.items()
        }
        for number in range(reads // len(engines)):
            for name, engine in engines.items():
                checked(await engine.fetch(name))
            if number % 100 == 0:
                # No faster than PostgreSQL: the spool is not what is measured.
                assert await asyncio.to_thread(recorder.flush, 60.0)
        assert recorder.flush(60.0)
        after, found = server_cpu_s(each), sizes(each)
    done = found["answer"]["rows"]
    kept = sum(found[name]["bytes"] for name in ("attempt", "answer"))
    spent_s = None if before is None or after is None else after - before
    return {
        "reads": done,
        "bytes_per_read": kept / done,
        "postgresql_cpu_us_per_read": None if spent_s is None else 1e6 * spent_s / done,
        "tables": found,
    }


async def measure(reads: int, rounds: int) -> dict[str, Any]:
    """Both."""
    with tempfile.TemporaryDirectory() as name, stub(0.0) as port:
        with drill_database() as url:
            probes = await of_probes(port, url, Path(name) / "probes", rounds)
        with drill_database() as url:
            return {
                "probes": probes,
                "reads": await of_reads(port, url, Path(name) / "reads", reads),
            }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reads", type=int, default=READS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = asyncio.run(measure(given.reads, given.rounds))
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for what in ("probes", "reads"):
        for name, value in found[what].items():
            if not isinstance(value, dict):
                print(f"{what}: {name} {value if value is None else format(value, ',.0f')}")


if __name__ == "__main__":
    main()
