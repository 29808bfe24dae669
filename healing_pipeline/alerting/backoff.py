"""When what a channel did not take is tried again, and when no more. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST_S = 1.0
LONGEST_S = 300.0
GIVEN_UP_AFTER = timedelta(hours=24)
# What waited while nobody sent is tried for a while all the same, however old it is.
FEWEST_TRIES = 20

# Each try that is not answered may be one more copy.
UNANSWERED_TIMES = 8.0
UNANSWERED_LONGEST_S = 3600.0


def wait_s(tries: int, chance: float, *, unanswered: bool = False) -> float:
    """Seconds until the next try: doubled with each, five minutes at most.

    Parameters
    ----------
    tries : int
        That failed, >= 1.
    chance : float
        In [0, 1): spreads the senders, between half and all of the wait.
    unanswered : bool
        The message went out and no answer came back: it may have been taken. Then it is tried
        eight times as rarely, each hour in the end.
    """
    longest = FIRST_S * 2.0 ** min(tries, 20)
    if unanswered:
        longest = min(UNANSWERED_LONGEST_S, UNANSWERED_TIMES * longest)
    else:
        longest = min(LONGEST_S, longest)
    return longest * (0.5 + 0.5 * chance)


def is_given_up(saved_at: datetime, now: datetime, tries: int) -> bool:
    """Whether a message has been tried for long enough."""
    return now - saved_at >= GIVEN_UP_AFTER and tries >= FEWEST_TRIES
