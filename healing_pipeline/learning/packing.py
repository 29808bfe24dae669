"""Which strategies to try inside a budget: pack it, and sort by success per second only then.

Sorting by p / c alone spends a hard budget badly: a cheap long shot may leave no room for what
would have helped. So the set that most likely heals within the budget is packed first (a 0/1
knapsack on ``-log(1 - p)``), and sorted by p / c only then: the same set, the least expected time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

# The budget is packed in so many equal parts: finer than anybody knows what a call will take.
PARTS = 30

# A certain success would be worth infinitely much, and nothing is certain.
MOST = 1.0 - 1e-6


def packed(rates: Sequence[float], seconds: Sequence[float], budget_s: float) -> list[int]:
    """Which strategies make success most likely within a budget.

    Parameters
    ----------
    rates : sequence of float
        Probability of success of each, 0 to 1, taken to be independent.
    seconds : sequence of float
        What each is expected to take, >= 0.
    budget_s : float

    Returns
    -------
    list of int
        Indices of the chosen, ascending. Seconds are rounded to the nearest of `PARTS` parts of the
        budget, so the chosen may exceed it by a part or so.

    Notes
    -----
    Maximises ``1 - prod(1 - p)`` subject to ``sum(c) <= budget``, which is a 0/1 knapsack with
    value ``-log(1 - p)``; exact but for the rounding.
    """
    if budget_s <= 0:
        return []
    unit = budget_s / PARTS
    free, items = [], []
    for index, (rate, cost) in enumerate(zip(rates, seconds, strict=True)):
        if rate <= 0:
            continue
        weight = int(cost / unit + 0.5)
        if weight == 0:
            free.append(index)
        elif weight <= PARTS:
            items.append((index, weight, -math.log(1.0 - min(rate, MOST))))
    if sum(weight for _, weight, _ in items) <= PARTS:
        return sorted([*free, *(index for index, _, _ in items)])
    best = [0.0] * (PARTS + 1)
    chosen = [0] * (PARTS + 1)
    for index, weight, value in items:
        bit = 1 << index
        for room in range(PARTS, weight - 1, -1):
            with_it = best[room - weight] + value
            if with_it > best[room]:
                best[room] = with_it
                chosen[room] = chosen[room - weight] | bit
    taken = chosen[PARTS]
    return sorted([*free, *(index for index, _, _ in items if taken >> index & 1)])
