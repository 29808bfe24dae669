"""`WatchedCeleryRunLauncher` with a real Redis and real workers, killed in the middle of runs."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery_world import Redis, Worker, monitored, redis, worker
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from warm_project import Home, Project, until

from healing_pipeline.celery_runs import WatchedCeleryRunLauncher

pytestmark = [
    pytest.mark.processes,
    # Each launch names the task anew; `dagster-celery` does so.
    pytest.mark.filterwarnings("ignore::celery.exceptions.DuplicateTaskNameWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:kombu"),
]

QUEUE = "dagster-celery/queue"
SILENT_S = 1.0

AWAY = (RedisError, OperationalError)


@dataclass
class World:
    """An instance with its broker, and a worker for the queue ``heal``."""

    home: Home
    redis: Redis
    worker: Worker

    @property
    def launcher(self) -> WatchedCeleryRunLauncher:
        found = self.home.instance.run_launcher
        assert isinstance(found, WatchedCeleryRunLauncher)
        return found

    def launcher_without_results(self) -> WatchedCeleryRunLauncher:
        return WatchedCeleryRunLauncher(
            broker=self.redis.url, backend="disabled://", default_queue="heal", silent_s=SILENT_S
        )

    def launch(self, job: str, queue: str = "heal") -> str:
        run_id = self.home.create(job, {QUEUE: queue})
        context = self.home.project.workspace.create_request_context()
        self.home.instance.launch_run(run_id, context)
        return run_id

    def waiting(self) -> str:
        """A run whose op runs, until it is told to go on."""
        run_id = self.launch("waiting")
        until(lambda: self.home.project.begun(run_id) > 0, 40.0, self.worker.said)
        return run_id

    def health(self, run_id: str) -> Any:
        run = self.home.instance.get_run_by_id(run_id)
        assert run is not None
        return self.launcher.check_run_worker_health(run)


@pytest.fixture(scope="module")
def world(warm_project: Project) -> Iterator[World]:
    with ExitStack() as stack:
        # Short: a socket's path is limited.
        server = stack.enter_context(
            redis(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="r"))))
        )
        launcher = {
            "module": "healing_pipeline.celery_runs",
            "class": "WatchedCeleryRunLauncher",
            "config": {"broker": server.url, "backend": server.url, "silent_s": SILENT_S},
        }
        home = stack.enter_context(
            warm_project.home("celery", {"run_launcher": launcher, "python_logs": {}})
        )
        heals = stack.enter_context(worker(home, "heal"))
        heals.wait()
        yield World(home, server, heals)


def test_a_run_goes_to_the_queue_that_its_tag_names(world: World) -> None:
    learns = world.launch("quick", "learn")
    assert world.home.ended(world.launch("quick")) == "SUCCESS"
    # Nobody listens there.
    assert world.home.status(learns) == "STARTING"
    world.home.instance.delete_run(learns)


def test_a_message_that_comes_twice_begins_its_run_once(world: World) -> None:
    run_id = world.waiting()
    run = world.home.instance.get_run_by_id(run_id)
    assert run is not None
    # As the broker does when a worker did not acknowledge it.
    world.launcher.launch_run(LaunchRunContext(run, None))
    until(lambda: "Ignoring a duplicate run" in world.home.told(run_id), 20.0, world.worker.said)
    world.home.project.go(run_id)
    assert world.home.ended(run_id) == "SUCCESS"
    assert world.home.project.begun(run_id) == 1


def test_a_run_that_is_cancelled_ends_as_cancelled(world: World) -> None:
    run_id = world.waiting()
    assert world.launcher.terminate(run_id)
    assert world.home.ended(run_id) == "CANCELED"
    assert not world.launcher.terminate(run_id)


def test_a_run_whose_process_was_killed_is_failed_and_the_worker_goes_on(world: World) -> None:
    run_id, other = world.waiting(), world.waiting()
    assert world.health(run_id).status is WorkerStatus.RUNNING
    os.kill(world.worker.executor_of(run_id), signal.SIGKILL)
    monitored(world.home, run_id, lambda: world.home.status(run_id) == "FAILURE")
    assert world.health(other).status is WorkerStatus.RUNNING
    world.home.project.go(other)
    assert world.home.ended(other) == "SUCCESS"
    assert world.home.project.begun(run_id) == 1


def test_a_run_goes_on_though_the_broker_forgot_all(world: World) -> None:
    run_id = world.waiting()
    world.redis.kill()
    # That says nothing about the run.
    with pytest.raises(AWAY):
        world.health(run_id)
    world.redis.start()

    def is_found() -> bool:
        with suppress(*AWAY):
            return "is at it" in (world.health(run_id).msg or "")
        return False

    # The worker is back at the broker, and has the task.
    until(is_found, 30.0, world.worker.said)
    monitored(world.home, run_id, lambda: True)
    assert world.home.status(run_id) == "STARTED"
    world.home.project.go(run_id)
    assert world.home.ended(run_id) == "SUCCESS"


def test_runs_of_a_killed_worker_are_failed_and_begin_no_second_time(world: World) -> None:
    silent, lost = world.waiting(), world.waiting()
    # As with RabbitMQ, which keeps no results.
    blind = world.launcher_without_results()
    run = world.home.instance.get_run_by_id(silent)
    assert run is not None
    assert blind.check_run_worker_health(run).status is WorkerStatus.RUNNING
    world.worker.kill()
    assert world.health(silent).status is WorkerStatus.RUNNING, "it may only be busy"
    until(
        lambda: blind.check_run_worker_health(run).status is WorkerStatus.NOT_FOUND,
        30.0,
        world.worker.said,
    )
    assert "at no known worker" in (blind.get_run_worker_debug_info(run) or "")
    monitored(world.home, silent, lambda: world.home.status(silent) == "FAILURE")
    assert f"worker {world.worker.queues}@test is silent" in world.home.told(silent)

    # The next of its name answers, and knows nothing of what the other had.
    world.worker.begin()
    world.worker.wait()
    monitored(world.home, lost, lambda: world.home.status(lost) == "FAILURE")
    assert "knows nothing of it" in world.home.told(lost)

    assert world.home.ended(world.launch("quick")) == "SUCCESS"
    assert [world.home.project.begun(each) for each in (silent, lost)] == [1, 1]
