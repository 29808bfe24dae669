"""What became of the facts that a recorder took."""

from __future__ import annotations

from dataclasses import dataclass


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
        Written to disk, to be replayed.
    superseded : int
        Snapshots that a newer one of the same question overtook before they were stored.
    dropped : int
        Lost: no fact that PostgreSQL would take (see ``rejected.jsonl``), or the disk was full.
    """

    recorded: int = 0
    stored: int = 0
    spooled: int = 0
    superseded: int = 0
    dropped: int = 0
