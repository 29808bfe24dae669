"""The celery profile: a broker, a worker for heals and a worker for all other runs.

The broker is the one that ``HEALING_BROKER_URL`` names, or a Redis that is started as a part of the
stack, on a Unix socket that only this user can open. It keeps nothing on disk: what is lost with it
is asked for again, by the incidents themselves.
"""

from __future__ import annotations

import importlib.util
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.stack.control_path import unix_socket
from healing_pipeline.stack.extra import Extra

BROKER_VARIABLE = "HEALING_BROKER_URL"
RESULTS_VARIABLE = "HEALING_RESULTS_URL"
READY_FILE_VARIABLE = "CELERY_RUNS_READY_FILE"

# Of each scheme of a broker's address, the port where none is named; 0 where there is no port.
PORTS = {"redis": 6379, "rediss": 6379, "redis+socket": 0, "amqp": 5672, "amqps": 5671}
ANSWERS_WITHIN_S = 3.0

# A heal is mostly waiting. All run in processes that are there beforehand, and those that do
# nothing share their memory.
HEALS_AT_ONCE = 8
# Learning is one at a time anyway; beside it there is market data.
OTHERS_AT_ONCE = 2
# A process that has had so many runs is replaced by a fresh one.
RUNS_OF_A_PROCESS = 200

RUN_LAUNCHER: Mapping[str, Any] = {
    "module": "healing_pipeline.celery_runs",
    "class": "WatchedCeleryRunLauncher",
    "config": {
        "broker": {"env": BROKER_VARIABLE},
        "backend": {"env": RESULTS_VARIABLE},
        "default_queue": "dagster",
        "code": "healing_pipeline.definitions:defs",
        "warm_up": ["healing_pipeline.orchestration.resources:open_ahead"],
    },
}


@dataclass(frozen=True, slots=True)
class CeleryParts:
    """What the profile adds to a stack."""

    run_launcher: Mapping[str, Any]
    variables: Mapping[str, str]
    extras: tuple[Extra, ...]


@contextmanager
def celery_parts(state_dir: Path, environ: Mapping[str, str]) -> Iterator[CeleryParts]:
    """Find or plan the broker, and plan the workers; nothing is started.

    Raises
    ------
    ConfigurationError
        If Celery is not installed, there is no broker, or it does not answer.
    """
    if importlib.util.find_spec("dagster_celery") is None:
        raise ConfigurationError(
            "The celery profile needs packages that are not installed.",
            "Install them: pip install 'healing-pipeline[celery]'.",
        )
    folder = state_dir / "celery"
    folder.mkdir(parents=True, exist_ok=True)
    workers = (
        worker("heal_worker", "Celery's worker for heals", "heal", HEALS_AT_ONCE, folder),
        worker(
            "learn_worker",
            "Celery's worker for the rest",
            "learn,dagster",
            OTHERS_AT_ONCE,
            folder,
        ),
    )
    given = environ.get(BROKER_VARIABLE, "").strip()
    if given:
        require_broker(given)
        yield CeleryParts(
            RUN_LAUNCHER, addresses(given, environ.get(RESULTS_VARIABLE, "")), workers
        )
        return
    program = shutil.which("redis-server", path=environ.get("PATH"))
    if program is None:
        raise ConfigurationError(
            "The celery profile needs a broker, and there is no redis-server here.",
            "Install it (apt-get install redis-server), or name a broker of yours: "
            f"{BROKER_VARIABLE}=redis://host:6379/0, or amqp://user:password@host/ for RabbitMQ.",
        )
    with unix_socket(folder, "redis.sock") as path:
        url = f"redis+socket://{quote(str(path))}"
        yield CeleryParts(
            RUN_LAUNCHER, addresses(url), (redis_server(program, path, folder), *workers)
        )


def addresses(broker: str, results: str = "") -> dict[str, str]:
    """The variables that dagster.yaml names: the broker, and where results are kept.

    RabbitMQ keeps none that another process could read; the workers are asked instead.
    """
    is_redis = urlsplit(broker).scheme.startswith("redis")
    kept = results.strip() or (broker if is_redis else "disabled://")
    return {BROKER_VARIABLE: broker, RESULTS_VARIABLE: kept}


def require_broker(url: str) -> None:
    """Make sure that somebody answers at a broker's address. The address may hold a password.

    Raises
    ------
    ConfigurationError
        If nobody does, or it is not the address of a broker.
    """
    forms = "Set it as redis://host:6379/0 or amqp://user:password@host:5672/."
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ConfigurationError(
            f"{BROKER_VARIABLE} begins with `{parts.scheme}:`, which is none of {', '.join(PORTS)}."
            if parts.scheme
            else f"{BROKER_VARIABLE} is no address of a broker.",
            forms,
        )
    if parts.scheme == "redis+socket":
        return
    try:
        host, port = parts.hostname or "localhost", parts.port or PORTS[parts.scheme]
    except ValueError:
        raise ConfigurationError(f"The port in {BROKER_VARIABLE} is no number.", forms) from None
    try:
        socket.create_connection((host, port), ANSWERS_WITHIN_S).close()
    except OSError as error:
        raise ConfigurationError(
            f"No broker answers at {host}:{port}, which {BROKER_VARIABLE} names: {error}.",
            f"Start it, or unset {BROKER_VARIABLE} for a Redis that is started with the stack.",
        ) from None


def redis_server(program: str, path: Path, folder: Path) -> Extra:
    """Redis without a port and without files."""
    return Extra(
        name="redis",
        called="Redis, the broker",
        command=(
            *(program, "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no", "--dir", str(folder), "--daemonize", "no"),
        ),
        is_ready=path.exists,
        before_again=partial(path.unlink, missing_ok=True),
    )


def worker(name: str, called: str, queues: str, at_once: int, folder: Path) -> Extra:
    """A worker of Celery for some queues."""
    ready = folder / f"{name}.ready"
    ready.unlink(missing_ok=True)
    return Extra(
        name=name,
        called=called,
        command=(
            *(sys.executable, "-m", "celery", "-A", "healing_pipeline.celery_runs.app", "worker"),
            *(f"--hostname={name}@%h", f"--queues={queues}", f"--concurrency={at_once}"),
            f"--max-tasks-per-child={RUNS_OF_A_PROCESS}",
            # Workers have nothing to tell each other.
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO"),
        ),
        is_ready=ready.exists,
        before_again=partial(ready.unlink, missing_ok=True),
        variables={READY_FILE_VARIABLE: str(ready)},
    )
