"""Changes with numbers: what a browser needs to go from one state of the page to the next.

A browser that has seen number 7 is sent 8, 9, ...; one that missed a number, or comes from another
process, is sent everything. Each message is written once, for all browsers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from healing_pipeline.web.dashboard.snapshot import Row

# A browser that was away for longer gets everything: that is less than what it missed.
MOST_KEPT = 400_000  # characters
Top = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """All that the overview shows.

    Attributes
    ----------
    top : Mapping
        What stands above the rows.
    rows : Mapping[str, Row]
        By endpoint id, and by name of source.
    """

    top: Top = field(default_factory=dict)
    rows: Mapping[str, Row] = field(default_factory=dict)


def difference(before: State, after: State) -> dict[str, Any]:
    """What changed; empty when nothing did. What there is once stays, empty at the least."""
    changed: dict[str, Any] = {}
    top = _changed(before.top, after.top)
    if top:
        changed["top"] = top
    rows = {}
    for name, row in after.rows.items():
        known = before.rows.get(name)
        if known is row:
            continue
        fields = _changed(known or {}, row)
        if fields:
            rows[name] = fields
    if rows:
        changed["rows"] = rows
    return changed


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in after.items() if before.get(name) != value}


class Changes:
    """The state as it is, and the last changes that led there. Written by one thread.

    Parameters
    ----------
    epoch : str
        Names this sequence of numbers: those of another process say nothing here.
    """

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        # Together, so that another thread never sees the one without the other.
        self._now: tuple[int, State] = (0, State())
        self._kept: deque[tuple[int, str]] = deque()
        self._kept_length = 0
        self._whole: tuple[int, str] | None = None

    @property
    def now(self) -> tuple[int, State]:
        """The state and its number."""
        return self._now

    def publish(self, after: State) -> str | None:
        """Take a state over; the message to everybody, or None when nothing changed."""
        seq, before = self._now
        changed = difference(before, after)
        if not changed:
            return None
        seq += 1
        message = orjson.dumps({"epoch": self.epoch, "seq": seq, **changed}).decode()
        self._kept.append((seq, message))
        self._kept_length += len(message)
        while self._kept_length > MOST_KEPT:
            self._kept_length -= len(self._kept.popleft()[1])
        self._now = (seq, after)
        return message

    def since(self, epoch: str, seq: int) -> list[str] | None:
        """The messages after number `seq`; None when they are not all kept."""
        newest = self._now[0]
        if epoch != self.epoch or not 0 <= seq <= newest:
            return None
        kept = [each for each in tuple(self._kept) if each[0] > seq]
        if seq < newest and (not kept or kept[0][0] != seq + 1):
            return None
        return [message for _, message in kept]

    def whole(self) -> str:
        """Everything, as one message."""
        seq, state = self._now
        known = self._whole
        if known is None or known[0] != seq:
            told = {"epoch": self.epoch, "seq": seq, "whole": True}
            message = orjson.dumps({**told, "top": state.top, "rows": state.rows}).decode()
            known = self._whole = (seq, message)
        return known[1]
