"""PostgreSQL away and the disk of the spool full: what is dropped, and what never is.

A real gateway keeps its state on a small file system of its own (tmpfs, mounted by root).
PostgreSQL is killed with -9; then others fill that file system to the last byte, and readers go on
asking while upstreams fail. The room is given back, PostgreSQL is started, and everything that
readers hold in their hands is looked for in the tables.

A healed or failed request is what incidents, alerts and learning rest upon: its answer may never be
missing. The answer of a request in which nothing was wrong may be, and then it is counted: what is
missing is held against what the gateway says it dropped. The same is played with a bound of 8 MB on
what may wait (`HEALING_SPOOL_MB`) instead of a full disk.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import httpx

from healing_pipeline.drill.schedule import arrivals
from healing_pipeline.healing.facts import Decision
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.storage.facts import line_of
from healing_pipeline.storage.spool import files_in
from healing_pipeline.storage.spool_room import VARIABLE
from healing_pipeline_tests.chaos.outage_account import p99
from healing_pipeline_tests.chaos.outage_readers import HttpReaders
from healing_pipeline_tests.chaos.outage_world import processes
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.own_server import OwnServer

TIMES = 3
DISK_MB, BOUND_MB = 64, 8
READING_S, QUICK_S = 30.0, 6.0
PER_S = 40.0
EMPTY_WITHIN_S = 60.0
FAULTS = (
    {"match": {"source": "yahoo", "host": "query1"}, "fault": "server_error"},
    {"match": {"source": "fred"}, "fault": "rate_limit"},
    {"match": {"source": "polygon", "share": 0.5}, "fault": "timeout"},
)


@dataclass
class Seen:
    """What was seen of one time."""

    requests: int
    errors: Counter[str]
    kept_missing: int
    detail_missing: int
    dropped: dict[str, int]
    doubled: int
    wait_p99_s: float
    longest_wait_s: float
    empty_after_s: float | None


def run(seed: int, quick: bool, say: Callable[[str], None]) -> list[Outcome]:
    """Play both ends of the room, some times each."""
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    rounds = 1 if quick else TIMES
    lasts_s = QUICK_S if quick else READING_S
    outcomes = []
    for fault, is_full in (
        ("PostgreSQL away, the spool's disk full", True),
        (f"PostgreSQL away, more than the spool's {BOUND_MB} MB", False),
    ):
        times = []
        for number in range(rounds):
            say(f"{fault}: {number + 1} of {rounds}")
            with _small_disk(DISK_MB) as disk:
                if disk is None:
                    say("only root can mount a file system of its own: not played")
                    return []
                times.append(_played(disk, seed * 100 + number, lasts_s, is_full))
            say(str(times[-1]))
        outcomes.append(_outcome(fault, times))
    return outcomes


def _outcome(fault: str, times: list[Seen]) -> Outcome:
    errors = sum((each.errors for each in times), Counter[str]())
    dropped: Counter[str] = Counter()
    for each in times:
        dropped.update(each.dropped)
    broken = [f"a reader got {text} ({count} times)" for text, count in errors.items()]
    if any(each.empty_after_s is None for each in times):
        broken.append(f"the spool was not empty within {EMPTY_WITHIN_S:.0f} s")
    if any(each.detail_missing > each.dropped.get("answer", 0) for each in times):
        broken.append("more detail is missing than was counted as dropped")
    if not dropped:
        broken.append("nothing was dropped: there was room enough, and nothing was tried")
    return Outcome(
        fault=fault,
        times=len(times),
        requests=sum(each.requests for each in times),
        reader_errors=errors.total(),
        events_lost=sum(each.kept_missing for each in times)
        + sum(max(0, each.detail_missing - each.dropped.get("answer", 0)) for each in times),
        events_doubled=sum(each.doubled for each in times),
        normal_after_s=max((each.empty_after_s or EMPTY_WITHIN_S) for each in times),
        seen={
            "wait of a reader, p99, s": round(max(each.wait_p99_s for each in times), 3),
            "longest wait of a reader, s": round(max(each.longest_wait_s for each in times), 3),
            "answers without a fault that are missing": sum(e.detail_missing for e in times),
            **{f"dropped and counted: {kind}": count for kind, count in sorted(dropped.items())},
        },
        broken=tuple(broken),
    )


def _played(disk: Path, seed: int, lasts_s: float, is_full: bool) -> Seen:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="healing-chaos-")))
        folder.chmod(0o755)
        (folder / "gateway").symlink_to(disk)
        server = OwnServer(folder / "server")
        stack.callback(server.stop)
        simulator = stack.enter_context(running_simulator(seed=seed, quotas="off"))
        more = {} if is_full else {VARIABLE: str(BOUND_MB)}
        url = stack.enter_context(processes(folder, server.url, simulator, more))
        with httpx.Client(base_url=url, trust_env=False) as client:
            endpoints = [
                path.removeprefix("/v1/")
                for path in client.get("/openapi.json").json()["paths"]
                if path.startswith("/v1/")
            ]
        readers = HttpReaders(url, ())
        asyncio.run(readers.prime(endpoints))
        server.kill()
        if is_full:
            # Some of what happened while there was room is there to be dropped.
            readers.plan = arrivals(endpoints, PER_S, 2.0, seed + 1)
            asyncio.run(readers.run())
            others = fill(disk)
        else:
            fill_spool(disk / "spool", Random(seed))
        for each in FAULTS:
            simulator.control.add_fault(each)
        readers.plan = arrivals(endpoints, PER_S, lasts_s, seed)
        asyncio.run(readers.run())
        if is_full:
            others.unlink()
        server.start_again()
        empty_after_s = _empty_after(disk / "spool")
        facts: dict[str, Any] = httpx.get(f"{url}/readyz", trust_env=False).json()["facts"]
        found = server.rows("SELECT request_id::text FROM answer")
    stored = Counter(row[0] for row in found)
    missing = [each for each in readers.got if each.request_id and each.request_id not in stored]
    waits = [each.seconds for each in readers.got]
    return Seen(
        requests=len(readers.got),
        errors=Counter(f"{each.endpoint}: {each.error}" for each in readers.got if each.error),
        kept_missing=sum(each.was_healed or bool(each.error) for each in missing),
        detail_missing=sum(not (each.was_healed or each.error) for each in missing),
        dropped=facts["no_room"],
        doubled=sum(count > 1 for count in stored.values()),
        wait_p99_s=p99(waits),
        longest_wait_s=max(waits),
        empty_after_s=empty_after_s,
    )


def fill(disk: Path) -> Path:
    """Have others take all that is left of a disk."""
    path = disk / "others"
    with path.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


def fill_spool(spool: Path, rng: Random) -> None:
    """Have another process's detail fill what may wait, as an outage of hours does."""
    now = datetime.now(UTC)
    for number in range(4 * BOUND_MB):
        lines = [
            line_of(
                Decision(
                    request_id=UUID(int=rng.getrandbits(128), version=4),
                    decision_no=1,
                    at=now - timedelta(hours=1),
                    origin="reader",
                    source="yahoo",
                    endpoint="yahoo/quote-aapl",
                    failure_class="timeout",
                    policy=None,
                    budget_s=2.0,
                    considered={"left_out": ["x" * 1_200]},
                )
            )
            for _ in range(175)
        ]
        name = f"20200101T0000{number:02d}000000-1-{number:06d}-{rng.randbytes(4).hex()}"
        (spool / f"{name}.detail.jsonl").write_text("\n".join(lines) + "\n")


def _empty_after(spool: Path) -> float | None:
    began = time.monotonic()
    while time.monotonic() < began + EMPTY_WITHIN_S:
        if not files_in(spool):
            return round(time.monotonic() - began, 2)
        time.sleep(0.05)
    return None


@contextmanager
def _small_disk(megabytes: int) -> Iterator[Path | None]:
    with tempfile.TemporaryDirectory(prefix="healing-disk-") as path:
        mounting = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", path]
        if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
            yield None
            return
        try:
            yield Path(path)
        finally:
            subprocess.run(["umount", path], check=True)
