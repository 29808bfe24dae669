"""The order that was fixed before anything was learned, by failure class.

Best label first: the data itself, then older, then coarser, then another instrument. Among equals,
what is most likely to help by one call. A request has calls for two or three, so what costs none
follows early.
"""

from __future__ import annotations

from healing_pipeline.probing.failure_class import FailureClass

STORED = ("use_cached_data", "long_ttl_cache")
OTHERS_IN_ITS_PLACE = ("alternate_series", "etf_proxy")
HOST_TROUBLE = (
    "alternate_host",
    "fallback_provider",
    "exponential_backoff_retry",
    *STORED,
    "use_daily_data",
    *OTHERS_IN_ITS_PLACE,
)
LATENESS = (
    "alternate_host",
    "fallback_provider",
    "hedged_request",
    *STORED,
    "reduce_request_size",
    "exponential_backoff_retry",
    "use_daily_data",
    *OTHERS_IN_ITS_PLACE,
)
# Nobody has it where it was asked for; another provider may.
NOT_THERE = ("fallback_provider", *STORED, "use_daily_data", *OTHERS_IN_ITS_PLACE)

ORDER: dict[FailureClass, tuple[str, ...]] = {
    FailureClass.OK: (),
    FailureClass.BAD_REQUEST: (),
    FailureClass.TIMEOUT: LATENESS,
    FailureClass.SLOW: LATENESS,
    FailureClass.NETWORK_ERROR: HOST_TROUBLE,
    FailureClass.SERVER_ERROR: HOST_TROUBLE,
    FailureClass.INVALID_DATA: HOST_TROUBLE,
    FailureClass.RATE_LIMIT: ("rotate_api_key", "alternate_host", "batch_requests", *NOT_THERE),
    FailureClass.QUOTA_EXHAUSTED: (
        *("rotate_api_key", "alternate_host", "fallback_provider", *STORED),
    ),
    FailureClass.BOT_BLOCK: ("fallback_provider", *STORED),
    FailureClass.AUTH_ERROR: (
        *("refresh_session", "rotate_api_key", "alternate_host", "fallback_provider", *STORED),
    ),
    FailureClass.PLAN_LIMIT: ("fallback_provider", "rotate_api_key", *NOT_THERE[1:]),
    FailureClass.NOT_FOUND: NOT_THERE,
    FailureClass.EMPTY: (
        "alternate_host",
        "fallback_provider",
        *STORED,
        "exponential_backoff_retry",
        "use_daily_data",
        *OTHERS_IN_ITS_PLACE,
    ),
    FailureClass.STALE_DATA: ("alternate_host", *NOT_THERE),
}
