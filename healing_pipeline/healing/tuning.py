"""What was learned of a source as a whole, laid over the parameters that we declare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from healing_pipeline.healing.strategies.exponential_backoff_retry import ExponentialBackoffRetry
from healing_pipeline.healing.strategy import Strategy
from healing_pipeline.learning.rates import Parameters

# What nearly all good calls of a quick source keep would cut off the rest at any hiccup.
LEAST_TIMEOUT_S = 0.25

# A first delay beyond this leaves no room for the calls in a reader's deadline of 3 s.
LONGEST_DELAY_S = 1.0


def tuned(strategies: Sequence[Strategy], learned: Parameters | None) -> tuple[Strategy, ...]:
    """The strategies with what was learned of their parameters at one source."""
    if learned is None or learned.retry_delay_s is None:
        return tuple(strategies)
    delay_s = min(max(learned.retry_delay_s, 0.0), LONGEST_DELAY_S)
    return tuple(
        replace(each, first_delay_s=delay_s) if isinstance(each, ExponentialBackoffRetry) else each
        for each in strategies
    )


def time_limit_s(declared_s: float, learned: Parameters | None) -> float:
    """The time limit of a plain call: as learned, never above the declared one."""
    if learned is None or learned.timeout_s is None:
        return declared_s
    return min(declared_s, max(learned.timeout_s, LEAST_TIMEOUT_S))
