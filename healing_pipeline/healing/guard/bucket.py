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
    """

    __slots__ = ("_period_s", "_probes", "_taken", "per_minute")

    def __init__(
        self, per_minute: int, probe_share: float, period_s: float = MINUTE_S + SLACK_S
    ) -> None:
        self.per_minute = per_minute
        self._period_s = period_s
        # The moment at which each token was taken last, the oldest first.
        self._taken = deque([-math.inf] * per_minute, maxlen=per_minute)
        probes = share_of(per_minute, probe_share)
        self._probes = deque([-math.inf] * probes, maxlen=probes)

    def back_at(self, *, is_probe: bool = False) -> float:
        """From which moment on a call may be made; infinite for a probe without a share."""
        at = self._taken[0]
        if is_probe:
            at = max(at, self._probes[0]) if self._probes else math.inf
        return at + self._period_s

    def spent(self, now: float) -> float:
        """The share of the calls that were made within the last period, 0 to 1."""
        return sum(at + self._period_s > now for at in self._taken) / self.per_minute

    def refusal(self, now: float, *, is_probe: bool) -> str | None:
        """Why no token can be had now; None when one can."""
        if self._taken[0] + self._period_s > now:
            wait_s = self._taken[0] + self._period_s - now
            return f"its {self.per_minute} calls a minute are used, the next in {wait_s:.1f} s"
        if is_probe and self.back_at(is_probe=True) > now:
            return f"the probes' share of its {self.per_minute} calls a minute is used"
        return None

    def take(self, now: float, *, is_probe: bool) -> None:
        """Take a token; one that nobody may have is taken as well (the last candidate's)."""
        self._taken.append(now)
        if is_probe:
            self._probes.append(now)
