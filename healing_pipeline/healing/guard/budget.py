"""How many healing calls a source bears at once."""

from __future__ import annotations


class RetryBudget:
    """Healing calls in flight are at most a share of all calls in flight, with a floor.

    Without it every reader's retries meet a source that is already down: a load of N becomes one of
    3 N. stamina and tenacity bound the retries of one call and know nothing of the others'.
    """

    __slots__ = ("_floor", "_share", "healing", "in_flight")

    def __init__(self, share: float = 0.2, floor: int = 3) -> None:
        self._share = share
        self._floor = floor
        self.in_flight = 0
        self.healing = 0

    def refusal(self) -> str | None:
        """Why no further healing call may begin; None when one may."""
        most = max(self._floor, int(self._share * (self.in_flight + 1)))
        if self.healing < most:
            return None
        return f"{self.healing} healing calls are under way, {most} may be"

    def begin(self, *, healing: bool) -> None:
        """A call begins."""
        self.in_flight += 1
        self.healing += healing

    def end(self, *, healing: bool) -> None:
        """A call is over."""
        self.in_flight -= 1
        self.healing -= healing
