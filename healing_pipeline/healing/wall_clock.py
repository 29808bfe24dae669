"""Whether the wall clock was set back, seen by one that nobody can set."""

from __future__ import annotations

from datetime import datetime, timedelta

# Slewing moves a clock by half a thousandth; what is set by less than this hurts nobody.
WORTH_A_WORD = timedelta(seconds=2)


class WallClock:
    """Compares two clocks at moments that its caller chooses.

    Notes
    -----
    A machine that slept looks as if its wall clock had been set forward, which needs no remedy:
    all that was waited for is due. A clock that stands still was set back by nobody.
    """

    __slots__ = ("_before", "_began_at")

    def __init__(self) -> None:
        self._before: datetime | None = None
        self._began_at: datetime | None = None

    def was_set_back(self, now: datetime, monotonic_s: float) -> timedelta | None:
        """By how much, since the last call; None when it was not.

        Parameters
        ----------
        now : datetime
            Aware UTC.
        monotonic_s : float
            Of the same moment.
        """
        # When the other clock stood at zero, by this one.
        began_at = now - timedelta(seconds=monotonic_s)
        known, self._began_at = self._began_at, began_at
        before, self._before = self._before, now
        if known is None or before == now or known - began_at < WORTH_A_WORD:
            return None
        return known - began_at
