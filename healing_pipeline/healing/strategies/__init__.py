"""The strategies, a file each, in the order a plan tries them until learning knows better."""

from healing_pipeline.healing.strategies.exponential_backoff_retry import ExponentialBackoffRetry
from healing_pipeline.healing.strategies.reduce_request_size import ReduceRequestSize
from healing_pipeline.healing.strategies.use_cached_data import UseCachedData
from healing_pipeline.healing.strategy import Strategy

# Best label first: the exact data again, then fewer rows of it, then older data.
STRATEGIES: tuple[Strategy, ...] = (
    ExponentialBackoffRetry(),
    ReduceRequestSize(),
    UseCachedData(),
)

__all__ = ["STRATEGIES", "ExponentialBackoffRetry", "ReduceRequestSize", "UseCachedData"]
