"""Files of facts that were left over, stored a batch at a time."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from healing_pipeline.healing.facts import Fact
from healing_pipeline.storage.facts import LaterVersionError, fact_of
from healing_pipeline.storage.spool import LeftOver, left_over
from healing_pipeline.storage.storing import Storing

# How often the folder is looked through for files that another process left.
LOOK_EVERY_S = 5.0


class Replaying:
    """Replays what lies in a folder. For one thread."""

    def __init__(self, folder: Path, storing: Storing, most: int) -> None:
        self._folder = folder
        self._storing = storing
        self._most = most
        self._file: LeftOver | None = None
        self._facts: list[Fact] = []  # of the file, but not stored yet
        self._look_at = 0.0

    @property
    def is_under_way(self) -> bool:
        """Whether a file is held that is not stored yet."""
        return self._file is not None

    def look_soon(self) -> None:
        """A file was left over just now."""
        self._look_at = 0.0

    def go_on(self) -> None:
        """Store one batch, if PostgreSQL is there."""
        if not self._storing.may_be_asked:
            return
        if self._file is None and monotonic() >= self._look_at:
            self._take_next()
        while self._file is not None and not self._facts:
            lines = self._file.lines(self._most)
            self._facts = self._read(lines)
            if not lines:
                self._file.finish()
                self._take_next()
        if self._facts:
            self._facts = self._storing.unstored(self._facts)

    def _take_next(self) -> None:
        self._look_at = monotonic() + LOOK_EVERY_S
        self._file = left_over(self._folder)

    def leave(self) -> None:
        """Leave the file that is held for another time."""
        if self._file is not None:
            self._file.leave()

    def _read(self, lines: list[str]) -> list[Fact]:
        facts = []
        for line in lines:
            try:
                facts.append(fact_of(line))
            except LaterVersionError:
                self._storing.keep_for_later(line)
            except ValueError as error:
                self._storing.reject(line, error)
        return facts
