"""Is the diagnosis right? Faults whose truth is known, on real HTTP, at places drawn at random.

Each case puts one fault or two into simulated upstreams with the whole default catalog. Some of
the endpoints are probed as the control path probes them, incidents begin, heal runs try their
plans, and the few endpoints that the diagnosis would know of are asked. Its causes are held against
the truth: `healing_pipeline.drill.labels` says what that is, and `labelled.cases` what is drawn.

Run it with ``python benchmarks/diagnosis.py``; 300 cases take some five minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from labelled.playing import observe_all
from labelled.scoring import MOMENTS, Row, rows, undetected
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from healing_pipeline.incidents.diagnosis import find_causes

# The moment that the tables by class and by place are of.
JUDGED = "asked"
CALLED = {
    "at_detection": "at detection",
    "healed": "after the heal runs",
    "asked": "after the looks it asked for",
    "all_looked_at": "when every endpoint was looked at",
}


def measured(found: Sequence[Row]) -> dict[str, Any]:
    """How many are right, of how many."""
    return {
        "of": len(found),
        "root_cause_right": sum(each.root_right for each in found),
        "scope_exact": sum(each.scope_exact for each in found),
        "place_right": sum(each.place_right for each in found),
        "joined": sum(each.joined for each in found),
    }


def grouped(found: Sequence[Row], name: Callable[[Row], str]) -> dict[str, dict[str, Any]]:
    """The same, by a name."""
    return {
        each: measured([row for row in found if name(row) == each])
        for each in sorted({name(row) for row in found})
    }


def confusion(found: Sequence[Row]) -> list[tuple[str, str, int]]:
    """What was said instead of the truth, of those that missed, the most frequent first."""
    counts = Counter(
        (
            f"{row.truth.root_cause} of {row.truth.kind}",
            f"{row.said.root_cause} of {row.said.place.kind}",
        )
        for row in found
        if not (row.root_right and row.scope_exact)
    )
    return [(truth, said, count) for (truth, said), count in counts.most_common()]


def report(count: int, seed: int, lanes: int) -> dict[str, Any]:
    """Play the cases and score them at every moment."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cases", total=count)
        observed = observe_all(
            count,
            seed,
            lanes,
            lambda case: bar.update(task, advance=1, description=f"{case.form}, {case.kinds[0]}"),
        )
    began = time.process_time()
    found = {moment: list(rows(observed, moment, find_causes)) for moment in MOMENTS}
    spent_s = time.process_time() - began
    judged = found[JUDGED]
    missed = undetected(observed)
    return {
        "seed": seed,
        "cases": len(observed),
        "correlated": sum(each.case.correlated for each in observed),
        "incidents": sum(len(each.asked.failing) for each in observed),
        "causes": len(judged) + missed.total(),
        "undetected": dict(missed),
        "ms_a_diagnosis": round(1000 * spent_s / (len(MOMENTS) * max(1, len(observed))), 2),
        "moments": {moment: measured(each) for moment, each in found.items()},
        "by_fault": grouped(judged, lambda row: row.kind),
        "by_place": grouped(judged, lambda row: row.case.form),
        "by_looked": grouped(judged, lambda row: f"{row.case.looked:.0%}"),
        "confusion": confusion(judged),
    }


def show(said: dict[str, Any], console: Console) -> None:
    """Print the report as tables."""
    console.print(
        f"seed {said['seed']}: {said['cases']} cases, {said['correlated']} of them correlated; "
        f"{said['causes']} causes, {said['incidents']} incidents; not detected: "
        f"{sum(said['undetected'].values())}; {said['ms_a_diagnosis']} ms a diagnosis"
    )
    _table(console, "moment", {CALLED[name]: each for name, each in said["moments"].items()})
    for name in ("by_fault", "by_place", "by_looked"):
        _table(console, f"{name.replace('_', ' ')}, {CALLED[JUDGED]}", said[name])
    misses = Table("truth", "said", "times", title="what the misses said")
    for truth, instead, count in said["confusion"]:
        misses.add_row(truth, instead, str(count))
    console.print(misses)


def _table(console: Console, title: str, groups: dict[str, dict[str, Any]]) -> None:
    table = Table(title, *("n", "root cause", "scope", "place", "joined"))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, each in groups.items():
        shares = (
            each["root_cause_right"],
            each["scope_exact"],
            each["place_right"],
            each["joined"],
        )
        of = max(1, each["of"])
        table.add_row(name, str(each["of"]), *(f"{count / of:.1%}" for count in shares))
    console.print(table)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--incidents", type=int, default=300, help="cases to play (300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=6, help="simulators at once (6)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    said = report(options.incidents, options.seed, options.lanes)
    if options.json:
        print(json.dumps(said, indent=2))
    else:
        show(said, Console(width=None if sys.stdout.isatty() else 100))


if __name__ == "__main__":
    main(sys.argv[1:])
