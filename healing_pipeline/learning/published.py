"""What is believed of a strategy before anything was seen: success rates as weak priors.

They are judgements of how a use of a strategy ends where it applies. They decide what is tried
first on the first day, and weigh little once something was seen (`pooled.PUBLISHED_STRENGTH`). A
strategy that nobody has heard of gets `UNHEARD_OF`.
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
"""Whatever was met."""

# A race has a way more than a retry and begins it sooner; after a call that was late, one more of
# the same is the least likely thing to help, and a smaller question the likelier one.
_LATE = MappingProxyType(
    {
        "hedged_request": 0.50,
        "reduce_request_size": 0.80,
        "exponential_backoff_retry": 0.08,
        "use_daily_data": 0.50,
    }
)
# Some of it passes within a second, and some does not.
_IN_TROUBLE = MappingProxyType({"exponential_backoff_retry": 0.50})

AGAINST: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "timeout": _LATE,
        "slow": _LATE,
        "network_error": _IN_TROUBLE,
        "server_error": _IN_TROUBLE,
        "invalid_data": _IN_TROUBLE,
        # What is empty is mostly so for longer than a request lasts.
        "empty": MappingProxyType({"exponential_backoff_retry": 0.10}),
        # It only applies where the session is what was refused.
        "auth_error": MappingProxyType({"refresh_session": 0.95}),
        # The keys of a pool mostly have one plan.
        "plan_limit": MappingProxyType({"rotate_api_key": 0.20}),
    }
)
"""Where what was met makes a difference: by failure class, then strategy."""

_NOTHING: Mapping[str, float] = MappingProxyType({})


def published_rate(failure_class: str, strategy: str) -> float:
    """The success rate that a strategy is given credit for against a failure class, in (0, 1)."""
    against = AGAINST.get(failure_class, _NOTHING).get(strategy)
    return PUBLISHED.get(strategy, UNHEARD_OF) if against is None else against
