"""What the errors of both SDKs come to.

Nothing of what a service wrote into an error is kept: it may repeat what it was sent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from healing_pipeline.second_opinion.reply import Outcome, Said

DEEPEST = 10

_STATUSES = {
    401: Outcome.BAD_KEY,
    402: Outcome.BAD_KEY,
    403: Outcome.BAD_KEY,
    408: Outcome.OVERLOADED,
    409: Outcome.OVERLOADED,
    429: Outcome.RATE_LIMITED,
    503: Outcome.OVERLOADED,
    529: Outcome.OVERLOADED,
}


def of_status(status: int, headers: Mapping[str, str]) -> Said:
    """What a refusal by status comes to."""
    reason = f"status {status}"
    if 300 <= status < 400:
        reason += ": it sends us elsewhere, where nobody follows"
    outcome = _STATUSES.get(status)
    if outcome is None:
        outcome = Outcome.SERVICE_ERROR if status >= 500 else Outcome.BAD_REQUEST
    return Said(outcome, reason=reason, retry_after_s=_retry_after_s(headers))


def of_failure(error: Exception) -> Said:
    """What a call without a usable answer comes to."""
    # By name: the SDKs bring their own HTTP library, and each may change it.
    names: list[str] = []
    each: BaseException | None = error
    while each is not None and len(names) < DEEPEST:
        names.append(type(each).__name__)
        each = each.__cause__ or each.__context__
    if {"ConnectError", "ConnectTimeout"} & set(names):
        return Said(Outcome.UNREACHABLE, reason=f"{names[0]}: no connection")
    if any("Timeout" in name for name in names):
        return Said(Outcome.TIMEOUT, reason=names[0])
    # It ended early, or it is not JSON, or of another shape or encoding than it says.
    return Said(Outcome.BROKEN_OFF, reason=f"{names[0]}: no whole answer that can be read")


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
