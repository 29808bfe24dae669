"""One upstream call for all who ask the same at the same time.

Considered and left aside: aiocache, async-lru and the like join everybody to a task of their own,
however long ago it began, and one caller's cancellation or the leader's error is everybody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

# So much older than its asking may an answer be.
FRESH_S = 0.2


class Flight(Generic[T]):
    """One call under way. Who began it is its leader; who waits for its answer has joined it.

    Attributes
    ----------
    began : float
        Monotonic seconds.
    """

    __slots__ = ("_landing", "began")

    def __init__(self, began: float) -> None:
        self.began = began
        # Made by the first who joins: most flights have none.
        self._landing: asyncio.Future[tuple[T] | None] | None = None

    def land(self, answer: tuple[T] | None) -> None:
        """Wake who joined: with the answer, or with None when the leader has none for them."""
        if self._landing is not None and not self._landing.done():
            self._landing.set_result(answer)

    async def landed(self, within_s: float) -> tuple[T] | None:
        """Wait for the leader's answer.

        Returns
        -------
        tuple of one, or None
            None when the leader was cancelled or raised.

        Raises
        ------
        TimeoutError
            If there is no answer within `within_s`.
        """
        if self._landing is None:
            self._landing = asyncio.get_running_loop().create_future()
        # Unlike `wait_for`, this leaves the future alone when one who waits is cancelled.
        done, _ = await asyncio.wait((self._landing,), timeout=max(within_s, 0.0))
        if not done:
            raise TimeoutError
        return self._landing.result()


class Flights(Generic[T]):
    """The calls under way, by question. For one event loop."""

    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._flights: dict[Hashable, Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: Hashable, now: float) -> Flight[T] | None:
        """The flight to wait for; None when there is none, or it began too long ago."""
        flight = self._flights.get(key)
        return flight if flight is not None and now - flight.began <= self._fresh_s else None

    def lead(self, key: Hashable, now: float) -> Flight[T]:
        """Begin a flight. Who leads owes an `end`, come what may."""
        flight: Flight[T] = Flight(now)
        self._flights[key] = flight
        return flight

    def end(self, key: Hashable, flight: Flight[T], answer: tuple[T] | None) -> None:
        """End a flight, with an answer for those who joined, or None: they ask for themselves."""
        # A younger flight of the same question may have taken its place.
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.land(answer)

    async def ask(
        self,
        key: Hashable,
        ask: Callable[[], Awaitable[T]],
        *,
        monotonic: Callable[[], float],
        deadline_at: float,
    ) -> tuple[T, bool]:
        """Ask, or share the answer of somebody who is asking.

        The leader asks in its own task and under its own deadlines. When it is cancelled or raises,
        one of those who joined leads next and the others join that one.

        Parameters
        ----------
        deadline_at : float
            In `monotonic`'s seconds; until then one who joined waits.

        Returns
        -------
        answer : T
        joined : bool
            Whether somebody else had asked.

        Raises
        ------
        TimeoutError
            If one who joined has no answer by `deadline_at`.
        """
        while (flight := self.join(key, monotonic())) is not None:
            landed = await flight.landed(deadline_at - monotonic())
            if landed is not None:
                return landed[0], True
        flight = self.lead(key, monotonic())
        answer: tuple[T] | None = None
        try:
            answer = (await ask(),)
        finally:
            self.end(key, flight, answer)
        return answer[0], False
