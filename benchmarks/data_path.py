"""One trace of faults, replayed to ways of reading data; each is judged on the data it hands over.

Contenders, each configured as well as it allows (see the modules in `peers`): plain httpx, httpx
with stamina, requests-cache with stale-if-error, nginx as a caching proxy in two ways, and this
project's data path. Each one gets fresh simulated upstreams with the same seed and epoch, so the
same truth and the same faults at the same seconds, and readers who ask when their time has come
however long others take. Each reads every endpoint once before the first fault.

Run it with ``pip install -e '.[bench]'`` and ``python benchmarks/data_path.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peers.account import figures, scored
from peers.caching import requests_with_cache
from peers.contract import Contender
from peers.healing import ours
from peers.judging import Judge, RememberedTruth
from peers.plain import plain_httpx
from peers.proxying import nginx, nginx_fresh_first
from peers.replay import replay
from peers.retrying import httpx_with_stamina
from rich.console import Console
from rich.table import Table

from healing_pipeline.simulator.faults import FaultPlan
from healing_pipeline.simulator.scenario import Scenario, load_scenario

CONTENDERS: Mapping[str, Contender] = {
    "httpx": plain_httpx,
    "stamina": httpx_with_stamina,
    "requests-cache": requests_with_cache,
    "nginx": nginx,
    "nginx-fresh": nginx_fresh_first,
    "healing_pipeline": ours,
}
MIXED_DAY = Path(__file__).parent / "traces" / "mixed_day.yaml"
DURATION_S = 40.0

PROGRESS = Console(stderr=True)


def measure(
    name: str, trace: str | Path, scenario: Scenario, seed: int, s: float
) -> dict[str, Any]:
    """Replay the trace to one contender and judge it."""
    with PROGRESS.status(f"{name}: starting") as status:
        replayed = replay(
            CONTENDERS[name],
            scenario,
            trace,
            seed=seed,
            duration_s=s,
            progress=lambda at_s: status.update(f"{name}: {at_s:.0f} of {s:.0f} s"),
        )
        status.update(f"{name}: judging {len(replayed.done)} answers")
        judge = Judge(replayed.catalog, RememberedTruth(seed), replayed.first_read_at)
        results = scored(replayed, judge, FaultPlan(seed, scenario.faults))
    return figures(name, results, len(replayed.calls))


def table_of(reports: list[dict[str, Any]], title: str) -> Table:
    """One line for each contender."""
    table = Table(title=title)
    table.add_column("contender")
    for heading in (
        "requests", "exact", "correct", "wrong as good", "error as success", "errors",
        "p50 ms", "p99 ms", "calls/request",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for each in reports:
        table.add_row(
            each["contender"],
            str(each["requests"]),
            f"{each['exact_share']:.1%}",
            f"{each['correct_share']:.1%}",
            str(each["wrong_as_good"]),
            str(each["error_as_success"]),
            str(each["errors"]),
            f"{each['p50_ms']:.1f}",
            f"{each['p99_ms']:.0f}",
            f"{each['upstream_calls_per_request']:.2f}",
        )
    return table


def by_fault(reports: list[dict[str, Any]]) -> Table:
    """Exact share by the fault that covered the plain call, a column for each contender."""
    table = Table(title="exact / correct data by the fault that covered the plain call")
    table.add_column("fault")
    table.add_column("requests", justify="right")
    for each in reports:
        table.add_column(each["contender"], justify="right")
    for fault in sorted({fault for each in reports for fault in each["by_fault"]}):
        cells = [each["by_fault"].get(fault) for each in reports]
        most = max(each["requests"] for each in cells if each is not None)
        said = (
            "" if each is None else f"{each['exact_share']:.0%} / {each['correct_share']:.0%}"
            for each in cells
        )
        table.add_row(fault, str(most), *said)
    return table


def main() -> None:
    """Parse, measure each contender in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenario", default=str(MIXED_DAY), help="a shipped name or a .yaml file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--duration", type=float, default=DURATION_S, help="seconds")
    parser.add_argument("--only", action="append", choices=list(CONTENDERS))
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    scenario = load_scenario(said.scenario)
    reports = [
        measure(name, said.scenario, scenario, said.seed, said.duration)
        for name in said.only or CONTENDERS
    ]
    if said.json:
        json.dump(reports, sys.stdout, indent=1)
        return
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table_of(reports, f"{scenario.name}, seed {said.seed}, {said.duration:g} s"))
    console.print(by_fault(reports))


if __name__ == "__main__":
    main()
