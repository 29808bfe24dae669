"""What is kept of a state that a source has left and comes back to: A, then B, then A."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from healing_world.contenders import packed_first
from healing_world.race import Outcome
from healing_world.world import BUDGET_S, DAY_H, Nature, Trace

Array = np.ndarray[Any, Any]

DAYS = 28.0
EARLY = 8

DEFINITION = (
    "A -> B -> A, 28 days each; every source and every failure class changes. gap = how much "
    "likelier the best first attempt heals than the one that was made. retention = 1 - (gap on "
    "return - steady gap) / (gap on first meeting B - steady gap), each over the first 8 failures "
    "of every (source, class), steady = the second half of the first A. 1: as if never left; 0: as "
    "bad as something new."
)


@dataclass(frozen=True, slots=True)
class Retention:
    """Mean gaps, and what follows from them."""

    steady: float
    meeting: float
    returning: float

    @property
    def value(self) -> float:
        """What is kept: 1 all, 0 nothing; less where coming back is worse than something new."""
        return 1.0 - (self.returning - self.steady) / (self.meeting - self.steady)


def nature_of(nature: Nature) -> Nature:
    """The same world, going there and back."""
    return replace(nature, weeks=12, newcomers=0, there_and_back_days=DAYS, drift=0.0)


def retention(trace: Trace, outcome: Outcome) -> Retention:
    """Measure it on a trace of `nature_of`, from what a contender picked first."""
    phase = (trace.at_h // (DAYS * DAY_H)).astype(int)
    best = np.array([_best(trace, event) for event in range(len(trace))])
    rows = np.arange(len(trace))
    gap = trace.p[rows, best] - trace.p[rows, outcome.picked]
    nth = _nth(trace, phase)
    return Retention(
        steady=float(gap[(phase == 0) & (trace.at_h > DAYS * DAY_H / 2)].mean()),
        meeting=float(gap[(phase == 1) & (nth < EARLY)].mean()),
        returning=float(gap[(phase == 2) & (nth < EARLY)].mean()),
    )


def _best(trace: Trace, event: int) -> int:
    have = np.flatnonzero(trace.mask[event])
    place = packed_first(trace.p[event, have].tolist(), trace.expected_s[have].tolist(), BUDGET_S)
    return int(have[place])


def _nth(trace: Trace, phase: Array) -> Array:
    seen: Counter[tuple[int, int, int]] = Counter()
    nth = np.empty(len(trace), int)
    for event, key in enumerate(
        zip(trace.source.tolist(), trace.error.tolist(), phase.tolist(), strict=True)
    ):
        nth[event] = seen[key]
        seen[key] += 1
    return nth
