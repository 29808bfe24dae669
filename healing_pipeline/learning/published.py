"""What is believed of a strategy before anything was seen: success rates as weak priors.

They are judgements, each worth a single observation (`fitting.PRIOR_STRENGTH`), and only decide
what is tried first on the first day. A strategy that nobody has heard of gets `UNHEARD_OF`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Beta(1, 2): seen to fail once and to help never.
UNHEARD_OF = 1 / 3

PUBLISHED: Mapping[str, float] = MappingProxyType(
    {
        "exponential_backoff_retry": 0.60,
        "use_cached_data": 0.90,
        "reduce_request_size": 0.55,
        "etf_proxy": 0.70,
        "alternate_host": 0.75,
        "rotate_api_key": 0.80,
        "alternate_series": 0.70,
        "batch_requests": 0.65,
        "fallback_provider": 0.80,
        "use_daily_data": 0.75,
        "long_ttl_cache": 0.90,
        "refresh_session": 0.75,
        "hedged_request": 0.60,
    }
)


def published_rate(failure_class: str, strategy: str) -> float:
    """The success rate that a strategy is given credit for against a failure class, in (0, 1)."""
    del failure_class
    return PUBLISHED.get(strategy, UNHEARD_OF)
