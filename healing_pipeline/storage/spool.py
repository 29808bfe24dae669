"""Facts on disk that were left over: files of JSON lines, replayed so that each counts once.

Whoever holds the lock of a file may write to it or replay it. A file whose lock is free is left
over, by this process or by an earlier one, and any recorder may replay it.
"""

from __future__ import annotations

import fcntl
import os
from itertools import islice
from pathlib import Path

from healing_pipeline.storage.facts import FORMAT
from healing_pipeline.storage.worth import Worth

REJECTED = "rejected.jsonl"
# Lines that a later version wrote, set aside by one that knows facts of that format only: whoever
# knows another has a look at them.
LATER = "later-{}.jsonl"


class LeftOver:
    """A left-over file that this process holds."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._file = os.fdopen(fd, encoding="utf-8", errors="replace")

    def lines(self, most: int) -> list[str]:
        """The next lines, at most `most`; none at the end."""
        return [line.rstrip("\n") for line in islice(self._file, most)]

    def finish(self) -> None:
        """Remove the file: everything in it is stored, or is to be dropped."""
        self._path.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Leave the file for another time; lines that are stored already will do no harm."""
        self._file.close()


def ending(worth: Worth | None) -> str:
    """How the names of files with facts of one worth end; of any worth for None."""
    return ".jsonl" if worth is None else f".{worth}.jsonl"


def files_in(folder: Path, worth: Worth | None = None) -> list[Path]:
    """Files of facts, the oldest first; none where there is no folder."""
    if not folder.is_dir():
        return []
    aside = {REJECTED, LATER.format(FORMAT)}
    return sorted(path for path in folder.glob(f"*{ending(worth)}") if path.name not in aside)


def keep_for_later(folder: Path, line: str) -> None:
    """Set a line aside for a version that knows what it says.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path = folder / LATER.format(FORMAT)
    while True:
        with path.open("ab") as file:
            # Whoever knows more may be replaying it, and removes it then.
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_same_file(file.fileno(), path):
                file.write(line.encode("utf-8", "replace") + b"\n")
                return


def left_over(folder: Path, worth: Worth | None = None) -> LeftOver | None:
    """The oldest file that nobody holds, now held by the caller; None when there is none."""
    for path in files_in(folder, worth):
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        if is_same_file(fd, path):
            return LeftOver(path, fd)
        os.close(fd)
    return None


def is_same_file(fd: int, path: Path) -> bool:
    """Whether `path` still names the open file: it may have been replayed in the meantime."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(fd))
