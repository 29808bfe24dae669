"""A launcher's hold on the zygote of its folder: it starts one when there is none, and watches it.

A zygote lives as long as somebody holds it. One lock file says that there is one, or that one is
being started: whoever starts it takes the lock and hands it down, so that there is no moment in
which two could believe that it is theirs to start.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from healing_pipeline.launcher.folder import private_folder
from healing_pipeline.launcher.messages import Channel, ConnectionLostError, call
from healing_pipeline.launcher.processes import MODULE
from healing_pipeline.launcher.settings import Settings

# A zygote that could not start is not tried again sooner; until then launches fail at once.
RETRY_S = 10.0

# One that was lost sooner after it was held is started by the next launch, not by its watcher: what
# kills it may go on doing so.
WORTH_ANOTHER_S = 5.0

PAUSE_S = 0.02


class WarmUnavailableError(Exception):
    """No warm process could be had in time; says why. The run has not begun."""


class Hold:
    """Holds the zygote of one folder; safe for threads.

    Parameters
    ----------
    settings : Settings
    lost : callable
        Called from a thread of its own when the zygote has died; not when it was told to end.
    """

    def __init__(self, settings: Settings, lost: Callable[[], None]) -> None:
        self._settings = settings
        self._lost = lost
        self._channel: Channel | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._starting: subprocess.Popen[bytes] | None = None
        self._not_before, self._why = 0.0, ""

    def ensure(self, until: float) -> None:
        """Hold a zygote, started if need be, before `until` on the monotonic clock.

        Raises
        ------
        WarmUnavailableError
            If there is none in time, none can be started, or the hold is closed.
        """
        too_late = WarmUnavailableError("the zygote is not ready yet; it will be for later runs")
        if not self._lock.acquire(timeout=max(0.0, until - time.monotonic())):
            raise too_late
        try:
            while self._channel is None:
                if self._closed:
                    raise WarmUnavailableError("the launcher has let go of its zygote")
                if (left := until - time.monotonic()) <= 0:
                    raise too_late
                try:
                    _, channel = call(self._settings.socket, {"op": "hold"}, left)
                except ConnectionLostError:
                    self._start()
                    time.sleep(PAUSE_S)
                else:
                    self._take(channel)
        finally:
            self._lock.release()

    def doubt(self) -> None:
        """Let go of a zygote that was held and does not answer, or not where it should."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.hang_up()

    def close(self) -> None:
        """Let go, for good. Idempotent."""
        self._closed = True
        self.doubt()

    def _take(self, channel: Channel) -> None:
        self._channel = channel
        self._starting = None
        # Neither the thread nor the socket outlives a hold that nobody uses any more.
        weakref.finalize(self, channel.hang_up)
        threading.Thread(
            target=_watch, args=(channel, weakref.ref(self)), name="warm-hold", daemon=True
        ).start()

    def was_lost(self, channel: Channel) -> bool:
        """Note that a connection has ended; whether it was the one that holds."""
        with self._lock:
            mine = self._channel is channel
            if mine:
                self._channel = None
        channel.hang_up()
        _reap()
        return mine

    def tell(self) -> None:
        """Say that the zygote is lost."""
        self._lost()

    def _start(self) -> None:
        """Start a zygote, unless one lives or somebody is at it."""
        if self._starting is not None:
            code = self._starting.poll()
            if code is None:
                return
            self._starting = None
            if code:
                self._fail(
                    f"the zygote ended with exit code {code}: {_last_line(self._settings.log)}"
                )
        if time.monotonic() < self._not_before:
            raise WarmUnavailableError(self._why)
        try:
            self._starting = start_zygote(self._settings)
        except OSError as error:
            self._fail(f"no zygote can be started: {error}")

    def _fail(self, why: str) -> None:
        self._not_before, self._why = time.monotonic() + RETRY_S, why
        raise WarmUnavailableError(why)


def start_zygote(settings: Settings) -> subprocess.Popen[bytes] | None:
    """Start a zygote for a folder; None when there is one.

    Raises
    ------
    OSError
        If the folder cannot be used, or no process can be started.
    """
    private_folder(settings.path)
    lock = os.open(settings.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        with _log(settings.log) as log:
            started = subprocess.Popen(  # noqa: S603 (our own module, no shell)  # nosec B603
                [sys.executable, "-P", "-m", MODULE, str(lock), settings.to_json()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
            )
        _reap(started)
        return started
    finally:
        os.close(lock)


# A zygote outlives the hold that started it, and has to be reaped by this process all the same.
_children: list[subprocess.Popen[bytes]] = []
_reaping = threading.Lock()


def _reap(*new: subprocess.Popen[bytes]) -> None:
    with _reaping:
        _children[:] = [each for each in (*_children, *new) if each.poll() is None]


def _watch(channel: Channel, hold: weakref.ref[Hold]) -> None:
    began = time.monotonic()
    told_to_end = False
    with suppress(ConnectionLostError):
        told_to_end = "stopping" in channel.receive(timeout_s=None)
    lived_s = time.monotonic() - began
    if (holder := hold()) is None:
        channel.hang_up()
    elif holder.was_lost(channel) and not told_to_end and lived_s > WORTH_ANOTHER_S:
        holder.tell()


@contextmanager
def _log(path: Path) -> Iterator[IO[bytes] | int]:
    try:
        file = path.open("ab")
    except OSError:
        yield subprocess.DEVNULL
        return
    with file:
        yield file


def _last_line(log: Path) -> str:
    try:
        lines = log.read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
    except OSError as error:
        return f"its log cannot be read: {error}"
    return lines[-1] if lines else "its log is empty"
