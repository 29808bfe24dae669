"""Which process is meant: a pid alone is used again, a pid with its start time is not."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

# State, start time (fields 3 and 22 of /proc/PID/stat), counted behind the name in parentheses.
_STATE, _START_TIME = 0, 19
_ENDED = frozenset({"Z", "X", "x"})


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process of this machine, since it was last started.

    Attributes
    ----------
    pid : int
    started : str
        When it started, as the system says it: on Linux the boot and the clock ticks since then,
        which no change of the wall clock moves. Compared, never interpreted.
    """

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Whether that very process still runs; one that has ended and waits to be reaped, not."""
        return _started(self.pid) == self.started

    def signal(self, number: int) -> bool:
        """Send a signal, unless the process has ended; False then."""
        if not self.is_alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def identity_of(pid: int) -> ProcessIdentity | None:
    """The identity of a running process; None when there is none of that pid."""
    started = _started(pid)
    return None if started is None else ProcessIdentity(pid, started)


def own_identity() -> ProcessIdentity:
    """The identity of the process that asks."""
    identity = identity_of(os.getpid())
    assert identity is not None, "a process that asks is running"
    return identity


def _started(pid: int) -> str | None:
    if sys.platform != "linux":
        return _started_elsewhere(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if not fields or fields[_STATE] in _ENDED:
        return None
    return f"{_boot()}:{fields[_START_TIME]}"


def _started_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return repr(process.create_time())
    except psutil.Error:
        return None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
