"""A launcher's side of the conversation: start a zygote when there is none, hold it, ask it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.messages import Channel, ConnectionLostError, Message, call
from healing_pipeline.launcher.process_identity import ProcessIdentity
from healing_pipeline.launcher.settings import LONGEST_FOLDER, Settings

MODULE = "healing_pipeline.launcher.zygote"

# A log is read by people, the last lines of it; past this it is begun anew.
MOST_LOG_BYTES = 4 * 1024 * 1024


class WarmUnavailableError(Exception):
    """No warm process could be had in time; says why. The run has not begun."""


class Warm:
    """Conversations with the zygote of one folder; safe for threads.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._claims = Claims(settings.claims)
        self._hold: Channel | None = None
        self._holding = threading.Lock()
        self._started: list[subprocess.Popen[bytes]] = []
        self._templates: dict[str, Path] = {}

    def launch(self, run_id: str, origin: str, instance_ref: str, timeout_s: float) -> None:
        """Have a run begun by a warm process; returns when it has claimed the run.

        Raises
        ------
        WarmUnavailableError
            If that is not so within `timeout_s`, and cannot be so any more: another launcher may
            begin the run.
        """
        until = time.monotonic() + timeout_s
        why = "there was no time"
        request = {"op": "launch", "run_id": run_id, "instance_ref": instance_ref}
        try:
            while (left := until - time.monotonic()) > 0:
                try:
                    path = self._template(origin, instance_ref, until)
                    answer = _ask(path, request, left)
                except ConnectionLostError as error:
                    # Nobody listens, or the answer was lost: asking again is harmless.
                    why = str(error)
                    self._templates.pop(origin, None)
                    time.sleep(min(0.05, max(0.0, until - time.monotonic())))
                    continue
                if "launched" in answer or "taken" in answer:
                    break
                self._templates.pop(origin, None)
                why = str(answer.get("stale") or answer.get("refused") or answer)
                if "stale" not in answer:
                    break
                time.sleep(0.01)
            else:
                answer = {}
        except WarmUnavailableError as error:
            answer, why = {}, str(error)
        if "launched" in answer:
            return
        self._give_away(run_id, why)

    def _give_away(self, run_id: str, why: str) -> None:
        """Make sure that no warm process begins a run; returns when one has."""
        try:
            given = self._claims.take(run_id, None)
        except OSError as error:
            claim = self._claims.of(run_id)
            if claim is not None and not claim.elsewhere:
                return
            # No claim can be written, by nobody: no warm process can begin the run either.
            raise WarmUnavailableError(f"{why}; no claim can be written: {error}") from error
        if given:
            raise WarmUnavailableError(why)
        claim = self._claims.of(run_id)
        if claim is not None and claim.elsewhere:
            raise WarmUnavailableError(why)

    def prepare(self, origin: str, instance_ref: str, timeout_s: float) -> None:
        """Have a code location loaded before its first run.

        Raises
        ------
        WarmUnavailableError
            If that is not done within `timeout_s`.
        """
        self._template(origin, instance_ref, time.monotonic() + timeout_s)

    def hold_for(self, process: ProcessIdentity, timeout_s: float) -> None:
        """Keep the zygote for as long as `process` lives.

        Raises
        ------
        WarmUnavailableError
            If none can be started within `timeout_s`.
        """
        until = time.monotonic() + timeout_s
        self._ensure(until)
        message = {"op": "hold", "pid": process.pid, "started": process.started}
        try:
            _ask(self._settings.socket, message, max(0.05, until - time.monotonic()))
        except ConnectionLostError as error:
            raise WarmUnavailableError(str(error)) from error

    def terminate(
        self,
        run_id: str,
        process: ProcessIdentity,
        origin: str,
        instance_ref: str,
        timeout_s: float,
    ) -> bool:
        """Have a run's process told to end, and killed when it does not; False if it has ended.

        Raises
        ------
        WarmUnavailableError
            If there is no template to do it.
        """
        message = {
            "op": "terminate", "run_id": run_id, "pid": process.pid, "started": process.started
        }  # fmt: skip
        until = time.monotonic() + timeout_s
        while True:
            path = self._template(origin, instance_ref, until)
            try:
                return bool(_ask(path, message, until - time.monotonic()).get("terminated"))
            except ConnectionLostError as error:
                self._templates.pop(origin, None)
                if time.monotonic() >= until:
                    raise WarmUnavailableError(str(error)) from error

    def claimed_by(self, run_id: str) -> ProcessIdentity | None:
        """The process that has claimed a run; None when no warm process has."""
        claim = self._claims.of(run_id)
        return None if claim is None else claim.by

    def close(self) -> None:
        """Let go of the zygote. Idempotent."""
        with self._holding:
            hold, self._hold = self._hold, None
        if hold is not None:
            hold.close()

    def _template(self, origin: str, instance_ref: str, until: float) -> Path:
        if origin in self._templates:
            return self._templates[origin]
        why = "no warm process got ready in time"
        message = {"op": "template", "origin": origin, "instance_ref": instance_ref}
        while (left := until - time.monotonic()) > 0:
            self._ensure(until)
            try:
                answer = _ask(self._settings.socket, message, left)
            except ConnectionLostError as error:
                why = str(error)
                time.sleep(0.02)
                continue
            if "socket" in answer:
                path = self._templates[origin] = Path(answer["socket"])
                return path
            why = str(answer.get("broken") or answer.get("stale"))
            if "broken" in answer:
                break
        raise WarmUnavailableError(why)

    def _ensure(self, until: float) -> None:
        """Hold a zygote, started if need be.

        Raises
        ------
        WarmUnavailableError
            If there is none in time, or none can be started.
        """
        with self._holding:
            self._started = [each for each in self._started if each.poll() is None]
            if self._hold is not None and _is_open(self._hold):
                return
            self._hold = None
            began = False
            while (left := until - time.monotonic()) > 0:
                try:
                    _, self._hold = call(self._settings.socket, {"op": "hold"}, left)
                    return
                except ConnectionLostError:
                    pass
                if not began:
                    began = self._start()
                time.sleep(0.02)
            raise WarmUnavailableError(
                "the zygote was not ready in time; it will be for later runs"
            )

    def _start(self) -> bool:
        """Start a zygote, unless somebody is at it; True when that has been seen to."""
        try:
            folder = private_folder(self._settings.path)
            with _locked(folder / "start.lock") as mine:
                if not mine or self._is_starting():
                    return mine
                with _log(self._settings.log) as log:
                    self._started.append(
                        subprocess.Popen(  # noqa: S603 (our own module, no shell)
                            [sys.executable, "-P", "-m", MODULE, self._settings.to_json()],
                            stdin=subprocess.DEVNULL,
                            stdout=log,
                            stderr=subprocess.STDOUT,
                            start_new_session=True,
                        )
                    )
        except OSError as error:
            raise WarmUnavailableError(f"no zygote can be started: {error}") from error
        return True

    def _is_starting(self) -> bool:
        try:
            with (self._settings.path / "zygote.lock").open("a+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return any(each.poll() is None for each in self._started)


def private_folder(folder: Path) -> Path:
    """A folder that only this user can enter: whoever reaches its sockets can run code.

    Raises
    ------
    OSError
        If it cannot be made, or belongs to somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    folder.chmod(0o700)
    return folder


def usable_folder(folder: Path) -> Path:
    """`folder`, or a stand-in with a shorter name: a Unix socket's path is limited."""
    folder = folder.resolve()
    if len(os.fsencode(folder)) <= LONGEST_FOLDER:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"dagster-warm-{os.getuid()}-{digest}"


def stop(folder: Path, grace_s: float = 3.0) -> int:
    """End every warm process of a folder, the runs too; how many there were.

    They are found by their command line, which a fork keeps: no parent has to be alive for it.
    """
    ours = processes_of(folder)
    for each in ours:
        with suppress(psutil.Error):
            each.terminate()
    _, left = psutil.wait_procs(ours, grace_s)
    for each in {*left, *processes_of(folder)}:
        with suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(left, 2.0)
    return len(ours)


def processes_of(folder: Path) -> list[Any]:
    """The warm processes of a folder: zygote, templates, prewarmed ones and runs."""
    found = []
    wanted = str(usable_folder(folder))
    for process in psutil.process_iter():
        with suppress(psutil.Error, ValueError, KeyError):
            command = process.cmdline()
            if MODULE in command and Settings.from_json(command[-1]).folder == wanted:
                found.append(process)
    return found


def _ask(path: Path, message: Message, timeout_s: float) -> Message:
    answer, channel = call(path, message, max(0.01, timeout_s))
    channel.close()
    return answer


def _is_open(channel: Channel) -> bool:
    try:
        return not channel.arrived()
    except ConnectionLostError:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


@contextmanager
def _log(path: Path) -> Iterator[IO[bytes] | int]:
    try:
        if path.exists() and path.stat().st_size > MOST_LOG_BYTES:
            path.unlink()
        file = path.open("ab")
    except OSError:
        yield subprocess.DEVNULL
        return
    with file:
        yield file
