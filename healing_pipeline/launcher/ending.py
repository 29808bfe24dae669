"""How a run's end is told where the run itself could not, and brought about where it would not."""

from __future__ import annotations

import os
import signal
import time
import traceback
from contextlib import suppress
from typing import Any

from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.instance import InstanceRef
from dagster._serdes import deserialize_value

from healing_pipeline.launcher.process_identity import ProcessIdentity

# A database that is away for as long is not waited for: run monitoring fails the run then.
REPORT_WITHIN_S = 120.0

# A process that has ended has reported it, or its template does; only then do others.
REPORTED_WITHIN_S = 2.0

# After the grace: a killed process is gone at once, but for one that waits for a disk.
GONE_WITHIN_S = 10.0

PAUSE_S = 0.05


def report_end(run_id: str, instance_ref: str, how: str) -> int:
    """Say in the run's log how its process ended; an exit code.

    It tries again while the storage is away.
    """
    until = time.monotonic() + REPORT_WITHIN_S
    while True:
        try:
            with DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef)) as instance:
                _report(instance, run_id, how)
                return 0
        except Exception:
            traceback.print_exc()
            if time.monotonic() > until:
                return 1
            time.sleep(1.0)


def see_out(run_id: str, process: ProcessIdentity, instance_ref: str, grace_s: float) -> int:
    """Wait for a run's process that was told to end; kill it after the grace; an exit code.

    Its end is reported, should nobody else have done it: its template may be gone.
    """
    killed = False
    until = time.monotonic() + grace_s
    while process.is_alive() and time.monotonic() < until:
        time.sleep(PAUSE_S)
        if not killed and time.monotonic() >= until and process.is_alive():
            killed = True
            kill_group(process)
            until += GONE_WITHIN_S
    time.sleep(REPORTED_WITHIN_S)
    how = "ignored the request to end and was killed" if killed else "ended when it was told to"
    return report_end(run_id, instance_ref, how)


def kill_group(process: ProcessIdentity) -> None:
    """Kill a run's process and what it started: it leads a group of its own."""
    if process.is_alive():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def ending(status: int) -> str:
    """What a wait status says, in words."""
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        oom = ", which is also how the system ends a process when memory runs out"
        return f"was ended by {name}{oom if name == 'SIGKILL' else ''}"
    return f"ended with exit code {os.waitstatus_to_exitcode(status)}"


def _report(instance: Any, run_id: str, how: str) -> None:
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if run.status == DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, f"The run's process {how}.")
    else:
        instance.report_run_failed(run, f"The run's process {how} before the run had finished.")
