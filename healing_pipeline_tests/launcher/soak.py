"""Launches runs for minutes while warm processes and launchers are killed at random; a script.

It proves of all of them: who was launched has ended, nobody began twice, nothing is left over. The
seed fixes what is done to whom and how long after the last blow, not how the machine answers.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
from dagster import DagsterRunStatus
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunsFilter
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from warm_project import CODE, DONE, Home, another_launcher, go, has_launched, project, until

from healing_pipeline.storage.embedded import EmbeddedServer

JOBS = ("quick", "napping")
NAPPING = """
@dg.op
def napping(context):
    begun(context)
    time.sleep(0.5)

def of"""

# Some blows meet a zygote that is being started, most meet all that there is.
PAUSES_S = (0.5, 6.0)
HANGS_S = (0.2, 4.0)

# Between two launches of one thread.
PACE_S = 1.0
BATCH = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="w") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 (the embedded server may have another user)
        with EmbeddedServer(Path(folder) / "pg") as server:
            server.ensure_database("soak")
            url = server.dagster_url("soak")
            code = CODE.replace("\ndef of", NAPPING, 1).replace("(quick,", "(quick, napping,")
            place = Path(folder) / "p"
            place.mkdir()
            with project(place, url, code) as made, made.home("h", **SETTINGS) as home:
                outcome = soak(home, given.runs, random.Random(given.seed))
    print(json.dumps(outcome, indent=2))
    return 0 if outcome["sound"] else 1


SETTINGS = {"patience_s": 2.0, "prewarmed": 2, "linger_s": 2.0}


def soak(home: Home, count: int, rng: random.Random) -> dict[str, object]:
    """Launch `count` runs under blows; what became of them."""
    run_ids = [home.create(rng.choice(JOBS)) for _ in range(count)]
    began = time.monotonic()
    mine, theirs = run_ids[: count // 2], run_ids[count // 2 :]
    launched: set[str] = set()
    blows: Counter[str] = Counter()
    over = threading.Event()
    striking = threading.Thread(
        target=strike, args=(home, random.Random(rng.random()), blows, over)
    )
    striking.start()
    try:
        threads = [
            threading.Thread(
                target=launch, args=(home, mine[n::3], launched, random.Random(rng.random()))
            )
            for n in range(3)
        ]
        for each in threads:
            each.start()
        for at in range(0, len(theirs), BATCH):
            launch_elsewhere(home, theirs[at : at + BATCH], launched, blows, rng)
        for each in threads:
            each.join()
    finally:
        over.set()
        striking.join()
    settle(home)
    home.instance.run_launcher.dispose()
    with suppress(AssertionError):
        until(lambda: not home.processes(), 30.0)
    statuses = {each: home.status(each) for each in run_ids}
    starts = {each: home.starts(each) for each in run_ids}
    begun = {each: home.project.begun(each) for each in run_ids}
    wrong = {
        "launched and not ended": [each for each in launched if statuses[each] not in DONE],
        "begun twice": [each for each in run_ids if max(starts[each], begun[each]) > 1],
        "succeeded and not begun": [
            each for each in run_ids if statuses[each] == "SUCCESS" and begun[each] != 1
        ],
        "processes left": [each.pid for each in home.processes()],
    }
    return {
        "sound": not any(wrong.values()),
        **{name: len(each) for name, each in wrong.items()},
        "runs": len(run_ids),
        "launched": len(launched),
        "statuses": dict(Counter(statuses.values())),
        "warm": sum(home.was_warm(each) for each in run_ids),
        "blows": dict(blows),
        "seconds": round(time.monotonic() - began, 1),
        "load": os.getloadavg()[0],
        "examples": {name: each[:3] for name, each in wrong.items() if each},
    }


def launch(home: Home, run_ids: list[str], launched: set[str], rng: random.Random) -> None:
    for each in run_ids:
        # The default launcher may have no time for it either, and says so.
        with suppress(DagsterUserCodeUnreachableError):
            home.instance.launch_run(each, home.project.workspace.create_request_context())
            launched.add(each)
        time.sleep(rng.uniform(0.0, PACE_S))


def launch_elsewhere(
    home: Home, run_ids: list[str], launched: set[str], blows: Counter[str], rng: random.Random
) -> None:
    """Launch by a process that is killed in the middle, every other time."""
    with another_launcher(home, *run_ids) as launcher:
        go(launcher)
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0.0, 3.0))
            blows["launcher killed"] += 1
            launcher.kill()
        else:
            has_launched(launcher)
            launched.update(run_ids)


def strike(home: Home, rng: random.Random, blows: Counter[str], over: threading.Event) -> None:
    """Kill or stop one process after the other."""
    while not over.wait(rng.uniform(*PAUSES_S)):
        found = sorted(home.processes(), key=lambda each: each.pid)
        if not found:
            continue
        victim = rng.choice(found)
        with suppress(psutil.Error):
            name = what(victim, {each.pid for each in found})
            if rng.random() < 0.2:
                victim.send_signal(signal.SIGSTOP)
                over.wait(rng.uniform(*HANGS_S))
                victim.send_signal(signal.SIGCONT)
                blows[f"{name} stopped for a while"] += 1
            else:
                victim.kill()
                blows[f"{name} killed"] += 1


def what(process: psutil.Process, ours: set[int]) -> str:
    parents = [each.pid for each in process.parents() if each.pid in ours]
    return ("zygote or orphan", "template", "run or prewarmed")[min(len(parents), 2)]


def settle(home: Home) -> None:
    """Let runs end, and run monitoring fail those that lost their process."""
    end = time.monotonic() + 120.0
    logger = logging.getLogger("monitoring")
    while time.monotonic() < end:
        for _ in execute_run_monitoring_iteration(home.project.workspace, logger):
            pass
        going = home.instance.get_runs(
            RunsFilter(statuses=[*IN_PROGRESS_RUN_STATUSES, DagsterRunStatus.CANCELING])
        )
        if not going:
            return
        time.sleep(1.0)


if __name__ == "__main__":
    sys.exit(main())
