"""From a sensor's answer to the first step of its heal run: Celery's workers, and warm processes.

As `launch.py` measures it, with the workers and the Redis of ``healing up --profile celery`` beside
the daemon. Run it in the project's folder with ``python benchmarks/celery_launch.py [--times N]
[--burst N] [--write]``; five minutes. ``--write`` keeps the figures in results/celery.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from launch import Times, measure

from healing_pipeline.drill.stack_world import Databases
from healing_pipeline.drill.world import database_kept
from healing_pipeline.stack.celery import CeleryParts, celery_parts
from healing_pipeline.stack.control_path import Surroundings, start_extra
from healing_pipeline.stack.dagster_home import Launcher, settings_of
from healing_pipeline.stack.processes import ProcessGroup

READY_WITHIN_S = 60.0
RESULT = Path(__file__).parent / "results" / "celery.json"


def main(times: int, burst: int, *, write: bool) -> int:
    """Measure and print; 0 when every heal was timed."""
    load = os.getloadavg()[0]
    with database_kept():
        measured = {
            "celery": with_workers(times, burst),
            "warm": measure(Launcher.WARM, times, burst, say),
        }
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}",
        "load_before": round(load, 2),
        **{name: rounded(each.report()) for name, each in measured.items()},
    }
    text = json.dumps(report, indent=2)
    print(text)
    if write:
        RESULT.write_text(text + "\n", encoding="utf-8")
    return 0 if all(len(each.single) == times for each in measured.values()) else 1


def with_workers(times: int, burst: int) -> Times:
    """The heals of Celery's workers."""
    with (
        tempfile.TemporaryDirectory(prefix="hc") as folder,
        celery_parts(Path(folder), os.environ) as parts,
    ):
        # The launcher is told by them, in every process.
        os.environ.update(parts.variables)
        return measure(
            # That is: as the settings have it.
            Launcher.WARM,
            times,
            burst,
            lambda what: say(what.replace(f"{Launcher.WARM}:", "celery:")),
            settings={**settings_of(Path.cwd()), "run_launcher": dict(parts.run_launcher)},
            beside=lambda databases, place, config: workers(parts, databases, place, config),
        )


@contextmanager
def workers(parts: CeleryParts, databases: Databases, folder: Path, config: Path) -> Iterator[None]:
    """Redis and the workers, ready."""
    surroundings = Surroundings(
        root=Path.cwd(),
        home=folder / "dagster_home",
        config=config,
        state_dir=folder,
        url=databases.url,
        owner_url=databases.owner_url,
        dagster_url=databases.dagster_url,
    )
    env = surroundings.environment(os.environ)
    with ProcessGroup(folder / "celery_logs") as group:
        for each in parts.extras:
            start_extra(group, {**env, **each.variables}, Path.cwd(), each)
        until = time.monotonic() + READY_WITHIN_S
        while not all(each.is_ready() for each in parts.extras):
            group.check()
            if time.monotonic() > until:
                raise SystemExit("the workers do not get ready")
            time.sleep(0.1)
        yield


def rounded(figures: Any) -> Any:
    """Milliseconds are as fine as it is measured."""
    if isinstance(figures, dict):
        return {name: rounded(each) for name, each in figures.items()}
    return round(figures, 3) if isinstance(figures, float) else figures


def say(what: str) -> None:
    """How far it is."""
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=25, help="heals one at a time")
    parser.add_argument("--burst", type=int, default=20, help="heals at once")
    parser.add_argument("--write", action="store_true", help="keep the figures")
    given = parser.parse_args()
    sys.exit(main(given.times, given.burst, write=given.write))
