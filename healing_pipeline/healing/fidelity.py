"""How close an answer is to what was asked: four labels, worst one wins."""

from __future__ import annotations

from enum import StrEnum


class Fidelity(StrEnum):
    """The honest label of an answer, best first."""

    EXACT = "exact"
    STALE = "stale"
    COARSER = "coarser"
    PROXY = "proxy"


DEFAULT_ACCEPTS = frozenset({Fidelity.EXACT, Fidelity.STALE, Fidelity.COARSER})
