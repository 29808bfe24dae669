"""One upstream call for all who ask the same at the same time.

Considered and left aside: aiocache, async-lru and the like join everybody to a task of their own,
however long ago it began, and one caller's cancellation or the leader's error is everybody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

# So much older than its asking may an answer be.
FRESH_S = 0.2


class Flight(Generic[T]):
    """One call under way. Who began it leads it; who waits for its answer has joined it.

    As a context it ends itself: without an answer when its leader was cancelled or raised.

    Attributes
    ----------
    began : float
        Monotonic seconds.
    """

    __slots__ = ("_flights", "_key", "_landing", "began")

    def __init__(self, key: Hashable, began: float, flights: dict[Hashable, Flight[T]]) -> None:
        self.began = began
        self._key = key
        self._flights = flights
        # Made by the first who joins: most flights have none.
        self._landing: asyncio.Future[T | None] | None = None

    def __enter__(self) -> Flight[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(None)

    def land(self, answer: T) -> None:
        """Give the answer to all who joined; it is no None."""
        self._end(answer)

    def _end(self, answer: T | None) -> None:
        # A younger flight of the same question may have taken its place.
        if self._flights.get(self._key) is self:
            del self._flights[self._key]
        if self._landing is not None and not self._landing.done():
            self._landing.set_result(answer)

    async def result(self, within_s: float | None = None) -> T | None:
        """Wait for the leader's answer.

        Returns
        -------
        T or None
            None when the leader was cancelled or raised: ask for yourself (see `Flights.ask`).

        Raises
        ------
        TimeoutError
            If there is no answer within `within_s`.
        """
        if self._landing is None:
            self._landing = asyncio.get_running_loop().create_future()
        # Unlike awaiting it, this leaves the future alone when one who waits is cancelled.
        done, _ = await asyncio.wait(
            (self._landing,), timeout=None if within_s is None else max(within_s, 0.0)
        )
        if not done:
            raise TimeoutError
        return self._landing.result()


class Flights(Generic[T]):
    """The calls under way, by question. For one event loop.

    Parameters
    ----------
    fresh_s : float
        A flight that began longer ago is not joined.
    """

    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._flights: dict[Hashable, Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: Hashable, now: float) -> Flight[T] | None:
        """The flight to wait for; None when there is none, or it began too long ago."""
        flight = self._flights.get(key)
        return flight if flight is not None and now - flight.began <= self._fresh_s else None

    def leading(self, key: Hashable, now: float) -> Flight[T]:
        """Begin a flight, to be used as a context; the caller asks in its own task."""
        flight = self._flights[key] = Flight(key, now, self._flights)
        return flight

    async def ask(
        self,
        key: Hashable,
        ask: Callable[[], Awaitable[T]],
        *,
        monotonic: Callable[[], float],
        deadline_at: float,
    ) -> tuple[T, bool]:
        """Ask, or share the answer of somebody who is asking.

        When a leader is cancelled or raises, one of those who joined leads next and the others join
        that one: there is never more than one call for the question's sake.

        Parameters
        ----------
        deadline_at : float
            In `monotonic`'s seconds; until then one who joined waits. The leader keeps its own.

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
            shared = await flight.result(deadline_at - monotonic())
            if shared is not None:
                return shared, True
        with self.leading(key, monotonic()) as flight:
            answer = await ask()
            flight.land(answer)
        return answer, False
