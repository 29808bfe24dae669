"""What can be wrong with a response: the failure classes, and what each one means for health."""

from __future__ import annotations

from enum import StrEnum


class FailureClass(StrEnum):
    """What is wrong with a response; `OK` when nothing is.

    Attributes
    ----------
    OK
        Nothing: it may be used.
    TIMEOUT
        No complete answer within the time limit of one call.
    SLOW
        A good answer that came later than the endpoint's `within_s`.
    NETWORK_ERROR
        No answer at all: the name does not resolve, nothing listens, the connection broke.
    SERVER_ERROR
        The source says that it failed: a 5xx, or the same in the body of a 200.
    RATE_LIMIT
        Too many calls in a moment or a minute; soon it may be asked again.
    QUOTA_EXHAUSTED
        The calls of the day or the month are spent.
    BOT_BLOCK
        It takes us for a robot: a challenge, a consent page, a block of our address.
    AUTH_ERROR
        The key or the session is missing, wrong, revoked or not active yet.
    PLAN_LIMIT
        The key is good, and what was asked for is not part of its plan.
    NOT_FOUND
        There is no such instrument, series or path.
    BAD_REQUEST
        The question is wrong in itself, whoever is asked.
    INVALID_DATA
        Not what was asked for: another shape, HTML, cut off, an error passed off as data.
    EMPTY
        The right shape with nothing in it.
    STALE_DATA
        Good in form and older than it should be: frozen, late, or jumped back.
    """

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
