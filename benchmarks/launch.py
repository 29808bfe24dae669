"""From a sensor's answer to the first step of its heal run, by each launcher, in one run.

Real definitions, a real daemon, code server and PostgreSQL: incidents are opened in the tables, the
sensors ask for their heals, and Dagster's own record says when what began. The upstreams are
simulated and well, so that a run finds its primary answering again. First one heal at a time, at
moments that have nothing to do with the daemon's turn, then many in one transaction. Run it in the
project's folder with ``python benchmarks/launch.py [--times N] [--burst N] [--json]``; minutes,
most of them the default launcher's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from healing_pipeline.drill.configuration import drill_config_text
from healing_pipeline.drill.stack_world import (
    ControlPath,
    Databases,
    control_path,
    drill_folder,
    stack_databases,
)
from healing_pipeline.drill.world import database_kept
from healing_pipeline.installation import load_catalog, state_dir
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.stack.dagster_home import Launcher, settings_of
from healing_pipeline.storage import counts, incidents
from healing_pipeline.storage.database import DAGSTER_URL_VARIABLE, URL_VARIABLE, Database
from healing_pipeline.storage.probes import seed_schedule

# Between two heals, so that each finds the daemon at another point of its turn of five seconds.
PAUSE_S = (0.7, 3.3)

# All is well upstream: an endpoint that is asked this seldom leaves the CPU to what is measured.
PROBE_EVERY_S = 600.0

HEAL_WITHIN_S = 180.0

Tell = Callable[[str], None]
Beside = Callable[[Databases, Path, Path], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Heal:
    """Moments of one heal, in seconds of the epoch."""

    opened_s: float
    requested_s: float
    begun_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Times:
    """What one launcher took: heals one at a time, and heals at once."""

    single: tuple[Heal, ...]
    burst: tuple[Heal, ...]

    def report(self) -> dict[str, Any]:
        """The figures, in seconds."""
        opened = min((each.opened_s for each in self.burst), default=0.0)
        return {
            "answer_to_first_op_s": spread([e.begun_s - e.requested_s for e in self.single]),
            "opened_to_answer_s": spread([e.requested_s - e.opened_s for e in self.single]),
            "opened_to_end_s": spread([e.ended_s - e.opened_s for e in self.single]),
            "burst": len(self.burst),
            "burst_all_begun_s": max((e.begun_s - opened for e in self.burst), default=0.0),
            "burst_all_ended_s": max((e.ended_s - opened for e in self.burst), default=0.0),
        }


def main(times: int, burst: int, *, as_json: bool) -> int:
    """Measure and print; 0 when the warm launcher is within what it promises."""
    console = Console(stderr=True)
    measured: dict[str, Times] = {}
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=2 * (times + 2))

        def tell(what: str) -> None:
            progress.update(task, description=what, advance=1)

        with database_kept():
            for launcher in (Launcher.WARM, Launcher.DEFAULT):
                measured[str(launcher)] = measure(launcher, times, burst, tell)
    report: dict[str, Any] = {name: each.report() for name, each in measured.items()}
    sooner = (
        report["default"]["answer_to_first_op_s"]["p50"]
        / report["warm"]["answer_to_first_op_s"]["p50"]
    )
    report["times_sooner"] = sooner
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        show(report)
    first_op = report["warm"]["answer_to_first_op_s"]
    is_kept = (
        first_op["p50"] <= 0.35
        and first_op["p95"] <= 0.7
        and sooner >= 8
        and report["warm"]["burst_all_begun_s"] <= 4
        and report["warm"]["burst_all_ended_s"] <= 8
    )
    return 0 if is_kept else 1


def measure(
    launcher: Launcher,
    times: int,
    burst: int,
    tell: Tell,
    *,
    settings: dict[str, Any] | None = None,
    beside: Beside | None = None,
) -> Times:
    """Start everything under one launcher and time its heals.

    Parameters
    ----------
    settings : dict, optional
        Instead of the project's dagster.yaml.
    beside : callable, optional
        Starts what the launcher needs, given the drill's surroundings.
    """
    scenario = load_scenario("calm")
    with ExitStack() as stack:
        tell(f"{launcher}: starting")
        folder = stack.enter_context(drill_folder(state_dir(os.environ)))
        databases = stack.enter_context(stack_databases())
        simulator = stack.enter_context(running_simulator(seed=1, quotas="off"))
        config = folder / "healing_config.yaml"
        config.write_text(drill_config_text(scenario, simulator.base_port), encoding="utf-8")
        dagster = stack.enter_context(
            control_path(
                root=Path.cwd(),
                folder=folder,
                config=config,
                databases=databases,
                settings=settings_of(Path.cwd()) if settings is None else settings,
                launcher=launcher,
                clock_offset_s=0.0,
            )
        )
        if beside is not None:
            stack.enter_context(beside(databases, folder, config))
        database = stack.enter_context(Database(databases.url))
        catalog = load_catalog(config, {})
        dagster.load_code(len(catalog.sources))
        with database.connection() as connection:
            seed_schedule(connection, catalog.endpoints.values(), datetime.now(UTC), lambda: 0.0)

        def is_ready() -> bool:
            with database.connection() as connection:
                return counts.probed_sources(connection) >= set(catalog.sources)

        wait_for(lambda: dagster.has_loaded_code, dagster, "Dagster's code server")
        dagster.start_daemon()
        wait_for(is_ready, dagster, "Dagster's sensors")
        with database.connection() as connection:
            connection.execute(
                "UPDATE probe_schedule SET next_at = now() + make_interval(secs => %s)",
                [PROBE_EVERY_S],
            )
        names = list(catalog.endpoints)
        rng = Random(f"moments:{launcher}")
        # The first finds nothing loaded yet, by any launcher; it is not counted.
        heal(database, [names[0]])
        time.sleep(3.0)
        single = []
        for number in range(times):
            tell(f"{launcher}: heal {number + 1} of {times}")
            time.sleep(rng.uniform(*PAUSE_S))
            single += heal(database, [names[(number + 1) % len(names)]])
        tell(f"{launcher}: {burst} heals at once")
        time.sleep(rng.uniform(*PAUSE_S))
        at_once = heal(database, spread_over_sources(names, burst))
        dagster.stop()
        with surroundings(databases, folder):
            return Times(
                timed(single),
                timed(at_once),
            )


def wait_for(is_done: Callable[[], bool], dagster: ControlPath, what: str) -> None:
    """Wait until a part is ready, or say which is not."""
    while not is_done():
        dagster.require_in_time(what)
        time.sleep(0.1)


def spread_over_sources(names: Sequence[str], count: int) -> list[str]:
    """`count` endpoints, taken from each source in turn: what a bad moment of all of them is."""
    by_source: dict[str, list[str]] = {}
    for name in names:
        by_source.setdefault(name.split("/")[0], []).append(name)
    taken: list[str] = []
    while len(taken) < count and any(by_source.values()):
        taken += [left.pop(0) for left in by_source.values() if left]
    return taken[:count]


def heal(database: Database, endpoints: Sequence[str]) -> list[tuple[int, float]]:
    """Open an incident for each endpoint, wait for all to be over; event and moment of each."""
    now = datetime.now(UTC)
    with database.connection() as connection:
        opened = incidents.begin_incidents(
            connection,
            [
                incidents.NewIncident(
                    endpoint=each,
                    source=each.split("/")[0],
                    failure_class="server_error",
                    evidence="opened by a benchmark",
                    severity="warning",
                    detected_by="probe",
                    began_at=now,
                    at=now,
                    signal="confirmed",
                    to_state="open",
                    asks_heal=True,
                    note="opened by a benchmark",
                )
                for each in endpoints
            ],
        )
    until = time.monotonic() + HEAL_WITHIN_S
    while True:
        with database.connection() as connection:
            states = [incidents.incident_by_id(connection, e.incident_id) for e in opened.values()]
        if all(each is not None and each.state == "resolved" for each in states):
            return [(each.event_id, now.timestamp()) for each in opened.values()]
        if time.monotonic() > until:
            raise SystemExit(f"{states} are not over within {HEAL_WITHIN_S:.0f} s")
        time.sleep(0.05)


@contextmanager
def surroundings(databases: Databases, folder: Path) -> Iterator[None]:
    """The environment in which Dagster finds the record of what ran."""
    own = {
        URL_VARIABLE: databases.url,
        DAGSTER_URL_VARIABLE: databases.dagster_url,
        "DAGSTER_HOME": str(folder / "dagster_home"),
    }
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def timed(opened: Sequence[tuple[int, float]]) -> tuple[Heal, ...]:
    """What Dagster has recorded of the heals of these events."""
    import dagster as dg

    found = []
    with dg.DagsterInstance.get() as instance:
        for event_id, opened_s in opened:
            tags = {"healing/incident_event": str(event_id)}
            records = instance.get_run_records(dg.RunsFilter(tags=tags), ascending=True)
            if not records:
                # The primary had answered a probe, and nobody had to heal.
                continue
            record = records[0]
            if record.end_time is None:
                # The same, with a run that had not come to its first op when all was stopped.
                continue
            starts = instance.all_logs(
                record.dagster_run.run_id, of_type=dg.DagsterEventType.STEP_START
            )
            requested_at = datetime.fromisoformat(record.dagster_run.tags["healing/requested_at"])
            found.append(
                Heal(
                    opened_s,
                    requested_at.timestamp(),
                    min(each.timestamp for each in starts),
                    record.end_time,
                )
            )
    return tuple(found)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile, maximum and how many there are."""
    ordered = sorted(values)
    return {
        "p50": statistics.median(ordered),
        "p95": statistics.quantiles(ordered, n=20, method="inclusive")[-1],
        "max": ordered[-1],
        "n": len(ordered),
    }


def show(report: dict[str, Any]) -> None:
    """As a table."""
    table = Table(title="From an incident to its heal run, seconds: p50 / p95 / max")
    for column in ("", "warm", "default"):
        table.add_column(column)
    both = report["warm"], report["default"]
    for name, title in (
        ("answer_to_first_op_s", "sensor's answer → first op"),
        ("opened_to_answer_s", "incident opened → sensor's answer"),
        ("opened_to_end_s", "incident opened → run ended"),
    ):
        table.add_row(
            title,
            *(" / ".join(f"{each[name][p]:.2f}" for p in ("p50", "p95", "max")) for each in both),
        )
    count = report["warm"]["burst"]
    for name, title in (("burst_all_begun_s", "begun"), ("burst_all_ended_s", "ended")):
        table.add_row(f"{count} at once, all {title}", *(f"{each[name]:.2f}" for each in both))
    Console().print(
        table,
        f"{report['times_sooner']:.1f} times sooner (medians, "
        f"n = {report['warm']['answer_to_first_op_s']['n']})",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=25, help="heals one at a time")
    parser.add_argument("--burst", type=int, default=20, help="heals at once")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.times < 2 or given.burst < 1:
        parser.error("--times is 2 or more, --burst 1 or more")
    sys.exit(main(given.times, given.burst, as_json=given.json))
