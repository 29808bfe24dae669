"""When what a channel did not take is tried again, and when no more. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST_S = 1.0
LONGEST_S = 300.0
GIVEN_UP_AFTER = timedelta(hours=24)


def wait_s(tries: int, chance: float) -> float:
    """Seconds until the next try: doubled with each, five minutes at most.

    Parameters
    ----------
    tries : int
        That failed, >= 1.
    chance : float
        In [0, 1): spreads the senders, between half and all of the wait.
    """
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(tries, 20))
    return longest * (0.5 + 0.5 * chance)


def is_given_up(saved_at: datetime, now: datetime) -> bool:
    """Whether a message has been tried for long enough."""
    return now - saved_at >= GIVEN_UP_AFTER
