"""The process of one run: prepared ahead, claimed by its run, gone with it.

What it executes is what `dagster api execute_run` executes in a container, so that a run here is a
run anywhere: the same events, the same interrupts, the same end.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._cli.api import _execute_run_command_body
from dagster._core.instance import InstanceRef
from dagster._serdes import deserialize_value
from dagster._utils.interrupts import capture_interrupts

from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.loaded_files import LoadedFiles
from healing_pipeline.launcher.messages import Channel, ConnectionLostError
from healing_pipeline.launcher.process_identity import own_identity

# A pooled connection of this age is opened anew; PostgreSQL and what stands before it hang up.
POOL_RECYCLE_S = 600
MOST_OVERFLOW = 20


def run_now(channel: Channel, run_id: str, until: float, instance_ref: str, claims: Claims) -> int:
    """Claim a run, say so, execute it; the exit code of the process."""
    if not _claimed(channel, run_id, until, claims):
        return 0
    with DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef)) as instance:
        _pool_connections(instance)
        return _executed(channel, run_id, instance)


def run_when_asked(
    channel: Channel, instance_ref: str, warm_up: Iterable[str], files: LoadedFiles, claims: Claims
) -> int:
    """Prepare everything that a run needs, wait for one, execute it, end.

    The channel's other end is told ``ready``, then names a run; it hears ``claimed``, or
    ``refused`` when a file that was loaded has changed meanwhile, or when somebody has the run.
    """
    since_ns = time.time_ns()
    with DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef)) as instance:
        _pool_connections(instance)
        _touch(instance)
        named = [path for each in warm_up for path in _call(each)]
        own_files = LoadedFiles(since_ns, but=files)
        own_files.note(named)
        try:
            channel.send({"ready": os.getpid()})
            asked = channel.receive(timeout_s=None)
        except ConnectionLostError:
            # The template has retired, or is gone.
            return 0
        run_id = str(asked["run_id"])
        if changed := own_files.changed():
            channel.send({"refused": f"{changed[0]} has changed", "stale": True})
            return 0
        if not _claimed(channel, run_id, float(asked["until"]), claims):
            return 0
        _mend_connections(instance)
        return _executed(channel, run_id, instance)


def _claimed(channel: Channel, run_id: str, until: float, claims: Claims) -> bool:
    """Claim the run, unless its launcher has lost patience; it hears which."""
    if time.monotonic() > until:
        channel.send({"refused": "it was asked too late"})
        return False
    try:
        mine = claims.take(run_id, own_identity())
    except OSError as error:
        channel.send({"refused": f"no claim can be written: {error}"})
        return False
    if not mine:
        channel.send({"refused": "somebody has the run"})
        return False
    # Whoever forked us may be gone: the run is ours all the same.
    with suppress(ConnectionLostError):
        channel.send({"claimed": os.getpid()})
    return True


def _executed(channel: Channel, run_id: str, instance: Any) -> int:
    with capture_interrupts():
        _execute_run_command_body(
            run_id, instance, lambda _event: None, set_exit_code_on_failure=False
        )
    with suppress(ConnectionLostError):
        channel.send({"done": True})
    return 0


def _pool_connections(instance: Any) -> None:
    """Keep connections between statements, as Dagster's web server does; without a time limit."""
    instance.optimize_for_webserver(
        statement_timeout=0, pool_recycle=POOL_RECYCLE_S, max_overflow=MOST_OVERFLOW
    )


def _touch(instance: Any) -> None:
    """Open the connections, and let the storages learn what they ask only once."""
    instance.get_runs(limit=1)
    instance.event_log_storage.get_concurrency_keys()
    instance.all_logs("00000000-0000-0000-0000-000000000000")


def _mend_connections(instance: Any) -> None:
    """Hang up what broke while the process waited: PostgreSQL may have been started anew."""
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        engine = getattr(storage, "_engine", None)
        if engine is None:
            continue
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        except Exception:
            engine.dispose()


def _call(target: str) -> list[str]:
    module, _, name = target.partition(":")
    paths: Iterable[Path | str] | None = getattr(importlib.import_module(module), name)()
    return [str(each) for each in paths or ()]
