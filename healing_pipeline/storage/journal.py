"""What one process has recorded and PostgreSQL has not confirmed yet: lines in files of its own.

A line that was appended is in the operating system's hands, so that killing the process loses
nothing. A file goes when all of it is stored; one that is left over, because PostgreSQL was away or
the process was killed, is replayed: see `spool`.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from uuid import uuid4

from healing_pipeline.storage.spool import ending, is_same_file
from healing_pipeline.storage.worth import Worth

_LOG = logging.getLogger(__name__)

# A disk that took nothing is not tried by those who record for so long.
PAUSE_S = 1.0
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
# What is dropped is dropped by whole files.
FULL_BYTES = 2**20


class Segment:
    """A file that this process holds and appends to."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.size = 0
        self._fd = fd

    def append(self, line: bytes) -> None:
        """Write a line, all of it or nothing.

        Raises
        ------
        OSError
            If the disk is full or the file cannot be written.
        """
        written = 0
        try:
            while written < len(line):
                written += os.write(self._fd, line[written:] if written else line)
        except OSError:
            # A torn line would swallow the one after it.
            with suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size += written

    def remove(self) -> None:
        """Everything in it is stored."""
        self.path.unlink(missing_ok=True)
        os.close(self._fd)

    def leave(self) -> None:
        """Put it safely on disk for whoever replays it."""
        if self.size == 0:
            self.remove()
            return
        try:
            os.fsync(self._fd)
        finally:
            os.close(self._fd)


class Journal:
    """Appends lines to segments; not thread-safe.

    Facts of each worth have segments of their own, so that a whole file can be dropped.

    Parameters
    ----------
    folder : Path
    stamp : callable
        A text of the present moment, by which files are in order.
    full_bytes : int
        A segment that is longer is followed by another.
    """

    def __init__(
        self, folder: Path, stamp: Callable[[], str], full_bytes: int = FULL_BYTES
    ) -> None:
        self._folder = folder
        self._stamp = stamp
        self._full_bytes = full_bytes
        self._count = 0
        self._open: dict[Worth, Segment] = {}
        self._full: list[Segment] = []
        self._error: OSError | None = None
        self._pause_until = 0.0

    def takes(self, line: str, worth: Worth, *, at_once: bool = False) -> bool:
        """Write a line; False when no disk takes it, and then not tried again for a while.

        With `at_once` it is tried all the same.
        """
        if not at_once and monotonic() < self._pause_until:
            return False
        try:
            self._append(f"{line}\n".encode(), worth)
        except OSError as error:
            self._pause_until = monotonic() + PAUSE_S
            if self._error is None:
                _LOG.warning("%s cannot be written, facts stay in memory: %s", self._folder, error)
            self._error = error
            return False
        self._error, self._pause_until = None, 0.0
        return True

    @property
    def is_full(self) -> bool:
        """Whether the last line was not taken because there is no room."""
        return self._error is not None and self._error.errno in _NO_ROOM

    def take_full(self) -> list[Segment]:
        """Hand over the segments that nothing more is written to."""
        full, self._full = self._full, []
        return full

    def take(self) -> list[Segment]:
        """Hand over all segments, so that the next line begins another."""
        taken = [*self.take_full(), *self._open.values()]
        self._open.clear()
        return taken

    def _append(self, line: bytes, worth: Worth) -> None:
        while True:
            segment = self._open.get(worth)
            is_new = segment is None
            if segment is None:
                segment = self._open[worth] = self._new(worth)
            try:
                segment.append(line)
            except OSError:
                self._full.append(self._open.pop(worth))
                # Perhaps it was that file alone that may not grow.
                if is_new:
                    raise
            else:
                break
        if segment.size >= self._full_bytes:
            self._full.append(self._open.pop(worth))

    def _new(self, worth: Worth) -> Segment:
        while True:
            self._count += 1
            name = f"{self._stamp()}-{os.getpid()}-{self._count:06d}-{uuid4().hex[:8]}"
            path = self._folder / f"{name}{ending(worth)}"
            fd = self._opened(path)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if is_same_file(fd, path):
                return Segment(path, fd)
            # Another process took the new, still empty file for a left-over one.
            os.close(fd)

    def _opened(self, path: Path) -> int:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)


def leave(segments: Iterable[Segment]) -> None:
    """Leave segments for whoever replays them."""
    for each in segments:
        try:
            each.leave()
        except OSError as error:  # it is still there, in the system's hands
            _LOG.warning("%s may not outlive a power cut: %s", each.path, error)


def remove(segments: Iterable[Segment]) -> None:
    """Everything in them is stored; what cannot be removed is replayed, which does no harm."""
    for each in segments:
        with suppress(OSError):
            each.remove()
