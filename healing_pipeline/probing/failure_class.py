"""What can be wrong with a response: the failure classes, and what each one means for health."""

from __future__ import annotations

from enum import StrEnum


class FailureClass(StrEnum):
    """What is wrong with a response; `OK` when nothing is."""

    OK = "ok"
    TIMEOUT = "timeout"
    SLOW = "slow"
    NETWORK_ERROR = "network_error"
    SERVER_ERROR = "server_error"
    RATE_LIMIT = "rate_limit"
    QUOTA_EXHAUSTED = "quota_exhausted"
    BOT_BLOCK = "bot_block"
    AUTH_ERROR = "auth_error"
    PLAN_LIMIT = "plan_limit"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    INVALID_DATA = "invalid_data"
    EMPTY = "empty"
    STALE_DATA = "stale_data"

    @property
    def is_failure(self) -> bool:
        """Whether the response must not reach a reader as it is."""
        return self is not FailureClass.OK

    @property
    def is_callers_fault(self) -> bool:
        """Whether the caller asked for something it cannot have: never counts against a source."""
        return self in CALLERS_FAULT

    @property
    def is_healable(self) -> bool:
        """Whether a strategy could help at all; the denominator of every healing rate."""
        return self not in {FailureClass.OK, FailureClass.BAD_REQUEST}


CALLERS_FAULT = frozenset(
    {FailureClass.BAD_REQUEST, FailureClass.NOT_FOUND, FailureClass.PLAN_LIMIT}
)
