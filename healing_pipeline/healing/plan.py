"""The order in which strategies are tried, with the reason for each one taken and left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from healing_pipeline.healing import weighing
from healing_pipeline.healing.strategy import Applicability, Situation, Strategy
from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.learning.rates import Considered

_CERTAIN: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fitted:
    """One strategy, and whether it fits."""

    strategy: Strategy
    applicability: Applicability


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be tried, first to last, and what will not.

    Attributes
    ----------
    steps : tuple of Fitted
        Applicable, in the order of trying.
    left_out : tuple of Fitted
        With the reason.
    weights : tuple of Considered
        What decided the order: one for each step.
    budget_s : float
        Seconds that were left.
    belief : Mapping[str, float]
        Probability that what a step depends on is up, where it is below 1.
    failed : tuple of str
        What had been tried for the request before.
    """

    steps: tuple[Fitted, ...]
    left_out: tuple[Fitted, ...]
    weights: tuple[Considered, ...] = ()
    budget_s: float = 0.0
    belief: Mapping[str, float] = field(default_factory=dict)
    failed: tuple[str, ...] = ()

    def written(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return weighing.written(
            self.weights,
            {each.strategy.name: each.applicability.because for each in self.steps},
            [(each.strategy.name, each.applicability.because) for each in self.left_out],
            self.belief,
            self.failed,
        )


def make_plan(
    situation: Situation,
    strategies: Sequence[Strategy],
    policy: Policy = EMPTY,
    *,
    belief: Mapping[str, float] = _CERTAIN,
    failed: Sequence[str] = (),
) -> Plan:
    """Keep the strategies that fit, in the order in which the policy would try them.

    Parameters
    ----------
    belief : Mapping[str, float]
        Probability that what a strategy depends on is up, by name; 1 where it is not named. It
        moves a strategy back and leaves none out.
    failed : sequence of str
        What was tried for this request already.
    """
    considered = [Fitted(each, each.applies(situation)) for each in strategies]
    fitting = {each.strategy.name: each for each in considered if each.applicability.ok}
    choice, order = weighing.weighed(
        situation.endpoint.source,
        situation.failure.failure_class,
        [each.strategy for each in fitting.values()],
        situation.remaining_s,
        policy=policy,
        belief=belief,
        failed=failed,
    )
    return Plan(
        steps=tuple(fitting[each.strategy] for each in order),
        left_out=tuple(each for each in considered if not each.applicability.ok),
        weights=tuple(order),
        budget_s=choice.budget_s,
        belief={name: up for name, up in belief.items() if name in fitting and up < 1.0},
        failed=tuple(failed),
    )
