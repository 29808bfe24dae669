"""The order in which strategies are tried, until learning knows better: one row per failure class.

Best label first: the data itself, then older, then coarser, then another instrument. Among equals,
what is most likely to help by one call. A row is no promise: each strategy still says by itself
whether it fits, and a request has calls for two or three of them, so what costs none follows early.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategy import Strategy
from healing_pipeline.probing.failure_class import FailureClass

_STORED = ("use_cached_data", "long_ttl_cache")
_OTHERS_IN_ITS_PLACE = ("alternate_series", "etf_proxy")

_HOST_TROUBLE = (
    "alternate_host",
    "fallback_provider",
    "exponential_backoff_retry",
    *_STORED,
    "use_daily_data",
    *_OTHERS_IN_ITS_PLACE,
)
# A race has a way more than a retry, and begins it sooner; after both of its calls were late, one
# more of the same is the least likely thing to help.
_LATENESS = (
    "alternate_host",
    "fallback_provider",
    "hedged_request",
    *_STORED,
    "reduce_request_size",
    "exponential_backoff_retry",
    "use_daily_data",
    *_OTHERS_IN_ITS_PLACE,
)
# Nobody has it where it was asked for; another provider may.
_NOT_THERE = ("fallback_provider", *_STORED, "use_daily_data", *_OTHERS_IN_ITS_PLACE)

ORDER: Mapping[FailureClass, tuple[str, ...]] = MappingProxyType(
    {
        FailureClass.OK: (),
        FailureClass.BAD_REQUEST: (),
        FailureClass.TIMEOUT: _LATENESS,
        FailureClass.SLOW: _LATENESS,
        FailureClass.NETWORK_ERROR: _HOST_TROUBLE,
        FailureClass.SERVER_ERROR: _HOST_TROUBLE,
        FailureClass.INVALID_DATA: _HOST_TROUBLE,
        FailureClass.RATE_LIMIT: (
            "rotate_api_key",
            "alternate_host",
            "batch_requests",
            *_NOT_THERE,
        ),
        FailureClass.QUOTA_EXHAUSTED: (
            "rotate_api_key",
            "alternate_host",
            "fallback_provider",
            *_STORED,
        ),
        FailureClass.BOT_BLOCK: ("fallback_provider", *_STORED),
        FailureClass.AUTH_ERROR: (
            "refresh_session",
            "rotate_api_key",
            "alternate_host",
            "fallback_provider",
            *_STORED,
        ),
        # The keys of a pool mostly have one plan, so another provider comes first.
        FailureClass.PLAN_LIMIT: ("fallback_provider", "rotate_api_key", *_NOT_THERE[1:]),
        FailureClass.NOT_FOUND: _NOT_THERE,
        FailureClass.EMPTY: (
            "alternate_host",
            "fallback_provider",
            *_STORED,
            "exponential_backoff_retry",
            "use_daily_data",
            *_OTHERS_IN_ITS_PLACE,
        ),
        FailureClass.STALE_DATA: ("alternate_host", *_NOT_THERE),
    }
)


_NAMED = frozenset(name for row in ORDER.values() for name in row)


def in_order(failure: FailureClass, strategies: Iterable[Strategy]) -> tuple[Strategy, ...]:
    """`strategies` as they are tried after `failure`; ours that its row leaves out come last.

    A strategy of another package is in no row. It was made for somebody's own case, so it comes
    before ours of the label that it may end with, and a proxy behind everything.
    """
    row = {name: place for place, name in enumerate(ORDER[failure])}
    end = len(row)
    stored = row.get(_STORED[0], end)
    before = {
        Fidelity.EXACT: 0,
        Fidelity.STALE: stored,
        Fidelity.COARSER: row.get(_STORED[-1], end - 1) + 1,
        Fidelity.PROXY: end,
    }

    def place(strategy: Strategy) -> tuple[int, bool]:
        if strategy.name in _NAMED:
            return row.get(strategy.name, end + 1), True
        return before[strategy.cost.worst], False

    return tuple(sorted(strategies, key=place))
