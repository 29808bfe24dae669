"""When readers ask, and for what: drawn from the seed alone, so that two drills ask alike.

Open loop: a request goes out when its time has come, however long others take. A closed loop would
ask less exactly when upstreams are slow, and flatter the result.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """One reader's request to come.

    Attributes
    ----------
    at_s : float
        Seconds from the start of the drill.
    """

    at_s: float
    endpoint: str


def arrivals(
    endpoints: Sequence[str], requests_per_s: float, duration_s: float, seed: int
) -> tuple[Arrival, ...]:
    """Draw a Poisson stream of requests over `endpoints`, each as likely as any other.

    Parameters
    ----------
    endpoints : sequence of str
        At least one.
    requests_per_s : float
        Mean rate of all readers together, > 0.
    duration_s : float
        Nothing is asked later than this.
    seed : int

    Returns
    -------
    tuple of Arrival
        Ascending in time.
    """
    rng = random.Random(f"arrivals:{seed}")  # noqa: S311 (a schedule, not a secret)  # nosec B311
    drawn = []
    at_s = rng.expovariate(requests_per_s)
    while at_s < duration_s:
        drawn.append(Arrival(at_s, rng.choice(endpoints)))
        at_s += rng.expovariate(requests_per_s)
    return tuple(drawn)
