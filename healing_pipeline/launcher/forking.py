"""Forking a process that holds nothing of its parent's but memory."""

from __future__ import annotations

import atexit
import io
import os
import random
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

RESET = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)


class Closable(Protocol):
    """Something of the parent's that a child lets go of."""

    def close(self) -> None:
        """Let go."""


class SignalWakeup:
    """Makes signals wake a selector: a readable socket, and which of them came.

    Parameters
    ----------
    numbers : signals
        Caught from now on.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._there.setblocking(False)
        self._came: set[int] = set()
        for each in numbers:
            signal.signal(each, lambda number, _frame: self._came.add(number))
        signal.set_wakeup_fd(self._there.fileno(), warn_on_full_buffer=False)

    def fileno(self) -> int:
        """For selectors."""
        return self._here.fileno()

    def came(self) -> set[int]:
        """The signals since the last call."""
        with suppress(BlockingIOError):
            while self._here.recv(4096):
                pass
        came, self._came = self._came, set()
        return came

    def close(self) -> None:
        """Let go; in a child, after the wake-up was taken back."""
        self._here.close()
        self._there.close()


def fork(work: Callable[[], int], foreign: Iterable[Closable]) -> int:
    """Fork a child that closes what is `foreign` to it, does `work` and ends with its code.

    Returns
    -------
    int
        The child's pid; a child does not return.

    Notes
    -----
    A child has the signals of a fresh process, leads a process group of its own and has its own
    seeds for `random` and numpy. The caller must have no other thread: see `thread_count`.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in RESET:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setpgid(0, 0)
        for each in foreign:
            each.close()
        _reseed()
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)
    raise AssertionError("a child does not get here")


def thread_count() -> int:
    """Threads of this process that a fork would lose, the caller's own not counted.

    Those of the system's where it can be asked: a library's own threads are not Python's.
    """
    with suppress(OSError):
        return len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 (one name each)
    return threading.active_count() - 1


def speak_softly() -> None:
    """Let what is printed go to a full disk without failing who prints."""
    sys.stdout = _soft_stream(1)
    sys.stderr = _soft_stream(2)


class _Soft(io.RawIOBase):
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        with suppress(OSError):
            return os.write(self._descriptor, view)
        return view.nbytes


def _soft_stream(descriptor: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Soft(descriptor)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def _reseed() -> None:
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _leave(code: int) -> None:
    """End as a process does, without tearing the interpreter down: twenty times a second counts."""
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
