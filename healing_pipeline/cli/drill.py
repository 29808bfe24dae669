"""`healing drill`: break simulated upstreams by script and score what readers got."""

from __future__ import annotations

import os
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from healing_pipeline.cli.console import err, out, print_json
from healing_pipeline.drill.run import run_drill
from healing_pipeline.drill.score import is_clean
from healing_pipeline.drill.world import database_kept
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import state_dir
from healing_pipeline.simulator.scenario import load_scenario, scenario_names
from healing_pipeline.simulator.script import Scenario

LONGEST_S = 24 * 3600

# Plays in a loop in `healing up`, slowly enough to be followed by eye.
DEMO = "demo"


def drill(scenario: str, *, seed: int, duration_s: float | None, stack: bool, as_json: bool) -> int:
    """Run one scenario, or all; 0 when no drill had an error, a wrong datum or a lost event."""
    if stack:
        raise ConfigurationError(
            "A drill through Dagster's daemon and runs is not built yet.",
            "Leave --stack out: the same control loop then runs in one process.",
        )
    if duration_s is not None and not 1 <= duration_s <= LONGEST_S:
        raise ConfigurationError(
            f"A drill of {duration_s:g} s cannot be run.", f"Give --duration 1 to {LONGEST_S}."
        )
    names = drill_names() if scenario == "all" else (scenario,)
    loaded = [load_scenario(name) for name in names]
    with database_kept():
        reports = [
            _one(each, name, f"{number} of {len(names)} ", seed, duration_s)
            for number, (each, name) in enumerate(zip(loaded, names, strict=True), start=1)
        ]
    if as_json:
        print_json(reports if scenario == "all" else reports[0])
    else:
        for each in reports:
            _show(each)
        if len(reports) > 1:
            _show_all(reports)
    return 0 if all(is_clean(each) for each in reports) else 1


def drill_names() -> tuple[str, ...]:
    """The scenarios that `all` means: those that come with the package but `up`'s demonstration."""
    return tuple(name for name in scenario_names() if name != DEMO)


def _one(
    loaded: Scenario, name: str, place: str, seed: int, duration_s: float | None
) -> dict[str, Any]:
    seconds = loaded.duration_s if duration_s is None else duration_s
    columns = (
        TextColumn("{task.fields[scenario]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    # Where nobody watches, the bar's last frame would stay behind among the errors.
    unseen = not err.is_terminal
    with Progress(*columns, console=err, transient=True, disable=unseen) as progress:
        task = progress.add_task("", total=seconds, scenario=f"{place}{loaded.name}")
        return run_drill(
            loaded,
            name,
            seed=seed,
            duration_s=seconds,
            state_dir=state_dir(os.environ),
            progress=lambda what, at_s: progress.update(task, description=what, completed=at_s),
        )


def _show(report: dict[str, Any]) -> None:
    title = f"Drill {report['scenario']}, seed {report['seed']}, {report['duration_s']:g} s"
    table = Table(title=title, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    answers = ", ".join(f"{count} {name}" for name, count in report["answers"].items() if count)
    rows: list[tuple[str, Any]] = [
        ("requests", report["requests"]),
        ("answers", answers),
        ("met a fault", report["met_fault"]),
        ("unavoidable", report["unavoidable"]),
        ("healed share", f"{report['healed_share']:.1%}"),
        ("healed by", _healed_by(report["healed_by_strategy"])),
        ("reader errors", report["reader_errors"]),
        ("wrong as good", report["wrong_as_good"]),
        ("lagging as good", report["lagging_as_good"]),
        ("time to detect (p50 / p95 / max)", _spread(report["time_to_detect_s"])),
        ("time to heal (p50 / p95 / max)", _spread(report["time_to_heal_s"])),
        ("longest wait", f"{report['longest_wait_s'] or 0:.2f} s"),
        ("upstream calls per request", _calls(report["upstream_calls_per_request"])),
        ("incidents, alerts", f"{report['incidents']}, {report['alerts_sent']}"),
        ("events told, lost, doubled", f"{report['events']}, {report['events_lost']}, "
         f"{report['events_doubled']}"),
        ("good data called bad", report["false_alarms"]),
        ("faults, undetected", f"{len(report['faults'])}, {report['faults_undetected']}"),
    ]  # fmt: skip
    for name, value in rows:
        table.add_row(name, str(value))
    if report["description"]:
        out.print(report["description"], markup=False)
    for each in report["mapped"]:
        out.print(f"  {each}", markup=False)
    out.print(table)
    classes = Table(title="By failure class")
    for column in ("failure class", "met", "healed"):
        classes.add_column(column)
    for name, counts in report["healed_by_class"].items():
        classes.add_row(name, str(counts["met"]), str(counts["healed"]))
    out.print(classes)
    for each in (*report["wrong_examples"], *report["error_examples"]):
        out.print(each, markup=False)
    for each in report["lagging_examples"]:
        out.print(f"lagging: {each}", markup=False)


def _show_all(reports: list[dict[str, Any]]) -> None:
    table = Table(title=f"All {len(reports)} drills")
    for column in (
        "scenario",
        "requests",
        "met",
        "healed",
        "errors",
        "wrong",
        "lagging",
        "events lost",
        "",
    ):
        table.add_column(column)
    for report in reports:
        table.add_row(
            report["scenario"],
            str(report["requests"]),
            str(report["met_fault"]),
            f"{report['healed_share']:.1%}",
            str(report["reader_errors"]),
            str(report["wrong_as_good"]),
            str(report["lagging_as_good"]),
            str(report["events_lost"] + report["events_doubled"]),
            "clean" if is_clean(report) else "[red]not clean[/red]",
        )
    out.print(table)


def _healed_by(counts: dict[str, int]) -> str:
    most = sorted(counts.items(), key=lambda each: -each[1])
    return "\n".join(f"{count} {name}" for name, count in most) or "-"


def _spread(values: dict[str, float | None]) -> str:
    return " / ".join("-" if each is None else f"{each:.2f} s" for each in values.values())


def _calls(calls: dict[str, float | None]) -> str:
    shown = {name: "-" if each is None else f"{each:.2f}" for name, each in calls.items()}
    return f"{shown['healthy']} healthy, {shown['faulty']} faulty"
