"""The newest snapshots on the local disk, for a start while PostgreSQL is away."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import sleep

from healing_pipeline.healing.bounded import Bounded
from healing_pipeline.healing.facts import Fact, SnapshotFact
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.storage.facts import fact_of, line_of

_LOG = logging.getLogger(__name__)

# What the catalog asks has room besides; a client with windows of its own asks any number.
MOST = 1_000

# Between so many lines the interpreter is given up, to the event loop that answers readers.
LINES_AT_A_TIME = 10


class LocalSnapshots:
    """Remembers the newest snapshot of every question, and writes them to one file.

    Processes with one state folder share the file: the last to write wins, and each writes what it
    read at its start too, so that little is lost by it.

    Parameters
    ----------
    path : Path
        Replaced as a whole, so that a reader never sees half of it.
    most : int
        Questions kept; past it the ones that were good longest ago are left out, a client's own
        windows first.
    """

    def __init__(self, path: Path, most: int = MOST) -> None:
        self._path = path
        self._newest = Bounded[SnapshotFact](most, lambda each: len(each.body))
        self._turn = threading.Lock()
        self._changed = False

    def note(self, fact: Fact) -> None:
        """Look at a fact that goes by; cheap."""
        if isinstance(fact, SnapshotFact):
            key = (fact.endpoint, fact.request_key)
            with self._turn:
                known = self._newest.get(key)
                newer = known is None or known.fetched_at <= fact.fetched_at
                self._newest.put(key, fact if newer or known is None else known)
                self._changed = True

    def read(self, newer_than: datetime) -> list[SnapshotFact]:
        """What an earlier process left; empty when there is nothing usable."""
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        found = []
        for line in lines:
            with suppress(ValueError):
                fact = fact_of(line)
                if isinstance(fact, SnapshotFact) and fact.fetched_at > newer_than:
                    Fidelity(fact.fidelity)  # a label that nobody gives is none
                    found.append(fact)
                    self.note(fact)
        return found

    def write(self) -> None:
        """Put on disk what has changed; a full disk costs the file, nothing else."""
        with self._turn:
            if not self._changed:
                return
            facts, self._changed = list(self._newest.values()), False
        name = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(
                "w", encoding="utf-8", dir=self._path.parent, prefix=self._path.name, delete=False
            ) as file:
                name = Path(file.name)
                for number, each in enumerate(facts):
                    if number % LINES_AT_A_TIME == 0:
                        sleep(0)
                    file.write(line_of(each) + "\n")
            os.replace(name, self._path)  # noqa: PTH105 (both names are on hand)
        except (OSError, ValueError, TypeError):
            _LOG.warning("snapshots cannot be kept in %s", self._path, exc_info=True)
            with self._turn:
                self._changed = True
            if name is not None:
                # On a full disk it would be the next thing in the way.
                with suppress(OSError):
                    name.unlink(missing_ok=True)
