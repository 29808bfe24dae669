"""Whether the service should be left alone for a while, by how the last questions ended.

The project's breaker, fed with what is on record: whoever asks next comes to the same verdict, in
whatever process.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.healing.guard.breaker import Breaker, BreakerRules
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.second_opinion.reply import ANSWERED, Outcome
from healing_pipeline.second_opinion.settings import LONGEST_WAIT_S

# Questions are rare: a few in a quarter of an hour have to be enough.
RULES = BreakerRules(
    least=3, window_s=900, failed_share=0.6, slow_s=math.inf, base_s=60.0, max_s=1800.0
)
LONGEST_RETRY_AFTER_S = 3600.0
# Who has not answered by then never will: the process that asked was killed.
LOST_AFTER_S = LONGEST_WAIT_S + 7.0

_CLASSES = {
    Outcome.RATE_LIMITED: FailureClass.RATE_LIMIT,
    Outcome.OVERLOADED: FailureClass.SERVER_ERROR,
    Outcome.SERVICE_ERROR: FailureClass.SERVER_ERROR,
    Outcome.BAD_KEY: FailureClass.AUTH_ERROR,
    Outcome.BAD_REQUEST: FailureClass.BAD_REQUEST,
    Outcome.UNREACHABLE: FailureClass.NETWORK_ERROR,
    Outcome.BROKEN_OFF: FailureClass.NETWORK_ERROR,
    Outcome.TIMEOUT: FailureClass.TIMEOUT,
    Outcome.NOT_INSTALLED: FailureClass.BAD_REQUEST,
}
# One of these tells as much as three: the next question would end the same.
_AT_ONCE = frozenset({Outcome.BAD_KEY, Outcome.BAD_REQUEST, Outcome.NOT_INSTALLED})


@dataclass(frozen=True, slots=True)
class Ended:
    """A question that was asked, and how it ended; None: it is under way, or was lost."""

    asked_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    retry_after_s: float | None = None


def pause(service: str, recent: Iterable[Ended], now: datetime) -> str | None:
    """Why nobody should ask now; None when somebody may.

    Parameters
    ----------
    recent : iterable of Ended
        The last questions to the service, in any order.
    """
    breaker = Breaker(f"service {service}", RULES)
    for each in sorted(recent, key=lambda one: (one.ended_at or one.asked_at, one.asked_at)):
        began = each.asked_at.timestamp()
        if each.ended_at is None or each.outcome is None:
            if (now - each.asked_at).total_seconds() < LOST_AFTER_S:
                breaker.begin()
            else:
                breaker.failed(began + LOST_AFTER_S, began, FailureClass.TIMEOUT)
            continue
        ended = each.ended_at.timestamp()
        if each.outcome in ANSWERED:
            breaker.succeeded(ended, began)
            continue
        kind = _CLASSES[each.outcome]
        asked_s = min(each.retry_after_s or 0.0, LONGEST_RETRY_AFTER_S)
        if each.outcome in _AT_ONCE or asked_s > 0:
            breaker.eject(ended, began, kind, at_least_s=asked_s)
        else:
            breaker.failed(ended, began, kind)
    return breaker.refusal(now.timestamp())
