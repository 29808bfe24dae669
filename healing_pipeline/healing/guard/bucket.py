"""The minute's calls of one key, with a part kept for readers.

A bucket that is refilled evenly and holds a minute's allowance lets twice that through within a
minute: all of it, and what came back meanwhile. Providers count sliding minutes, so here each token
comes back a minute after it was taken, which is exact.

Considered and left aside: aiolimiter (a leaky bucket on the event loop's clock, which waits),
limits and pyrate-limiter (the same moving window, each with a thread that clears it). None of them
keeps a share for somebody.
"""

from __future__ import annotations

import math
from collections import deque

# Calls arrive at the provider a little earlier or later than they left.
MINUTE_S = 60.0
SLACK_S = 1.0

# Of the calls of a minute, the part that a process has which made none.
TO_BEGIN_WITH = 20


def share_of(quota: int, share: float) -> int:
    """The calls out of a quota that a share allows: none for a share of 0, else at least one."""
    return 0 if share <= 0 else max(1, int(quota * share + 1e-9))


class Bucket:
    """Tokens that come back `period_s` after they were taken.

    Parameters
    ----------
    per_minute : int
        Calls in any period, > 0.
    probe_share : float
        The part of them that probes may make.

    Attributes
    ----------
    share : int
        Of the calls, those that this process may make: all, until others are known to make some.
    """

    __slots__ = ("_period_s", "_probes", "_taken", "_was_short", "per_minute", "share")

    def __init__(
        self, per_minute: int, probe_share: float, period_s: float = MINUTE_S + SLACK_S
    ) -> None:
        self.per_minute = self.share = per_minute
        self._period_s = period_s
        self._was_short = False
        # The moment at which each token was taken last, the oldest first.
        self._taken = deque([-math.inf] * per_minute, maxlen=per_minute)
        probes = share_of(per_minute, probe_share)
        self._probes = deque([-math.inf] * probes, maxlen=probes)

    def back_at(self, *, is_probe: bool = False) -> float:
        """From which moment on a call may be made; infinite for a probe without a share."""
        # Without a share it is not known; the latest call of all is a guess that gets better.
        at = self._taken[-max(1, self.share)]
        if is_probe:
            at = max(at, self._probes[0]) if self._probes else math.inf
        return at + self._period_s

    def spent(self, now: float) -> float:
        """The part of the calls it may make that was made within the last period, 0 to 1."""
        return min(1.0, self.used(now) / self.share) if self.share else 1.0

    def used(self, now: float) -> int:
        """The calls that were made within the last period."""
        return sum(at + self._period_s > now for at in self._taken)

    def wanted(self, now: float) -> int:
        """How many calls a period it has use for; asked once by whoever shares them out.

        All, when a call was refused since it was last asked; else what was used, and something to
        begin with: the probes' part for whoever probes.
        """
        was_short, self._was_short = self._was_short, False
        if was_short:
            return self.per_minute
        has_probed = bool(self._probes) and self._probes[-1] > -math.inf
        least = len(self._probes) if has_probed else -(-self.per_minute // TO_BEGIN_WITH)
        return min(self.per_minute, max(self.used(now) + 1, least))

    def refusal(self, now: float, *, is_probe: bool) -> str | None:
        """Why no token can be had now; None when one can."""
        share, per_minute = self.share, self.per_minute
        if share < 1:
            self._was_short = True
            return f"other processes make its {per_minute} calls a minute"
        if self._taken[-share] + self._period_s > now:
            self._was_short = True
            wait_s = self._taken[-share] + self._period_s - now
            what = f"{per_minute} calls a minute are used"
            if share < per_minute:
                what = f"share of {share} of {per_minute} calls a minute is used"
            return f"its {what}, the next in {wait_s:.1f} s"
        if is_probe and self.back_at(is_probe=True) > now:
            return f"the probes' share of its {self.per_minute} calls a minute is used"
        return None

    def take(self, now: float, *, is_probe: bool) -> None:
        """Take a token; one that nobody may have is taken as well (the last candidate's)."""
        self._taken.append(now)
        if is_probe:
            self._probes.append(now)
