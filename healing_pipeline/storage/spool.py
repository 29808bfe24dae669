"""Facts on disk while PostgreSQL is away: JSON lines, one file per stretch, replayed exactly once.

Whoever holds the lock of a file may write to it or replay it. A file whose lock is free is left
over, by this process or by an earlier one, and any recorder may replay it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from itertools import islice
from pathlib import Path
from uuid import uuid4

REJECTED = "rejected.jsonl"


class SpoolWriter:
    """Appends lines to a file of its own; not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._fd: int | None = None
        self._count = 0

    def append(self, lines: list[str], stamp: str) -> None:
        """Write lines, all or none; `stamp` puts a new file in order among the others.

        Raises
        ------
        OSError
            If the disk is full or the folder cannot be written.
        """
        fd = self._open(stamp)
        size = os.fstat(fd).st_size
        data = memoryview("".join(line + "\n" for line in lines).encode("utf-8"))
        try:
            while data:
                data = data[os.write(fd, data) :]
        except OSError:
            # A torn line would swallow the one after it.
            with suppress(OSError):
                os.ftruncate(fd, size)
            raise

    def detach(self) -> int | None:
        """Hand over the open file, so that the next line begins another; see `release`."""
        fd, self._fd, self._path = self._fd, None, None
        return fd

    def _open(self, stamp: str) -> int:
        while self._fd is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._count += 1
            name = f"{stamp}-{os.getpid()}-{self._count:06d}-{uuid4().hex[:8]}.jsonl"
            path = self._folder / name
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if _is_same_file(fd, path):
                self._fd, self._path = fd, path
            else:
                # Another process took the new, still empty file for a left-over one.
                os.close(fd)
        return self._fd


def release(fd: int) -> None:
    """Put a detached file safely on disk and leave it for whoever replays it."""
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class LeftOver:
    """A left-over file that this process holds."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._file = os.fdopen(fd, encoding="utf-8", errors="replace")

    def lines(self, most: int) -> list[str]:
        """The next lines, at most `most`; none at the end."""
        return [line.rstrip("\n") for line in islice(self._file, most)]

    def finish(self) -> None:
        """Remove the file: everything in it is stored."""
        self._path.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Leave the file for another time; lines that are stored already will do no harm."""
        self._file.close()


def left_over(folder: Path) -> LeftOver | None:
    """The oldest file that nobody holds, now held by the caller; None when there is none."""
    if not folder.is_dir():
        return None
    for path in sorted(folder.glob("*.jsonl")):
        if path.name == REJECTED:
            continue
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        if _is_same_file(fd, path):
            return LeftOver(path, fd)
        os.close(fd)
    return None


def _is_same_file(fd: int, path: Path) -> bool:
    """Whether `path` still names the open file: it may have been replayed in the meantime."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(fd))
