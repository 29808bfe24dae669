"""The values of a policy: what is known of a strategy, and how one was weighed against others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rate:
    """What is known of one strategy against one failure class.

    Attributes
    ----------
    p : float
        Probability that it heals, 0 to 1: a posterior mean.
    tries : int
        Attempts that were seen, late ones included.
    seconds : float or None
        Mean seconds of an attempt; None where none was seen.
    exact : float or None
        Share of its healed answers that were exact; None where none was seen.
    """

    p: float
    tries: int = 0
    seconds: float | None = None
    exact: float | None = None


@dataclass(frozen=True, slots=True)
class Parameters:
    """What was learned of one source as a whole; None where too little was seen.

    Attributes
    ----------
    retry_delay_s : float or None
        The delay before a retry that heals most per second.
    timeout_s : float or None
        A time limit that nearly all good calls keep.
    """

    retry_delay_s: float | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Considered:
    """One candidate as it was weighed.

    Attributes
    ----------
    p : float
        Probability of healing that was used: learned x belief x what others' failures say.
    learned : float
        The policy's own rate before belief.
    layer : str
        Where that came from: ``inner``, ``outer``, ``anywhere`` or ``published``.
    tries : int
        Attempts behind it in that layer.
    seconds : float
        Expected seconds of an attempt.
    loss_s : float
        What its label loses, in seconds of waiting.
    score : float
        ``p / (seconds + loss_s)``.
    packed : bool
        Whether it is in the set that fits the budget.
    """

    strategy: str
    p: float
    learned: float
    layer: str
    tries: int
    seconds: float
    loss_s: float
    score: float
    packed: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """All candidates in the order of trying, with what decided it."""

    source: str
    failure_class: str
    budget_s: float
    considered: tuple[Considered, ...]

    @property
    def order(self) -> list[str]:
        """The strategies, first to last."""
        return [each.strategy for each in self.considered]


class Belief(Protocol):
    """What is believed now of what strategies depend on."""

    def up(self, source: str, strategy: str) -> float:
        """Probability that all a strategy needs is up, 0 to 1."""
        ...


Rates = Mapping[str, Rate]
