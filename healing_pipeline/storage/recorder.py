"""Facts on their way to PostgreSQL: taken at once, stored soon, on disk while it is away.

Nothing is lost while PostgreSQL is away and nothing is stored twice. A process that is killed
loses what it recorded since the last flush, at most some tenths of a second.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from healing_pipeline.healing.facts import Fact, SnapshotFact
from healing_pipeline.storage.counters import Counters
from healing_pipeline.storage.fact_store import FactStore, is_facts_fault
from healing_pipeline.storage.facts import fact_of, line_of
from healing_pipeline.storage.spool import REJECTED, LeftOver, SpoolWriter, left_over, release

_LOG = logging.getLogger(__name__)

# After a failed write PostgreSQL is left alone for this long, doubling up to the second.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 4.0
# How often the folder is looked through for files that an earlier process left.
LOOK_FOR_LEFT_OVERS_S = 5.0


class Recorder:
    """Records facts without ever making the caller wait for PostgreSQL.

    Parameters
    ----------
    url : str or callable
        Of the database, or what says where it is; see `FactStore`.
    spool_dir : Path
        For facts that PostgreSQL cannot take yet; left-over files in it are replayed.
    clock : callable
        Aware UTC now; names spool files.
    most_buffered : int
        Facts held in memory; those past it go to the spool.
    flush_s, flush_rows
        A batch leaves after so many seconds, or when there are so many facts.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        spool_dir: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        most_buffered: int = 10_000,
        flush_s: float = 0.2,
        flush_rows: int = 500,
    ) -> None:
        self._store = FactStore(url)
        self._folder = spool_dir
        self._clock = clock
        self._most_buffered = most_buffered
        self._flush_s = flush_s
        self._flush_rows = flush_rows
        self._spool = SpoolWriter(spool_dir)
        self._spool_turn = threading.Lock()
        self._changed = threading.Condition()
        self._counters = Counters()
        self._waiting: OrderedDict[Hashable, Fact] = OrderedDict()
        self._entered = self._settled = 0
        self._flush_wanted = self._closing = False
        self._away_until = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._replay: LeftOver | None = None
        self._replayed: list[Fact] = []  # of the file, but not stored yet
        self._look_at = 0.0
        self._thread = threading.Thread(target=self._run, name="healing-recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @property
    def counters(self) -> Counters:
        """What became of the facts so far."""
        with self._changed:
            return self._counters

    def record(self, fact: Fact) -> None:
        """Take a fact; returns at once."""
        with self._changed:
            self._count(recorded=1)
            if not self._closing and self._buffer(fact):
                return
        self._spool_facts([fact])

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was recorded so far is in PostgreSQL or on disk; False when not."""
        with self._changed:
            goal = self._entered
            self._flush_wanted = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= goal, timeout_s)

    def close(self, timeout_s: float = 15.0) -> None:
        """Flush and stop; what PostgreSQL does not take now waits on disk. Idempotent."""
        atexit.unregister(self.close)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _LOG.warning("the recorder still waits for PostgreSQL after %s s", timeout_s)

    def _buffer(self, fact: Fact) -> bool:
        """Put a fact in line; False when the line is full. Under the lock."""
        key: Hashable = self._entered
        if isinstance(fact, SnapshotFact):
            key = (fact.endpoint, fact.request_key)
            known = self._waiting.get(key)
            if isinstance(known, SnapshotFact):
                newer = fact if fact.fetched_at >= known.fetched_at else known
                self._waiting[key] = newer
                self._count(superseded=1)
                return True
        if len(self._waiting) >= self._most_buffered:
            return False
        self._waiting[key] = fact
        self._entered += 1
        if len(self._waiting) >= self._flush_rows:
            self._changed.notify_all()
        return True

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if batch:
                self._keep(batch)
                with self._changed:
                    self._settled += len(batch)
                    self._changed.notify_all()
            with self._changed:
                if self._closing and not self._waiting:
                    break
            try:
                self._replay_some()
            except OSError as error:
                _LOG.warning("a spool file in %s cannot be read: %s", self._folder, error)
        self._wind_up()

    def _next_batch(self) -> list[Fact]:
        with self._changed:
            if not self._has_to_hurry():
                self._changed.wait_for(self._has_to_hurry, self._flush_s)
            self._flush_wanted = self._flush_wanted and len(self._waiting) > self._flush_rows
            most = min(len(self._waiting), self._flush_rows)
            return [self._waiting.popitem(last=False)[1] for _ in range(most)]

    def _has_to_hurry(self) -> bool:
        busy_replaying = self._replay is not None and monotonic() >= self._away_until
        return (
            self._closing
            or self._flush_wanted
            or busy_replaying
            or len(self._waiting) >= self._flush_rows
        )

    def _keep(self, facts: list[Fact]) -> None:
        """See that `facts` are in PostgreSQL, or on disk."""
        left = self._unstored(facts)
        if left:
            self._spool_facts(left)

    def _unstored(self, facts: list[Fact]) -> list[Fact]:
        """Store `facts`, and set aside the ones that cannot be; those left while it is away."""
        if monotonic() < self._away_until:
            return facts
        try:
            self._store.store(facts)
        except Exception as error:
            if not is_facts_fault(error):
                self._note_away(error)
                return facts
            if len(facts) == 1:
                self._reject(facts[0], error)
                return []
            middle = len(facts) // 2
            return self._unstored(facts[:middle]) + self._unstored(facts[middle:])
        self._pause_s = FIRST_PAUSE_S
        with self._changed:
            self._count(stored=len(facts))
        return []

    def _note_away(self, error: BaseException) -> None:
        _LOG.warning("PostgreSQL is away, facts go to %s: %s", self._folder, error)
        self._away_until = monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _spool_facts(self, facts: Sequence[Fact]) -> None:
        lines = []
        for fact in facts:
            try:
                lines.append(line_of(fact))
            except (ValueError, TypeError) as error:
                self._reject(fact, error)
        if not lines:
            return
        stamp = self._clock().strftime("%Y%m%dT%H%M%S%f")
        try:
            with self._spool_turn:
                self._spool.append(lines, stamp)
        except OSError:
            _LOG.exception("%d facts are lost: %s cannot be written", len(lines), self._folder)
            with self._changed:
                self._count(dropped=len(lines))
            return
        with self._changed:
            self._count(spooled=len(lines))

    def _reject(self, fact: Fact | str, error: BaseException) -> None:
        _LOG.error("PostgreSQL takes no such fact: %s: %.500r", error, fact)
        with suppress(OSError, ValueError, TypeError):
            line = fact if isinstance(fact, str) else line_of(fact)
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / REJECTED).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        with self._changed:
            self._count(dropped=1)

    def _replay_some(self) -> None:
        """Store one batch of what lies on disk, if PostgreSQL is there."""
        if monotonic() < self._away_until:
            return
        if self._replay is None and not self._begin_replay():
            return
        assert self._replay is not None
        if not self._replayed:
            lines = self._replay.lines(self._flush_rows)
            if not lines:
                self._replay.finish()
                self._replay, self._look_at = None, 0.0
                return
            self._replayed = self._facts_of(lines)
        self._replayed = self._unstored(self._replayed)

    def _begin_replay(self) -> bool:
        """Take up the oldest file that nobody holds, our own included."""
        if not self._leave_spool() and monotonic() < self._look_at:
            return False
        self._look_at = monotonic() + LOOK_FOR_LEFT_OVERS_S
        self._replay = left_over(self._folder)
        return self._replay is not None

    def _leave_spool(self) -> bool:
        """End the file that is written to; False when there is none."""
        with self._spool_turn:
            written = self._spool.detach()
        if written is not None:
            # Outside the turn: a caller with a full buffer must not wait for the disk.
            release(written)
        return written is not None

    def _facts_of(self, lines: list[str]) -> list[Fact]:
        facts = []
        for line in lines:
            try:
                facts.append(fact_of(line))
            except (ValueError, KeyError, TypeError) as error:
                self._reject(line, error)
        return facts

    def _wind_up(self) -> None:
        if self._replay is not None:
            self._replay.leave()
        self._store.close()
        self._leave_spool()

    def _count(self, **more: int) -> None:
        """Add to the counters. Under the lock."""
        now = {name: getattr(self._counters, name) + number for name, number in more.items()}
        self._counters = replace(self._counters, **now)
