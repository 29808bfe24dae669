"""A Redis and Celery's workers of a test's own, as processes that may be killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from warm_project import Home, until

READY_WITHIN_S = 60.0


def redis_program() -> str:
    """Where Redis is; the test is skipped without it, and fails where it is required."""
    found = shutil.which("redis-server")
    if found is not None:
        return found
    if os.environ.get("HEALING_REDIS_TESTS") == "required":
        pytest.fail("HEALING_REDIS_TESTS=required, and there is no redis-server")
    pytest.skip("there is no redis-server")


@dataclass
class Redis:
    """A server without a port and without files."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def path(self) -> Path:
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"redis+socket://{self.path}"

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                *(redis_program(), "--port", "0", "--unixsocket", str(self.path)),
                *("--save", "", "--appendonly", "no", "--dir", str(self.folder)),
            ],
            stdout=subprocess.DEVNULL,
        )
        until(self.path.exists, READY_WITHIN_S)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@dataclass
class Worker:
    """One worker with its processes."""

    home: Home
    queues: str
    at_once: int
    process: subprocess.Popen[bytes] | None = None
    started: list[psutil.Process] = field(default_factory=list)

    @property
    def ready(self) -> Path:
        return self.home.folder / f"{self.queues}.ready"

    @property
    def log(self) -> Path:
        return self.home.folder / f"{self.queues}.log"

    def begin(self) -> None:
        """Start it; `wait` waits until it takes runs."""
        self.ready.unlink(missing_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "healing_pipeline.celery_runs.app"),
                    *("worker", f"--queues={self.queues}", f"--concurrency={self.at_once}"),
                    *(f"--hostname={self.queues}@test", "--without-gossip", "--without-mingle"),
                    *("--without-heartbeat", "--loglevel=INFO"),
                ],
                cwd=self.home.project.folder,
                env={
                    **os.environ,
                    "DAGSTER_HOME": str(self.home.folder),
                    "CELERY_RUNS_READY_FILE": str(self.ready),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        until(self.ready.exists, READY_WITHIN_S, self.said)
        assert self.process is not None
        leader = psutil.Process(self.process.pid)
        self.started = [leader, *leader.children()]

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def executor_of(self, run_id: str) -> int:
        """The process that executes a run, by what the run said when it began."""
        told = self.home.told(run_id)
        return int(told.split("Started process for run (pid: ")[1].split(")")[0])

    def kill(self) -> None:
        """All of its processes at once, without a word."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def worker(home: Home, queues: str, at_once: int = 2) -> Iterator[Worker]:
    """A worker that has begun to start."""
    made = Worker(home, queues, at_once)
    made.begin()
    try:
        yield made
    finally:
        made.kill()


@contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    """A Redis that answers."""
    made = Redis(folder)
    made.start()
    try:
        yield made
    finally:
        made.kill()


def monitored(home: Home, run_id: str, is_so: Callable[[], bool], within_s: float = 30.0) -> None:
    """Let run monitoring look at a run, as the daemon does, until something is so."""
    import logging

    from dagster._daemon.monitoring.run_monitoring import monitor_started_run

    def look() -> bool:
        record = home.instance.get_run_record_by_id(run_id)
        assert record is not None
        if record.dagster_run.status.value == "STARTED":
            context = home.project.workspace.create_request_context()
            monitor_started_run(home.instance, context, record, logging.getLogger("monitoring"))
        return is_so()

    until(look, within_s, lambda: home.told(run_id))
