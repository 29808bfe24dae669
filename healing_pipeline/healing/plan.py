"""The order in which strategies are tried, with the reason for each one taken and left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from healing_pipeline.healing.strategies.order import in_order
from healing_pipeline.healing.strategy import Applicability, Situation, Strategy


@dataclass(frozen=True, slots=True)
class Considered:
    """One strategy, and whether it fits."""

    strategy: Strategy
    applicability: Applicability


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be tried, first to last, and what will not.

    Attributes
    ----------
    steps : tuple of Considered
        Applicable, in the order of trying.
    left_out : tuple of Considered
        With the reason.
    """

    steps: tuple[Considered, ...]
    left_out: tuple[Considered, ...]


def make_plan(situation: Situation, strategies: Sequence[Strategy]) -> Plan:
    """Keep the strategies that fit, in the order that suits the failure.

    Notes
    -----
    The order is fixed by failure class (`strategies.order`): it does not look at what worked
    before.
    """
    ordered = in_order(situation.failure.failure_class, strategies)
    considered = [Considered(each, each.applies(situation)) for each in ordered]
    return Plan(
        steps=tuple(each for each in considered if each.applicability.ok),
        left_out=tuple(each for each in considered if not each.applicability.ok),
    )
