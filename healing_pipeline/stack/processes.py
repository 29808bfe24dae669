"""Child processes that are started together and leave nothing behind when they stop.

Ours because what exists (supervisor, circus, honcho) is a service or a package of its own to run;
here five processes live exactly as long as one command. Each child leads a process group, so that
what it starts in turn (Dagster's runs) is stopped with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from healing_pipeline.errors import HealingPipelineError

# Dagster's processes end their children on SIGINT; on SIGTERM some stay behind. Daemon and code
# server would wait out the ticks that stay; what those would ask for, others ask for again.
POLITE_S = 2.0
FIRM_S = 2.0


class ProcessDiedError(HealingPipelineError):
    """A part of the stack stopped by itself."""


@dataclass
class Child:
    """One running part."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    may_end: bool = False


class ProcessGroup:
    """Parts of a stack; a context manager that stops them all, last started first.

    Attributes
    ----------
    log_dir : Path
        A file for each part.
    """

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self._children: list[Child] = []
        log_dir.mkdir(parents=True, exist_ok=True)

    def start(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        may_end: bool = False,
    ) -> Child:
        """Start one part in a process group of its own; its output goes to a log file.

        Parameters
        ----------
        may_end : bool
            It has one thing to do, and the others go on without it.
        """
        log = self.log_dir / f"{name}.log"

        def begin() -> Child:
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 (our own commands, no shell)
                    command,
                    env=dict(env),
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            child = Child(name, process, log, may_end)
            self._children.append(child)
            return child

        # In a thread of its own: what Ctrl-C raises in the main thread must not come between the
        # start of a process and the note of it, or nobody would ever stop it.
        with ThreadPoolExecutor(max_workers=1) as starting:
            return starting.submit(begin).result()

    def check(self) -> None:
        """Raise if a part has stopped by itself.

        Raises
        ------
        ProcessDiedError
            With the end of its log.
        """
        for child in self._children:
            code = child.process.poll()
            if code is not None and not child.may_end:
                raise ProcessDiedError(
                    f"{child.name} stopped with exit code {code}: {last_line(child.log)} "
                    f"Read {child.log} and start again."
                )

    def stop(self) -> None:
        """Stop every part and what it started: asked first, then made to, within four seconds."""
        for child in reversed(self._children):
            _signal(child, signal.SIGINT)
        self._wait(POLITE_S)
        for child in reversed(self._children):
            _signal(child, signal.SIGTERM)
        self._wait(FIRM_S)
        for child in self._children:
            # The leader may be gone while its group is not.
            _signal(child, signal.SIGKILL)
            child.process.wait()
        self._children.clear()

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(_alive(child) for child in self._children):
            time.sleep(0.05)

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def last_line(log: Path) -> str:
    """The last line of a log that says something, cut to a readable length."""
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing."


def _alive(child: Child) -> bool:
    """Whether anything of the child's group still runs."""
    child.process.poll()
    try:
        os.killpg(child.process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal(child: Child, number: signal.Signals) -> None:
    try:
        os.killpg(child.process.pid, number)
    except ProcessLookupError:
        return
