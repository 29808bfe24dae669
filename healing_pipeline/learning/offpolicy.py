"""Whether a new policy would have done worse than the old one on the events of a day.

A safety check before publication, off-policy: the events were handled under some order, and both
policies are asked for theirs. What an event tells of a strategy is used where it was tried; where
it was not, the day's own rate stands in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.learning.rates import Rate

if TYPE_CHECKING:
    import pandas as pd

# A reader's deadline.
BUDGET_S = 3.0

# What the eye would not see in a week's figures is no reason to stop learning.
LEAST_LOSS = 0.01
STANDARD_ERRORS = 2.0

# Below this there is no headroom to have a share of.
LEAST_ROOM = 1e-3


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two policies on the same events.

    Attributes
    ----------
    events : int
        Failures that were replayed.
    value_new, value_old : float or None
        Mean chance to heal within the budget; None without events.
    standard_error : float or None
        Of ``value_new - value_old``, paired; None without events.
    value_floor, value_ceiling : float or None
        The same chance without learning (the published rates), and in hindsight (the rates that the
        day itself had); None without events.
    """

    events: int
    value_new: float | None = None
    value_old: float | None = None
    standard_error: float | None = None
    value_floor: float | None = None
    value_ceiling: float | None = None

    @property
    def headroom(self) -> float | None:
        """Where the new one stands between no learning (0) and hindsight (1).

        None without events, and where no order could have been better than the published one. It
        may leave [0, 1]: hindsight sees rates, not the outcome of each event.
        """
        if self.value_new is None or self.value_floor is None or self.value_ceiling is None:
            return None
        room = self.value_ceiling - self.value_floor
        return (self.value_new - self.value_floor) / room if room > LEAST_ROOM else None

    @property
    def is_worse(self) -> bool:
        """Whether the new one is worse by more than a point and by more than chance."""
        if self.value_new is None or self.value_old is None or self.standard_error is None:
            return False
        return self.value_old - self.value_new > max(
            LEAST_LOSS, STANDARD_ERRORS * self.standard_error
        )

    @property
    def reason(self) -> str:
        """The finding in a sentence."""
        if self.value_new is None or self.value_old is None or self.standard_error is None:
            return "no failure in the last day to hold it against"
        return (
            f"on the last day's {self.events} failures it would heal {self.value_new:.1%}, the "
            f"one before {self.value_old:.1%} (standard error of the difference "
            f"{self.standard_error:.1%})"
        )


@dataclass(slots=True)
class _Sum:
    """What the day says of one strategy against one failure class of one source."""

    tries: int = 0
    healed: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return (self.healed + 0.5) / (self.tries + 1.0)

    @property
    def mean_s(self) -> float:
        return self.seconds / self.tries


_Kind: TypeAlias = tuple[str, str]
_Day: TypeAlias = Mapping[_Kind, Mapping[str, _Sum]]


def compare(
    new: Policy, old: Policy, attempts: pd.DataFrame, budget_s: float = BUDGET_S
) -> Comparison:
    """Replay a day's failures under two policies.

    Parameters
    ----------
    new, old : Policy
    attempts : DataFrame
        ``event_id, source, failure_class, strategy, healed, seconds``, of one day.
    budget_s : float
        What an event's attempts may take together.

    Returns
    -------
    Comparison

    Notes
    -----
    The candidates of an event are all that was tried that day against its kind (source and failure
    class), each at its mean seconds of that day. The value of an order is the chance that one of
    the strategies begun and ended within the budget heals, taking them to be independent. What
    nobody tried that day is not judged, so an untried strategy counts neither for nor against.
    """
    day: dict[_Kind, dict[str, _Sum]] = {}
    events: dict[tuple[str, _Kind], dict[str, bool]] = {}
    columns = ("event_id", "source", "failure_class", "strategy", "healed", "seconds")
    for event_id, source, failure_class, strategy, healed, seconds in zip(
        *(attempts[each].tolist() for each in columns), strict=True
    ):
        kind = (source, failure_class)
        known = day.setdefault(kind, {}).setdefault(strategy, _Sum())
        known.tries += 1
        known.healed += bool(healed)
        known.seconds += seconds
        outcomes = events.setdefault((event_id, kind), {})
        outcomes[strategy] = outcomes.get(strategy, False) or bool(healed)
    if not events:
        return Comparison(0)
    orders = [
        {kind: _within(policy, kind, sums, budget_s) for kind, sums in day.items()}
        for policy in (new, old, EMPTY, _hindsight(day))
    ]
    values = [
        [_value(orders_of[kind], outcomes, day[kind]) for (_, kind), outcomes in events.items()]
        for orders_of in orders
    ]
    return _compared(*values)


def _hindsight(day: _Day) -> Policy:
    """What somebody would have done who knew the day's rates beforehand."""
    return Policy(
        inner=MappingProxyType(
            {
                kind: MappingProxyType({name: Rate(known.rate) for name, known in sums.items()})
                for kind, sums in day.items()
            }
        )
    )


def _within(
    policy: Policy, kind: _Kind, sums: Mapping[str, _Sum], budget_s: float
) -> Sequence[str]:
    """What a policy would try against a kind of failure before the budget is spent."""
    seconds = {strategy: known.mean_s for strategy, known in sorted(sums.items())}
    tried: list[str] = []
    left = budget_s
    for strategy in policy.order(*kind, seconds, budget_s):
        left -= seconds[strategy]
        if left < 0:
            break
        tried.append(strategy)
    return tried


def _value(order: Sequence[str], outcomes: Mapping[str, bool], sums: Mapping[str, _Sum]) -> float:
    lost = 1.0
    for strategy in order:
        lost *= 1.0 - (float(outcomes[strategy]) if strategy in outcomes else sums[strategy].rate)
    return 1.0 - lost


def _compared(
    new: Sequence[float], old: Sequence[float], floor: Sequence[float], ceiling: Sequence[float]
) -> Comparison:
    count = len(new)
    differences = [a - b for a, b in zip(new, old, strict=True)]
    mean = math.fsum(differences) / count
    variance = math.fsum((each - mean) ** 2 for each in differences) / max(count - 1, 1)
    return Comparison(
        events=count,
        value_new=math.fsum(new) / count,
        value_old=math.fsum(old) / count,
        standard_error=math.sqrt(variance / count),
        value_floor=math.fsum(floor) / count,
        value_ceiling=math.fsum(ceiling) / count,
    )
