"""A memory of questions with a bound on how many there are and on how many bytes they hold.

An endpoint's own question is asked again and again, and what is known of it may be the last resort.
Windows that readers ask for are any number, and a stranger's: they make room first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

V = TypeVar("V")

QuestionKey = tuple[str, str]
"""An endpoint's id, and what a reader changed of its question; empty for nothing."""

# A reading takes about three times what its body does.
MOST_BYTES = 128 * 1024 * 1024


class Bounded(Generic[V]):
    """The newest value of each question.

    Parameters
    ----------
    most : int
        Questions.
    size_of : callable
        The bytes of a value's body.
    most_bytes : int
        Of all bodies together; one that is longer by itself is kept all the same, alone.
    """

    def __init__(
        self, most: int, size_of: Callable[[V], int], most_bytes: int = MOST_BYTES
    ) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._size_of = size_of
        self._own: dict[QuestionKey, V] = {}
        self._windows: dict[QuestionKey, V] = {}
        self._bytes = 0

    def get(self, key: QuestionKey) -> V | None:
        """What is known of a question."""
        return (self._windows if key[1] else self._own).get(key)

    def put(self, key: QuestionKey, value: V) -> list[QuestionKey]:
        """Keep a value; the questions that were forgotten for it, those put longest ago."""
        kept = self._windows if key[1] else self._own
        known = kept.pop(key, None)
        if known is not None:
            self._bytes -= self._size_of(known)
        kept[key] = value
        self._bytes += self._size_of(value)
        forgotten = []
        while len(self) > 1 and (len(self) > self._most or self._bytes > self._most_bytes):
            oldest = self._oldest(key)
            self._bytes -= self._size_of((self._windows if oldest[1] else self._own).pop(oldest))
            forgotten.append(oldest)
        return forgotten

    def _oldest(self, newest: QuestionKey) -> QuestionKey:
        """Whom to forget: a window, as long as there is another than the newest."""
        oldest = next(iter(self._windows), newest)
        if oldest == newest:
            oldest = next(iter(self._own), newest)
        return oldest

    def change(self, work: Callable[[V], V]) -> None:
        """Put another value in the place of each; of the same size."""
        for kept in (self._own, self._windows):
            kept.update({key: work(value) for key, value in kept.items()})

    def values(self) -> Iterator[V]:
        """All that is kept."""
        yield from self._own.values()
        yield from self._windows.values()

    def __len__(self) -> int:
        return len(self._own) + len(self._windows)
