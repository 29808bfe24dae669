"""The strategies, a file each; a plan orders them by what was learned."""

from healing_pipeline.healing.strategies.alternate_host import AlternateHost
from healing_pipeline.healing.strategies.alternate_series import AlternateSeries
from healing_pipeline.healing.strategies.batch_requests import BatchRequests
from healing_pipeline.healing.strategies.etf_proxy import EtfProxy
from healing_pipeline.healing.strategies.exponential_backoff_retry import ExponentialBackoffRetry
from healing_pipeline.healing.strategies.fallback_provider import FallbackProvider
from healing_pipeline.healing.strategies.hedged_request import HedgedRequest
from healing_pipeline.healing.strategies.long_ttl_cache import LongTtlCache
from healing_pipeline.healing.strategies.reduce_request_size import ReduceRequestSize
from healing_pipeline.healing.strategies.refresh_session import RefreshSession
from healing_pipeline.healing.strategies.rotate_api_key import RotateApiKey
from healing_pipeline.healing.strategies.use_cached_data import UseCachedData
from healing_pipeline.healing.strategies.use_daily_data import UseDailyData
from healing_pipeline.healing.strategy import Strategy

# Ours; `registry.all_strategies` adds those of other packages.
STRATEGIES: tuple[Strategy, ...] = (
    RefreshSession(),
    AlternateHost(),
    RotateApiKey(),
    BatchRequests(),
    FallbackProvider(),
    HedgedRequest(),
    ExponentialBackoffRetry(),
    UseCachedData(),
    LongTtlCache(),
    ReduceRequestSize(),
    UseDailyData(),
    AlternateSeries(),
    EtfProxy(),
)

__all__ = [
    "STRATEGIES",
    "AlternateHost",
    "AlternateSeries",
    "BatchRequests",
    "EtfProxy",
    "ExponentialBackoffRetry",
    "FallbackProvider",
    "HedgedRequest",
    "LongTtlCache",
    "ReduceRequestSize",
    "RefreshSession",
    "RotateApiKey",
    "UseCachedData",
    "UseDailyData",
]
