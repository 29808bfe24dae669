"""Child processes that are started together and leave nothing behind when they stop.

Ours because what exists (supervisor, circus, honcho) is a service or a package of its own to run;
here five processes live exactly as long as one command. Each child leads a process group, so that
what it starts in turn (Dagster's runs) is stopped with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.launcher.process_identity import identity_of
from healing_pipeline.stack.leftovers import note
from healing_pipeline.stack.supervision import Part

# Dagster's processes end their children on SIGINT; on SIGTERM some stay behind. Daemon and code
# server would wait out the ticks that stay; what those would ask for, others ask for again.
POLITE_S = 2.0
FIRM_S = 2.0


class ProcessDiedError(HealingPipelineError):
    """A part of the stack stopped by itself."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a child is started with, the first time and again."""

    words: Sequence[str]
    env: Mapping[str, str]
    cwd: Path


@dataclass
class Child:
    """One running part.

    Attributes
    ----------
    before_again : callable
        What a killed one leaves in the way of the next.
    answers, then : callable
        See `supervision.Part`.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    command: Command
    may_end: bool = False
    before_again: Callable[[], object] = lambda: None
    answers: Callable[[], bool] | None = None
    then: Callable[[], object] = lambda: None


class ProcessGroup:
    """Parts of a stack; a context manager that stops them all, last started first.

    Attributes
    ----------
    log_dir : Path
        A file for each part.
    noted_in : Path or None
        Where it is written down which processes there are, for whoever comes after a kill.
    """

    def __init__(self, log_dir: Path, noted_in: Path | None = None) -> None:
        self.log_dir = log_dir
        self.noted_in = noted_in
        self._children: list[Child] = []
        self._noting = threading.Lock()
        log_dir.mkdir(parents=True, exist_ok=True)

    def start(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        may_end: bool = False,
        before_again: Callable[[], object] = lambda: None,
        answers: Callable[[], bool] | None = None,
        then: Callable[[], object] = lambda: None,
    ) -> Child:
        """Start one part in a process group of its own; its output goes to a log file.

        Parameters
        ----------
        may_end : bool
            It has one thing to do, and the others go on without it.
        before_again, answers, then : callable
            See `Child`; for a part that is started again when it ends.
        """
        log = self.log_dir / f"{name}.log"

        def begin() -> Child:
            how = Command(command, env, cwd)
            process = _started(how, log, "wb")
            child = Child(name, process, log, how, may_end, before_again, answers, then)
            # One that has done its work and is asked for again takes its own place.
            others = [each for each in self._children if each.name != name or _alive(each)]
            self._children = [*others, child]
            self._note()
            return child

        # In a thread of its own: what Ctrl-C raises in the main thread must not come between the
        # start of a process and the note of it, or nobody would ever stop it.
        with ThreadPoolExecutor(max_workers=1) as starting:
            return starting.submit(begin).result()

    def parts(self) -> list[Part]:
        """The parts that are to run for as long as the stack does, to be started again."""
        return [
            Part(
                name=child.name.replace("_", " ").capitalize(),
                ended=partial(_how_ended, child),
                start=partial(self._start_again, child),
                answers=child.answers,
                then=child.then,
                last_words=partial(_last_words, child),
            )
            for child in self._children
            if not child.may_end
        ]

    def _start_again(self, child: Child) -> None:
        # What it had started may have outlived it.
        _signal(child, signal.SIGKILL)
        child.before_again()
        child.process = _started(child.command, child.log, "ab")
        self._note()

    def _note(self) -> None:
        if self.noted_in is None:
            return
        with self._noting:
            known = (identity_of(child.process.pid) for child in list(self._children))
            note(self.noted_in, [each for each in known if each is not None])

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
        if self.noted_in is not None:
            self.noted_in.unlink(missing_ok=True)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(_alive(child) for child in self._children):
            time.sleep(0.05)

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _how_ended(child: Child) -> str | None:
    code = child.process.poll()
    if code is None:
        return None
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_words(child: Child) -> str:
    return f"{last_line(child.log)} Read {child.log}."


def _started(command: Command, log: Path, mode: str) -> subprocess.Popen[bytes]:
    if mode == "wb":
        log.write_bytes(b"")
    # Appending, so that a log which is cut short goes on at its new end.
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 (our own commands, no shell)  # nosec B603
            command.words,
            env=dict(command.env),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


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
