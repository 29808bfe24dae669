"""What became of the facts that a recorder took."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of the facts so far.

    Attributes
    ----------
    recorded : int
        Taken from callers.
    stored : int
        Confirmed by PostgreSQL, those replayed from a spool included.
    spooled : int
        Left on disk, to be replayed.
    superseded : int
        Snapshots that a newer one of the same question overtook before they were stored.
    dropped : int
        Lost: no fact that PostgreSQL would take (see ``rejected.jsonl``), or there was no room.
    no_room : Mapping
        Of the dropped, those for which there was no room, by kind: ``snapshot``, ``decision``,
        ``attempt`` and so on. Also what an earlier process had left on disk.
    """

    recorded: int = 0
    stored: int = 0
    spooled: int = 0
    superseded: int = 0
    dropped: int = 0
    no_room: Mapping[str, int] = field(default_factory=dict)


class Tally:
    """Counts; for any thread."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._no_room: Counter[str] = Counter()

    @property
    def counters(self) -> Counters:
        """The counts so far."""
        with self._turn:
            return Counters(**self._counts, no_room=dict(self._no_room))

    def add(self, what: str, number: int = 1) -> None:
        """Count under one of the names of `Counters`."""
        with self._turn:
            self._counts[what] += number

    def add_no_room(self, kinds: Counter[str]) -> None:
        """Count facts that were dropped because there was no room, by kind, and say so."""
        if not kinds:
            return
        _LOG.error("no room for facts, these are dropped: %s", dict(kinds))
        with self._turn:
            self._no_room += kinds
            self._counts["dropped"] += kinds.total()
