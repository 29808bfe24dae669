"""What a body says, in one form for all providers: dated numbers about one instrument.

Two readings of the same thing by different providers compare equal here, which is what healing by
another provider, verification and the drill's score all need.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One number.

    Attributes
    ----------
    at : datetime
        Aware UTC. The start of a bar (midnight UTC of the date for a daily bar or a dated
        observation), the moment of a quote or of a rate table.
    field : str
        ``open``, ``high``, ``low``, ``close``, ``volume``, ``price``, ``value``, or a currency
        code in a rate table.
    value : float
        Finite.
    """

    at: datetime
    field: str
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers of one body.

    Attributes
    ----------
    instrument : str
        Upper case: ``AAPL``, ``DGS10``, the base currency ``USD``.
    interval : str
        ``1d``, ``5m``, ``1mo``, ... for a series of bars or observations; ``now`` for a quote
        or a rate table.
    points : tuple of Point
        Ascending by (at, field), at least one; rows the provider marked as missing are left out.
    as_of : datetime
        Aware UTC: the moment the newest number speaks of, as the provider states it. For bars the
        start of the newest bar unless the provider says more.
    """

    instrument: str
    interval: str
    points: tuple[Point, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that says nothing usable, and why."""

    evidence: str
