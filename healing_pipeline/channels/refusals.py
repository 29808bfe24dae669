"""Whether a failure is for good: trying again would end the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Too slow, too early, too often: the same request can succeed later.
PASSING_STATUSES = frozenset({408, 425, 429})

_NO_ANSWER = re.compile(r"connection error|timed? ?out|socket exception", re.IGNORECASE)
_NO_REPLY = re.compile(r"read timed out|aborted|reset|disconnected|incomplete", re.IGNORECASE)
_NOBODY_TO_TELL = re.compile(
    r"\bno (?:valid )?.{0,30}(?:targets?|recipients?|phone)", re.IGNORECASE
)
# Said in an answer whose status is 200.
_PASSING_WORDS = re.compile(
    r"rate.?limit|too many|try again|temporar|unavailable|internal.?error|fatal.?error|overload",
    re.IGNORECASE,
)
_STATUS_IN_WORDS = re.compile(r"\berror=([1-5][0-9]{2})\b")


def is_permanent_status(status: int) -> bool:
    """Whether an HTTP status refuses for good."""
    return 400 <= status < 500 and status not in PASSING_STATUSES


def is_permanent_reply(code: int) -> bool:
    """Whether an SMTP reply refuses for good."""
    return 500 <= code < 600


def is_unanswered(reasons: Sequence[str]) -> bool:
    """Whether a service may have taken what it did not answer."""
    return _NO_REPLY.search(" ".join(reasons)) is not None


def is_permanent(statuses: Sequence[int], reasons: Sequence[str]) -> bool:
    """Whether a service that did not take a message never will.

    Parameters
    ----------
    statuses : sequence of int
        HTTP statuses of its answers; empty when it speaks otherwise, or did not answer.
    reasons : sequence of str
        What was said about it.
    """
    words = " ".join(reasons)
    if _NO_ANSWER.search(words):
        return False
    seen = list(statuses) or [int(each) for each in _STATUS_IN_WORDS.findall(words)]
    refused = [each for each in seen if each >= 400]
    if refused:
        return all(is_permanent_status(each) for each in refused)
    if seen:
        # It answered that all is well, and then that it is not.
        return _PASSING_WORDS.search(words) is None
    return _NOBODY_TO_TELL.search(words) is not None
