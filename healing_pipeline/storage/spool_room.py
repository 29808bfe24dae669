"""Room on disk for facts: a bound of ours, the end of the disk, and what is let go at either.

Both ends are met alike: the oldest snapshots go, then the oldest detail. A reserve is given up for
what is kept, when others have filled the disk.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.storage.spool import files_in, left_over
from healing_pipeline.storage.worth import DROPPED_IN_ORDER, Worth

_LOG = logging.getLogger(__name__)

# A reader's healthy request is 0.9 kB, so this is PostgreSQL away for 40 minutes under 200 requests
# a second, or for half a day under ten: longer than a restart, a failover or a restore takes. A
# small machine still has room for it beside PostgreSQL's own log.
DEFAULT_BYTES = 512 * 2**20
SMALLEST_MB = 8
VARIABLE = "HEALING_SPOOL_MB"

# Some eight thousand facts of what failed: a quarter of an hour of ten failures a second.
RESERVE_BYTES = 4 * 2**20
RESERVE = "reserve"
# A question has a new snapshot every few seconds, 20 kB of it, and only the newest is of use.
SNAPSHOTS_SHARE = 8
# The reserve is taken only of what others will not miss.
RESERVE_OF_FREE = 8


def spool_bytes(environ: Mapping[str, str]) -> int:
    """The bound on facts that wait on disk, by ``HEALING_SPOOL_MB``.

    Raises
    ------
    ConfigurationError
        If it is no whole number of megabytes, or too few to be of use.
    """
    said = environ.get(VARIABLE, "").strip()
    if not said:
        return DEFAULT_BYTES
    if not (said.isascii() and said.isdigit()) or int(said) < SMALLEST_MB:
        raise ConfigurationError(
            f"The environment variable {VARIABLE} is {said!r}.",
            f"Set it to whole megabytes, {SMALLEST_MB} or more, or `unset {VARIABLE}`: "
            f"{DEFAULT_BYTES // 2**20} are enough for half a day without PostgreSQL.",
        )
    return int(said) * 2**20


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What waits on disk, of all processes with one state folder."""

    files: int
    size: int  # in bytes


class Room:
    """The room that facts have in a folder.

    Parameters
    ----------
    folder : Path
    most_bytes : int
        What waits on disk is held below it by dropping detail; what is kept may pass it.
    reserve_bytes : int
        Held back for what is kept.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int = DEFAULT_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._folder = folder
        self.most_bytes = most_bytes
        self._reserve_bytes = reserve_bytes
        self._reserve = folder / RESERVE

    def on_disk(self) -> OnDisk:
        """How much waits now."""
        return self._on_disk()

    def keep_bound(self) -> Counter[str]:
        """Drop what may be dropped until the bound is kept; what was dropped, by kind."""
        dropped = self._drop_past(self.most_bytes // SNAPSHOTS_SHARE, Worth.SNAPSHOT)
        return dropped + self._drop_past(self.most_bytes)

    def drop_oldest(self, *worths: Worth) -> Counter[str] | None:
        """Drop the oldest file of the least worth that nobody holds; None when there is none.

        With `worths` only one with facts of those.
        """
        chosen = worths or DROPPED_IN_ORDER
        found = next(filter(None, (left_over(self._folder, each) for each in chosen)), None)
        if found is None:
            return None
        kinds: Counter[str] = Counter()
        while lines := found.lines(1000):
            kinds.update(_kind_of(line) for line in lines)
        found.finish()
        return kinds

    def _drop_past(self, most_bytes: int, *worths: Worth) -> Counter[str]:
        dropped: Counter[str] = Counter()
        while self._on_disk(*worths).size > most_bytes:
            more = self.drop_oldest(*worths)
            if more is None:
                break
            dropped += more
        return dropped

    def _on_disk(self, worth: Worth | None = None) -> OnDisk:
        sizes = []
        for path in files_in(self._folder, worth):
            with suppress(FileNotFoundError):  # replayed meanwhile
                sizes.append(path.stat().st_size)
        return OnDisk(len(sizes), sum(sizes))

    def keep_reserve(self) -> None:
        """Hold some of the disk back, where it has enough."""
        with suppress(OSError):
            if self._reserve.exists() or not self._folder.is_dir():
                return
            disk = os.statvfs(self._folder)
            if disk.f_bavail * disk.f_frsize < RESERVE_OF_FREE * self._reserve_bytes:
                return
            fd = os.open(self._reserve, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(fd, 0, self._reserve_bytes)
            except OSError:
                self._reserve.unlink(missing_ok=True)
            finally:
                os.close(fd)

    def give_up_reserve(self) -> bool:
        """Let what is kept have the reserve; False when it is gone already."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        _LOG.warning("the disk of %s is full: its reserve is given up", self._folder)
        return True


def _kind_of(line: str) -> str:
    """The kind of a fact, by how its line begins."""
    return line[:40].partition('"fact": "')[2].partition('"')[0] or "torn"
