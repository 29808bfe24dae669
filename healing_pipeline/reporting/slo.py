"""Service levels: of readers' requests the answered ones, what may still fail, how fast it goes.

The indicator (SLI) is the share of readers' requests that ended with an accepted answer, of all
readers' requests: a healed fault costs nothing of the budget. Where nobody asked, nothing is known,
and nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

# Over which spans the burn rate is told; those of the multi-window rule, SRE workbook chapter 5.
BURN_SPANS: Mapping[str, timedelta] = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "3d": timedelta(days=3),
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Readers' requests over some time.

    Attributes
    ----------
    requests : int
    reader_errors : int
        Of those, the ones without an accepted answer.
    met_fault : int
        Of those, the ones whose first attempt met a healable failure.
    healed : int
        Of those, the answered ones.
    """

    requests: int = 0
    reader_errors: int = 0
    met_fault: int = 0
    healed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.requests + other.requests,
            self.reader_errors + other.reader_errors,
            self.met_fault + other.met_fault,
            self.healed + other.healed,
        )

    @property
    def error_rate(self) -> float | None:
        """Without an answer, of all; None when nobody asked."""
        return self.reader_errors / self.requests if self.requests else None

    @property
    def healing_rate(self) -> float | None:
        """Answered, of those that met a healable failure; None when none did."""
        return self.healed / self.met_fault if self.met_fault else None


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """How one source stands against its objective over a window.

    Attributes
    ----------
    sli : float or None
        Answered requests, of all; None when nobody asked.
    budget : float
        Requests of the window that may fail; need not be whole.
    budget_left : float or None
        The share of the budget that is not used up; below 0 when more failed than may. None where
        there is no budget: nobody asked, or nothing may fail.
    is_met : bool or None
        None when nobody asked.
    burn : Mapping[str, float or None]
        By name of a span of `BURN_SPANS`: how many times faster than the objective allows the
        budget goes. None when nobody asked in that span, or when nothing may fail.
    burn_requests : Mapping[str, int]
        By the same names, of how many requests that is known.
    """

    source: str
    objective: float
    counts: Counts
    sli: float | None
    budget: float
    budget_left: float | None
    is_met: bool | None
    burn: Mapping[str, float | None]
    burn_requests: Mapping[str, int]


def service_level(
    source: str, objective: float, counts: Counts, spans: Mapping[str, Counts]
) -> ServiceLevel:
    """Hold what was counted against an objective.

    Parameters
    ----------
    objective : float
        Share of requests that have to be answered, above 0, at most 1.
    counts : Counts
        Of the window.
    spans : Mapping[str, Counts]
        Of the spans of `BURN_SPANS`, each up to now; a missing one counts as empty.
    """
    if not 0.0 < objective <= 1.0:
        raise ValueError(f"objective is {objective}; it must lie above 0 and be at most 1")
    sli = None if counts.error_rate is None else 1.0 - counts.error_rate
    # Said of whole requests, so that 1 of 100 meets 99 % whatever binary fractions make of it.
    budget = round((1.0 - objective) * counts.requests, 9)
    known = {name: spans.get(name, Counts()) for name in BURN_SPANS}
    return ServiceLevel(
        source=source,
        objective=objective,
        counts=counts,
        sli=sli,
        budget=budget,
        budget_left=1.0 - counts.reader_errors / budget if budget > 0 else None,
        is_met=None if sli is None else counts.reader_errors <= budget,
        burn={name: burn_rate(each, objective) for name, each in known.items()},
        burn_requests={name: each.requests for name, each in known.items()},
    )


def burn_rate(counts: Counts, objective: float) -> float | None:
    """How many times faster than `objective` allows the budget goes; 1 uses it up exactly.

    None when nobody asked, or when nothing may fail.
    """
    allowed = round(1.0 - objective, 12)
    if counts.error_rate is None or allowed <= 0:
        return None
    return counts.error_rate / allowed


def total(counts: Iterable[Counts]) -> Counts:
    """All together."""
    return sum(counts, Counts())
