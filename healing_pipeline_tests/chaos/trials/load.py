"""Ten thousand endpoints, 200 requests a second, a third of the upstreams failing, ten minutes.

A whole installation as users have it, each part a process: PostgreSQL, the gateway, and the control
path as `load_prober` runs it. Twenty sources of two hosts each are played by one cheap process that
knows the truth; each minute another third of them fails, in one of ten ways. Readers come by a
schedule, whatever became of those before them (`load_readers`).

What readers saw is compared with the truth; the ids of the answers they got and the probes that
were recorded, with the database. Memory and file descriptors of each process are sampled every five
seconds. The short form is a minute with a fifth of the endpoints: long enough to see that all parts
work, too short for a leak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import psycopg

from healing_pipeline.stack.ports import is_open
from healing_pipeline.storage.database import resolve_database
from healing_pipeline_tests.chaos.load_catalog import (
    HOSTS,
    KEY,
    KEY_VARIABLE,
    sources_of,
    write_config,
)
from healing_pipeline_tests.chaos.load_faults import Faults
from healing_pipeline_tests.chaos.load_parts import (
    ROOT,
    ended,
    free_ports,
    is_alive,
    talking,
    told,
)
from healing_pipeline_tests.chaos.load_resources import Growth, Sampler, growth
from healing_pipeline_tests.chaos.outcome import Outcome

Say = Callable[[str], None]

FLAT = 0.05
DEADLINE_S = 3.0
LAG_S = 2.0
NORMAL_WITHIN_S = 180.0
READY_WITHIN_S = 120.0
# For a process to end and to put down what it has, on a busy machine.
PATIENCE_S = 180.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked for.

    Attributes
    ----------
    filling_s : float
        With readers and without faults, so that there is data of everything.
    warm_up_s : float
        With faults, before anything counts.
    """

    endpoints: int
    per_s: float
    interval_s: int
    filling_s: float
    warm_up_s: float
    counted_s: float


FULL = Size(10_000, 200.0, 60, 75.0, 120.0, 600.0)
QUICK = Size(2_000, 100.0, 30, 35.0, 10.0, 60.0)


def run(seed: int, quick: bool, say: Say) -> list[Outcome]:
    """Play it once."""
    size = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="healing-load-") as name:
        return [Trial(size, seed, Path(name), say, judges_growth=not quick).played()]


class Trial:
    """One run of the trial in a folder of its own."""

    def __init__(
        self, size: Size, seed: int, folder: Path, say: Say, *, judges_growth: bool
    ) -> None:
        self._size, self._seed, self._folder, self._say = size, seed, folder, say
        self._judges_growth = judges_growth
        self._env = {
            **{name: value for name, value in os.environ.items() if "DATABASE_URL" not in name},
            "HEALING_STATE_DIR": str(folder / "state"),
            KEY_VARIABLE: KEY,
        }
        self._sources = sources_of(size.endpoints)
        self._first_port = free_ports(len(self._sources) * HOSTS + 1)
        self._gateway_port = self._first_port + len(self._sources) * HOSTS
        self._config = folder / "healing_config.yaml"
        self._endpoints = write_config(
            self._config, size.endpoints, self._first_port, size.interval_s
        )
        self._seen: dict[str, float | int | str] = {"endpoints": self._endpoints}
        self._broken: list[str] = []

    def played(self) -> Outcome:
        """Start all parts, let readers come, and join what everybody saw."""
        size = self._size
        with ExitStack() as stack:
            address = resolve_database(self._env, self._folder / "state")
            stack.callback(address.close)
            self._time("check", self._healing("check"))
            gateway = self._gateway(stack)
            # The prober takes about as long to begin, and nothing fails before there is data.
            begins_at = time.time() + float(self._seen["gateway_start_s"])
            faults_at = begins_at + size.filling_s
            counts_from = faults_at + size.warm_up_s
            ends_at = counts_from + size.counted_s
            settings = self._settings(faults_at, counts_from, ends_at)
            upstreams = stack.enter_context(talking("load_upstreams", settings, self._env))
            prober = stack.enter_context(talking("load_prober", settings, self._env))
            readers = stack.enter_context(talking("load_readers", settings, self._env, ready=False))
            with psycopg.connect(address.url) as connection:
                server = psutil.Process(connection.info.backend_pid).parent()
            assert server is not None, "a backend has a server above it"
            sampler = Sampler(
                {
                    "gateway": gateway,
                    "prober": psutil.Process(prober.pid),
                    "postgresql": server,
                    "upstreams": psutil.Process(upstreams.pid),
                    "readers": psutil.Process(readers.pid),
                }
            )
            self._wait_until(ends_at, faults_at, counts_from)
            read = told(readers)
            normal_after_s = self._normal_again(address.url, ends_at)
            sampler.close()
            self._look_at_pages()
            self._time("report", self._healing("report"))
            probed, asked = told(prober), told(upstreams)
            gateway.terminate()
            gateway.wait(PATIENCE_S)
            spooled = self._left_on_disk()
            lost, doubled = self._compared(address.url, probed)
        self._judge(read, probed, asked, spooled)
        self._grown(sampler, counts_from)
        return Outcome(
            fault=f"a third of {len(self._sources)} upstreams failing, {self._endpoints:,} "
            f"endpoints, {size.per_s:.0f} requests/s",
            times=self._outages(faults_at, ends_at),
            requests=read["requests"],
            reader_errors=read["seen"].get("failed", 0) + read["seen"].get("no_answer", 0),
            events_lost=lost,
            events_doubled=doubled,
            normal_after_s=normal_after_s,
            seen=self._seen,
            broken=tuple(self._broken),
        )

    def _settings(self, faults_at: float, counts_from: float, ends_at: float) -> Path:
        path = self._folder / "settings.json"
        path.write_text(
            json.dumps(
                {
                    "seed": self._seed,
                    "config": str(self._config),
                    "endpoints": self._size.endpoints,
                    "sources": len(self._sources),
                    "first_port": self._first_port,
                    "gateway_port": self._gateway_port,
                    "per_s": self._size.per_s,
                    "faults_begin_at": faults_at,
                    "faults_end_at": ends_at,
                    "counts_from": counts_from,
                    "ends_at": ends_at,
                    "answered_file": str(self._folder / "answered"),
                }
            )
        )
        return path

    def _gateway(self, stack: ExitStack) -> psutil.Process:
        command = [sys.executable, "-m", "healing_pipeline", "gateway", "-c", str(self._config)]
        began = time.monotonic()
        log = stack.enter_context((self._folder / "gateway.log").open("wb"))
        process = subprocess.Popen(
            [*command, f"--port={self._gateway_port}"], env=self._env, cwd=ROOT,
            stdout=log, stderr=log,
        )  # fmt: skip
        stack.callback(ended, process)
        while not is_open(self._gateway_port) or not is_alive(self._gateway_port):
            assert process.poll() is None, (self._folder / "gateway.log").read_text()
            assert time.monotonic() - began < READY_WITHIN_S, "the gateway did not get ready"
            time.sleep(0.1)
        self._time("gateway_start", time.monotonic() - began)
        return psutil.Process(process.pid)

    def _healing(self, command: str) -> float:
        """How long a command takes."""
        began = time.monotonic()
        words = [sys.executable, "-m", "healing_pipeline", command, "-c", str(self._config)]
        subprocess.run(words, env=self._env, cwd=ROOT, capture_output=True, check=True)
        return time.monotonic() - began

    def _look_at_pages(self) -> None:
        """How long the pages take that show every endpoint."""
        at = f"http://127.0.0.1:{self._gateway_port}"
        pages = {
            "overview": "/health-dashboard",
            "live_state": "/health-dashboard/state.json",
            "metrics": "/metrics",
            "openapi": "/openapi.json",
            "unknown_name": "/v1/quotes_00_north/nothing",
        }
        with httpx.Client(trust_env=False, timeout=60.0) as client:
            for name, path in pages.items():
                began = time.monotonic()
                answer = client.get(at + path)
                self._time(name, time.monotonic() - began)
                self._seen[f"{name}_kb"] = len(answer.content) // 1024

    def _time(self, what: str, seconds: float) -> None:
        self._seen[f"{what}_s"] = round(seconds, 2)

    def _wait_until(self, ends_at: float, faults_at: float, counts_from: float) -> None:
        while (left_s := ends_at - time.time()) > 0:
            phase = (
                "filling"
                if time.time() < faults_at
                else "warming up"
                if time.time() < counts_from
                else "counting"
            )
            self._say(f"{phase}, {left_s:.0f} s to go")
            time.sleep(min(left_s, 30.0))

    def _normal_again(self, url: str, ends_at: float) -> float | None:
        """Seconds until no incident is open any more."""
        with psycopg.connect(url, autocommit=True) as connection:
            while (passed_s := time.time() - ends_at) < NORMAL_WITHIN_S:
                (left,) = _one(
                    connection, "SELECT count(*) FROM healing.incident WHERE state <> 'resolved'"
                )
                if left == 0:
                    return passed_s
                time.sleep(1.0)
        self._broken.append(f"{left} incidents are open {NORMAL_WITHIN_S:.0f} s after the faults")
        return None

    def _left_on_disk(self) -> int:
        """Bytes of facts that wait on disk when all who record have ended; the reserve is none."""
        folder = self._folder / "state" / "spool"
        return sum(each.stat().st_size for each in folder.rglob("*.jsonl"))

    def _compared(self, url: str, probed: Mapping[str, Any]) -> tuple[int, int]:
        """Facts that readers and prober account for and the database has not, or has twice."""
        answered = {UUID(each) for each in (self._folder / "answered").read_text().split() if each}
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT request_id FROM healing.answer").fetchall()
            attempts = _one(
                connection,
                "SELECT count(*), count(DISTINCT id), sum(upstream_calls) FROM healing.attempt",
            )
            (probes,) = _one(connection, "SELECT count(*) FROM healing.probe_result")
            incidents = _one(
                connection,
                "SELECT count(*) FROM healing.incident",
            )
        kept = [each for (each,) in rows]
        self._seen |= {
            "answers_in_database": len(kept),
            "attempts": attempts[0],
            "probes": probes,
            "incidents": incidents[0],
            "calls_on_record": int(attempts[2] or 0) + probes,
        }
        lost = len(answered.difference(kept)) + max(0, probed["probes_recorded"] - probes)
        doubled = len(kept) - len(set(kept)) + attempts[0] - attempts[1]
        return lost, doubled + max(0, probes - probed["probes_recorded"])

    def _judge(
        self,
        read: Mapping[str, Any],
        probed: Mapping[str, Any],
        asked: Mapping[str, int],
        spooled: int,
    ) -> None:
        """Take the figures over, and say which promise did not hold."""
        calls = sum(asked.values())
        self._seen |= {
            **dict(sorted(read["seen"].items())),
            **{name: round(read[name], 3) for name in
               ("p50_s", "p99_s", "p999_s", "max_s", "sent_late_p99_s")},
            "over_3_s": read["over_3_s"],
            "strategies": json.dumps(read["strategies"]),
            "upstream_calls": calls,
            "upstream_calls_failed_share": round(1 - asked.get("good", 0) / max(1, calls), 3),
            **{name: round(value, 3) for name, value in probed.items() if name.startswith("lag")},
            "probed": probed.get("probed", 0),
            "looks": probed.get("looks", 0),
            "heals": json.dumps(probed["heals"]),
            "spool_bytes_left": spooled,
        }  # fmt: skip
        for each in (*read["stories"], *probed["errors"]):
            self._say(each)
        wrong = read["seen"].get("wrong_as_good", 0)
        for holds, story in (
            (not wrong, f"{wrong} answers are worse than their label says"),
            (read["p99_s"] < DEADLINE_S, f"p99 is {read['p99_s']:.2f} s, the deadline 3 s"),
            (probed["lag_p99_s"] < LAG_S, f"p99 of the probes' lag is {probed['lag_p99_s']:.2f} s"),
            (not spooled, f"{spooled:,} bytes are left in the spool"),
            (not probed["dropped"], f"{probed['dropped']} facts were dropped"),
            (not probed["error_count"], f"{probed['error_count']} looks or heals ended in errors"),
        ):
            if not holds:
                self._broken.append(story)

    def _grown(self, sampler: Sampler, since: float) -> None:
        for name, samples in sampler.samples.items():
            grown = growth(samples, since)
            if grown is None:
                continue
            self._seen |= {
                f"{name}_mb": round(grown.mean_mb, 1),
                f"{name}_growth": f"{grown.share:+.1%} (quarters {grown.quarters:+.1%})",
                f"{name}_descriptors_growth": grown.descriptors,
                f"{name}_cores": round(grown.cpu_share, 2),
                f"{name}_kept_waiting_for_a_core": f"{grown.kept_waiting:.0%}",
            }
            if self._judges_growth and name in ("gateway", "prober"):
                self._judge_growth(name, grown)

    def _judge_growth(self, name: str, grown: Growth) -> None:
        if grown.share > FLAT and grown.quarters > FLAT:
            self._broken.append(f"the {name}'s memory grew by {grown.share:.1%}")

    def _outages(self, begin: float, end: float) -> int:
        """How often an upstream began to fail."""
        faults = Faults(self._seed, begin, end)
        count = 0
        for source in range(len(self._sources)):
            before = None
            for second in range(int(end - begin)):
                now = faults.of(source, 0, begin + second)
                count += now is not None and now is not before
                before = now
        return count


def _one(connection: psycopg.Connection[Any], question: str) -> tuple[Any, ...]:
    row = connection.execute(question).fetchone()
    assert row is not None
    return tuple(row)
