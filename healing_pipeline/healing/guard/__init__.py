"""What stands between a wish to ask and an upstream: breakers, quotas, budgets, shared calls."""

from healing_pipeline.healing.guard.breaker import BreakerRules
from healing_pipeline.healing.guard.guard import Guard
from healing_pipeline.healing.guard.retry_after import retry_after_s
from healing_pipeline.healing.guard.single_flight import Flights

__all__ = ["BreakerRules", "Flights", "Guard", "retry_after_s"]
