"""A scenario as frozen values: who is watched, what readers do, what goes wrong when."""

from __future__ import annotations

from dataclasses import dataclass

from healing_pipeline.simulator.faults import Fault
from healing_pipeline.simulator.quotas import OFF, QuotaScale

DEFAULT_DURATION_S = 30.0

# What an answer may be called, the best first.
LABELS = ("exact", "stale", "coarser", "proxy")

# Calm after the last fault, so that recovery shows.
AFTER_LAST_FAULT_S = 4.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What readers do meanwhile: how many at once, how many requests a second together."""

    readers: int = 8
    requests_per_s: float = 40.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script of faults.

    Attributes
    ----------
    name, description : str
    sources : tuple of str
        Watched and read, in the order of the file.
    traffic : Traffic
    duration_s : float
    faults : tuple of Fault
        In the order of the file; the later one wins.
    quotas : QuotaScale
    accepts : tuple of str
        Labels that readers take; empty: those of each endpoint.
    mapped : tuple of str
        Of a scenario made from a history: what stands for what, a line each.
    """

    name: str
    sources: tuple[str, ...]
    description: str = ""
    traffic: Traffic = Traffic()
    duration_s: float = DEFAULT_DURATION_S
    faults: tuple[Fault, ...] = ()
    quotas: QuotaScale = OFF
    accepts: tuple[str, ...] = ()
    mapped: tuple[str, ...] = ()
