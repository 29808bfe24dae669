"""Facts into PostgreSQL while it is there, and what no PostgreSQL takes set aside."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

from healing_pipeline.healing.facts import Fact
from healing_pipeline.storage.counters import Tally
from healing_pipeline.storage.fact_store import FactStore, is_facts_fault
from healing_pipeline.storage.facts import line_of
from healing_pipeline.storage.spool import REJECTED, keep_for_later

_LOG = logging.getLogger(__name__)

# After a failed write PostgreSQL is left alone for this long, doubling up to the second.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0


class Storing:
    """Stores batches, and leaves PostgreSQL alone for a while when it is away. For one thread.

    Parameters
    ----------
    url : str or callable
        See `FactStore`.
    folder : Path
        Where facts are set aside that can never be stored.
    tally : Tally
        Counts what was stored and what was set aside.

    Attributes
    ----------
    is_away : bool
        Whether PostgreSQL did not answer when it was last asked.
    """

    def __init__(self, url: str | Callable[[], str], folder: Path, tally: Tally) -> None:
        self._store = FactStore(url)
        self._folder = folder
        self._tally = tally
        self._left_alone_until = 0.0
        self._pause_s = FIRST_PAUSE_S
        self.is_away = False

    @property
    def may_be_asked(self) -> bool:
        """Whether it is worth trying."""
        return monotonic() >= self._left_alone_until

    def unstored(self, facts: list[Fact]) -> list[Fact]:
        """Store `facts`, and set aside the ones that cannot be; those left while it is away."""
        if not self.may_be_asked:
            return facts
        try:
            self._store.store(facts)
        except Exception as error:
            if not is_facts_fault(error):
                self._note_away(error)
                return facts
            if len(facts) == 1:
                self.reject(facts[0], error)
                return []
            middle = len(facts) // 2
            return self.unstored(facts[:middle]) + self.unstored(facts[middle:])
        self._pause_s, self.is_away = FIRST_PAUSE_S, False
        self._tally.add("stored", len(facts))
        return []

    def reject(self, fact: Fact | str, error: BaseException) -> None:
        """Set aside a fact, or a line that is none."""
        _LOG.error("PostgreSQL takes no such fact: %s: %.500r", error, fact)
        with suppress(OSError, ValueError, TypeError, RecursionError):
            line = fact if isinstance(fact, str) else line_of(fact)
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / REJECTED).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        self._tally.add("dropped")

    def keep_for_later(self, line: str) -> None:
        """Set a line of a later version aside, where that one finds it."""
        _LOG.warning("a fact of a later version waits in %s until that one runs", self._folder)
        keep_for_later(self._folder, line)

    def close(self) -> None:
        """Hang up."""
        self._store.close()

    def _note_away(self, error: BaseException) -> None:
        if not self.is_away:
            _LOG.warning("PostgreSQL is away, facts wait in %s: %s", self._folder, error)
        self.is_away = True
        self._left_alone_until = monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
