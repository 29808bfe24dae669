"""What the words of an error message mean, whoever says them: the families of refusals.

Providers' own codes are judged in their folders; this is for the sentence that comes with them.
"""

from __future__ import annotations

import re

from healing_pipeline.probing.failure_class import FailureClass

_LONGEST_MESSAGE = 1000
"""A message that has not said what it means by then is not a message."""


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE | re.DOTALL)


_ENDED = (
    r"\b(is|was|been|being|are|has|have|now|will be) (being |been |now ){0,2}"
    r"(discontinued|shut ?down|retired|decommissioned|sunset)",
    r"no longer (available|supported|in service|offered|maintained)",
    r"\bis deprecated\b",
    r"service[ _]discontinued",
)
_SERVICE_ENDED = _any(
    rf"\b(service|api|endpoint|function|functionality|feed)\b.{{0,80}}?({'|'.join(_ENDED)})"
)
_BURST = _any(
    r"spreading out|more sparingly|\bburst|slow down",
    r"\b(per|a|each|every) (second|minute|hour)\b",
    r"requests?/ ?(s|sec|min|minute)\b",
    r"call (frequency|volume)",
)
_LIMIT = _any(r"limit|quota|exceed|exhaust|reached|allowance|over[- ]?use|maximum")
_PERIOD = _any(
    r"\b(per|a|each|every)[ -](day|month)\b|/ ?(day|month)\b|\b(dai|month)ly\b",
    r"quota|usage[ _-]limit",
    r"too[ _]many[ _]requests.{0,40}\buntil\b|\buntil\b.{0,60}too_many",
)
_RATE = _any(
    r"too[ _-]*many[ _-]*requests|rate[ _-]*limit|throttl|maximum rate|limit[ _]exceeded",
    r"exceeded (the|your) (maximum |allowed )?(number of )?(api )?(requests|calls|limit)",
    r"(api|request) limit reached",
)
_FAMILIES = (
    (FailureClass.SERVER_ERROR, _any(*_ENDED)),
    (
        FailureClass.AUTH_ERROR,
        _any(
            r"(account|key|user|subscription|app[ _]id)\b.{0,40}\b(inactive|suspended|disabled|"
            r"deactivated|expired|not active|blocked|revoked)",
            r"inactive[ _-](account|user|key)",
        ),
    ),
    (
        FailureClass.PLAN_LIMIT,
        _any(
            r"not (entitled|permissioned|permitted|subscribed|included)|entitlement",
            r"(subscription|current|your|free|basic|paid|higher|developer) (\w+ )?(plan|tier)\b",
            r"upgrad(e|ing)\b|premium|cannot consume|access[ _-]restricted|plan[ _-]upgrade",
            r"payment required|not[ _]allowed|have permission|subscribe to",
        ),
    ),
    (
        FailureClass.BAD_REQUEST,
        _any(
            r"data does(n.?t| not) exist for start|data not available for start",
            r"must be within the last",
        ),
    ),
    (
        FailureClass.AUTH_ERROR,
        _any(
            r"(api|access|auth|secret|subscription)[ _-]?(key|token)|\bapp[ _-]?id\b|\btoken\b",
            r"\bcrumb\b|\bcookie\b|unauthori[sz]ed|not authori[sz]ed|authenticat|credential",
            r"not logged in|forbidden|access denied|permission denied",
            r"unable to access this feature",
        ),
    ),
    (FailureClass.NOT_FOUND, _any(r"no data found|symbol may be")),
    (
        FailureClass.EMPTY,
        _any(
            r"not return any (result|data)|no[ _-](rates|data|results|matches)[ _-]available",
            r"no (\w+ )?(results|matches|articles|records)\b|no data for\b",
        ),
    ),
    (
        FailureClass.NOT_FOUND,
        _any(
            r"not[ _-]?found|does(n.?t| not) exist|not exist\b|\bno such\b|\bdelisted\b",
            r"\bunknown (symbol|ticker|currency|series|code|base|instrument)",
            r"unsupported[ _-]code",
        ),
    ),
    (
        FailureClass.SERVER_ERROR,
        _any(
            r"internal[ _-](server[ _-])?error|(service|temporarily|currently) unavailable",
            r"(backend|server|system|api) (is )?(currently |temporarily )?unavailable",
            r"bad gateway|gateway time-?out|maintenance|will be right back",
            r"try again(?! with)( later| soon| in a|[.,;!)]|$)",
            r"something went wrong|upstream (connect|request)|application error|server error",
            r"timed out|currently down|overloaded",
        ),
    ),
    (
        FailureClass.BAD_REQUEST,
        _any(
            r"bad[ _]request|invalid|malformed|missing|required|must be|must not|can ?not be",
            r"not (a )?(valid|supported)|unsupported|(could|can) ?not parse|unable to parse",
            r"parsing|unprocessable|too old|out of range|not been set|is not set|not between",
            r"does not match|not one of|unexpected value|argument-error",
            r"unknown (parameter|function|argument|option)",
        ),
    ),
)
"""In the order of asking: what is said beside the point (a plan praised, a key named) is late."""


def limit_of(message: str) -> FailureClass | None:
    """Which limit a message speaks of: `rate_limit` (soon over), `quota_exhausted`, or None.

    Messages about limits also praise paid plans and mention keys, so this is asked first.
    """
    message = message[:_LONGEST_MESSAGE]
    if _BURST.search(message):
        return FailureClass.RATE_LIMIT
    if _PERIOD.search(message) and (_LIMIT.search(message) or _RATE.search(message)):
        return FailureClass.QUOTA_EXHAUSTED
    return FailureClass.RATE_LIMIT if _RATE.search(message) else None


def meaning_of(message: str) -> FailureClass | None:
    """The failure class that an error message speaks of, or None when its words tell nothing."""
    message = message[:_LONGEST_MESSAGE]
    limit = limit_of(message)
    if limit is not None:
        return limit
    for failure_class, pattern in _FAMILIES:
        if pattern.search(message):
            return failure_class
    return None


def says_service_ended(message: str) -> bool:
    """Whether a text says that the service it comes from exists no more."""
    return _SERVICE_ENDED.search(message[:_LONGEST_MESSAGE]) is not None
