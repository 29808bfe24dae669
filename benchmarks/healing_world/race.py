"""One trace, played to one contender: it orders, the world answers, it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from healing_world.world import BUDGET_S, Trace

Array = np.ndarray[Any, Any]


class Attempt(NamedTuple):
    """One use of a strategy, as a contender is told of it."""

    at_h: float
    event: int
    number: int
    source: int
    error: int
    strategy: int
    healed: bool
    seconds: float
    late: bool


class Contender(Protocol):
    """Whoever orders strategies.

    Attributes
    ----------
    goes_on : bool
        Whether it finishes a cascade after the deadline, to learn from it.
    refit_h : float
        It is told what happened at every multiple of this.
    """

    name: str
    goes_on: bool
    refit_h: float

    def learn(self, attempts: Sequence[Attempt], now_h: float) -> None:
        """What happened since the last time."""
        ...

    def first(self, event: int, candidates: Sequence[int], budget_s: float, at_h: float) -> int:
        """The strategy to try next, of those left."""
        ...

    def saw(self, event: int, strategy: int, healed: bool, at_h: float) -> None:
        """What the last one did, at once."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each event; arrays of shape (events,).

    Attributes
    ----------
    healed : inside the budget. first : by the first strategy.
    picked : the first strategy. tries : attempts inside the budget. waited_s : seconds spent.
    """

    healed: Array
    first: Array
    picked: Array
    tries: Array
    waited_s: Array


def race(trace: Trace, contender: Contender) -> Outcome:
    """Play a trace to a contender."""
    many = len(trace)
    healed, first = np.zeros(many, bool), np.zeros(many, bool)
    picked, tries = np.full(many, -1), np.zeros(many, int)
    waited = np.zeros(many)
    news: list[Attempt] = []
    period = -1
    source, error = trace.source.tolist(), trace.error.tolist()
    for event, at_h in enumerate(trace.at_h.tolist()):
        if int(at_h / contender.refit_h) != period:
            period = int(at_h / contender.refit_h)
            contender.learn(news, period * contender.refit_h)
            news = []
        left = np.flatnonzero(trace.mask[event]).tolist()
        budget, number = BUDGET_S, 0
        while left:
            strategy = contender.first(event, left, max(budget, 0.0), at_h)
            left.remove(strategy)
            number += 1
            if number == 1:
                picked[event] = strategy
            seconds = float(trace.seconds[event, strategy])
            heals = bool(trace.heals[event, strategy])
            in_time = seconds <= budget
            if not in_time and not contender.goes_on:
                # Cut off by the deadline: it did not heal, and nobody knows whether it would have.
                news.append(
                    Attempt(
                        at_h,
                        event,
                        number,
                        source[event],
                        error[event],
                        strategy,
                        False,
                        max(budget, 0.0),
                        False,
                    )
                )
                waited[event] = BUDGET_S
                break
            news.append(
                Attempt(
                    at_h,
                    event,
                    number,
                    source[event],
                    error[event],
                    strategy,
                    heals,
                    seconds,
                    not in_time,
                )
            )
            contender.saw(event, strategy, heals, at_h)
            if in_time:
                budget -= seconds
                tries[event] += 1
                waited[event] += seconds
                if heals:
                    healed[event] = True
                    first[event] = number == 1
            else:
                budget = 0.0
                waited[event] = BUDGET_S
            if heals:
                break
    return Outcome(healed, first, picked, tries, waited)
