"""Facts on their way to PostgreSQL: on disk and in memory at once, stored soon, else replayed.

When `Recorder.record` returns, the fact is in the operating system's hands: nothing is lost when
the process is killed or PostgreSQL is away, and nothing is stored twice. Only where no disk takes a
fact is it in memory alone. What is dropped when there is no room is said in `worth`.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from healing_pipeline.healing.facts import Fact, SnapshotFact
from healing_pipeline.storage.counters import Counters, Tally
from healing_pipeline.storage.facts import TABLES, line_of
from healing_pipeline.storage.journal import FULL_BYTES, Journal, leave, remove
from healing_pipeline.storage.replaying import Replaying
from healing_pipeline.storage.spool_room import DEFAULT_BYTES, OnDisk, Room
from healing_pipeline.storage.storing import Storing
from healing_pipeline.storage.worth import Worth, worth_of

_LOG = logging.getLogger(__name__)

LOOK_FOR_ROOM_S = 1.0
# The last place for what is kept, when neither PostgreSQL nor the disk takes it: some 100 MB.
MOST_IN_MEMORY = 100_000
# After a fault of ours, not to fill the log with it.
REST_S = 1.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A fact that waits for PostgreSQL; `line` is None when it cannot be written as one."""

    fact: Fact
    worth: Worth
    line: str | None
    is_on_disk: bool


class Recorder:
    """Records facts without ever making the caller wait for PostgreSQL.

    Parameters
    ----------
    url : str or callable
        Of the database, or what says where it is; see `FactStore`.
    spool_dir : Path
        For facts that PostgreSQL has not taken yet; left-over files in it are replayed.
    clock : callable
        Aware UTC now; names spool files.
    most_buffered : int
        Facts held in memory; those past it are on disk alone.
    flush_s, flush_rows
        A batch leaves after so many seconds, or when there are so many facts.
    most_bytes : int
        Bound on what waits on disk.
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
        most_bytes: int = DEFAULT_BYTES,
    ) -> None:
        self._most_buffered = most_buffered
        self._flush_s = flush_s
        self._flush_rows = flush_rows
        self._tally = Tally()
        self._storing = Storing(url, spool_dir, self._tally)
        self._replaying = Replaying(spool_dir, self._storing, flush_rows)
        self._room = Room(spool_dir, most_bytes)
        self._journal = Journal(
            spool_dir,
            lambda: clock().strftime("%Y%m%dT%H%M%S%f"),
            min(FULL_BYTES, most_bytes // 32),
        )
        self._changed = threading.Condition()
        self._waiting: OrderedDict[Hashable, _Waiting] = OrderedDict()
        self._has_more_on_disk = False  # the open segments, than is waiting in memory
        self._stuck: list[_Waiting] = []  # what neither PostgreSQL nor the disk takes
        self._entered = self._settled = 0
        self._flush_wanted = self._closing = self._ended = False
        self._room_at = 0.0
        self._thread = threading.Thread(target=self._run, name="healing-recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @property
    def counters(self) -> Counters:
        """What became of the facts so far."""
        return self._tally.counters

    @property
    def most_bytes(self) -> int:
        """The bound on what waits on disk."""
        return self._room.most_bytes

    def on_disk(self) -> OnDisk:
        """What waits on disk, of all processes with this state folder."""
        return self._room.on_disk()

    def record(self, fact: Fact) -> None:
        """Take a fact; on disk when this returns, if there is a disk to take it."""
        worth, line = worth_of(fact), _line(fact)
        with self._changed:
            self._tally.add("recorded")
            is_on_disk = line is not None and self._journal.takes(line, worth)
            waiting = _Waiting(fact, worth, line, is_on_disk)
            if self._ended:
                self._settle_late(waiting)
            else:
                self._buffer(waiting)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was recorded so far is in PostgreSQL or on disk; False when not."""
        with self._changed:
            goal = self._entered
            self._flush_wanted = True
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: self._settled >= goal and not self._stuck, timeout_s
            )

    def close(self, timeout_s: float = 15.0) -> None:
        """Flush and stop; what PostgreSQL does not take now waits on disk. Idempotent."""
        atexit.unregister(self.close)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _LOG.warning("the recorder still waits for PostgreSQL after %s s", timeout_s)

    def _buffer(self, waiting: _Waiting) -> None:
        """Put a fact in line, if there is room in memory. Under the lock."""
        key: Hashable = self._entered
        fact = waiting.fact
        if isinstance(fact, SnapshotFact):
            key = (fact.endpoint, fact.request_key)
            known = self._waiting.get(key)
            if known is not None and isinstance(known.fact, SnapshotFact):
                if fact.fetched_at >= known.fact.fetched_at:
                    self._waiting[key] = waiting
                self._tally.add("superseded")
                return
        if len(self._waiting) >= self._most_buffered:
            if waiting.is_on_disk:
                self._has_more_on_disk = True
                self._tally.add("spooled")
                return
            held = len(self._waiting) + len(self._stuck)
            if waiting.worth is not Worth.KEPT or held >= MOST_IN_MEMORY:
                self._drop([waiting])
                return
        self._waiting[key] = waiting
        self._entered += 1
        if len(self._waiting) >= self._flush_rows:
            self._changed.notify_all()

    def _settle_late(self, waiting: _Waiting) -> None:
        """See to a fact that came when all was closed. Under the lock."""
        if waiting.is_on_disk:
            self._tally.add("spooled")
        else:
            self._drop([waiting])
        leave(self._journal.take())

    def _run(self) -> None:
        is_last = False
        while not is_last:
            with self._changed:
                self._changed.wait_for(self._has_to_hurry, self._flush_s)
                self._flush_wanted, is_last = False, self._closing
            try:
                # A file that could not be replayed yet finds out whether PostgreSQL is back.
                is_found_out = self._storing.is_away and self._replaying.is_under_way
                if self._storing.may_be_asked and not is_found_out:
                    self._store_waiting()
                if self._storing.is_away:
                    self._let_go()
                self._keep_room()
                self._replaying.go_on()
            except Exception:  # a thread that ends unseen would store nothing any more
                _LOG.exception("facts could not be seen to; trying again")
                sleep(REST_S)
        self._wind_up()

    def _has_to_hurry(self) -> bool:
        busy_replaying = self._replaying.is_under_way and self._storing.may_be_asked
        return (
            self._closing
            or self._flush_wanted
            or busy_replaying
            or (len(self._waiting) >= self._flush_rows and not self._stuck)
        )

    def _store_waiting(self) -> None:
        """Store what waits in memory; its segments go then, or are left over."""
        with self._changed:
            waiting, segments = list(self._waiting.values()), self._journal.take()
            self._waiting.clear()
            has_more, self._has_more_on_disk = self._has_more_on_disk, False
        todo = [each for each in waiting if not each.is_on_disk] if has_more else waiting
        todo = [*self._stuck, *todo]
        for at in range(0, len(todo), self._flush_rows):
            if self._storing.unstored([each.fact for each in todo[at : at + self._flush_rows]]):
                todo = todo[at:]
                break
        else:
            todo = []
        if todo or has_more:
            leave(segments)
            self._replaying.look_soon()
        else:
            remove(segments)
        left = waiting if has_more else todo
        self._tally.add("spooled", sum(each.is_on_disk for each in left))
        self._settle(waiting, stuck=[each for each in todo if not each.is_on_disk])

    def _let_go(self) -> None:
        """While PostgreSQL is away what is on disk leaves memory, and the rest is put on disk."""
        with self._changed:
            waiting, full = list(self._waiting.values()), self._journal.take_full()
            self._waiting.clear()
            off_disk = [each for each in waiting if not each.is_on_disk]
            on_disk = len(waiting) - len(off_disk)
            self._has_more_on_disk = self._has_more_on_disk or on_disk > 0
        self._tally.add("spooled", on_disk)
        leave(full)
        self._settle(waiting, stuck=self._unsaved(off_disk))

    def _settle(self, waiting: Sequence[_Waiting], *, stuck: list[_Waiting]) -> None:
        """Say that those who waited are seen to, but for what is `stuck` now."""
        with self._changed:
            self._settled += len(waiting)
            self._stuck = stuck
            self._changed.notify_all()

    def _unsaved(self, waiting: Iterable[_Waiting]) -> list[_Waiting]:
        """Put facts on disk, what is kept first; what is left of that when there is no room."""
        stuck: list[_Waiting] = []
        dropped: list[_Waiting] = []
        has_room = True
        all_of_them = [*self._stuck, *waiting]
        for each in sorted(all_of_them, key=lambda one: one.worth is not Worth.KEPT):
            if each.line is None:
                self._storing.reject(each.fact, ValueError("it cannot be written as JSON"))
                continue
            has_room = has_room and self._is_saved(each.line, each.worth)
            if not has_room:
                (stuck if each.worth is Worth.KEPT else dropped).append(each)
        self._drop([*dropped, *stuck[:-MOST_IN_MEMORY]])
        return stuck[-MOST_IN_MEMORY:]

    def _is_saved(self, line: str, worth: Worth) -> bool:
        """Get a line on disk, letting go of others where that makes room."""
        while True:
            with self._changed:
                if self._journal.takes(line, worth, at_once=True):
                    self._has_more_on_disk = True
                    self._tally.add("spooled")
                    return True
                full, is_full = self._journal.take_full(), self._journal.is_full
            leave(full)
            if not is_full:
                return False
            gone = self._room.drop_oldest()
            if gone is not None:
                self._tally.add_no_room(gone)
            elif worth is not Worth.KEPT or not self._room.give_up_reserve():
                return False

    def _keep_room(self) -> None:
        if monotonic() >= self._room_at:
            self._room_at = monotonic() + LOOK_FOR_ROOM_S
            self._tally.add_no_room(self._room.keep_bound())
            self._room.keep_reserve()

    def _wind_up(self) -> None:
        self._replaying.leave()
        self._storing.close()
        with self._changed:
            self._ended = True
            waiting, segments = list(self._waiting.values()), self._journal.take()
            self._waiting.clear()
        lost = [*self._stuck, *(each for each in waiting if not each.is_on_disk)]
        self._tally.add("spooled", sum(each.is_on_disk for each in waiting))
        self._drop(lost)
        self._settle(waiting, stuck=[])
        leave(segments)

    def _drop(self, waiting: Sequence[_Waiting]) -> None:
        """Let facts go for which there is no room."""
        self._tally.add_no_room(Counter(TABLES[type(each.fact)] for each in waiting))


def _line(fact: Fact) -> str | None:
    """The fact as a line; None when it is none, whatever is in it."""
    try:
        return line_of(fact)
    except (ValueError, TypeError, RecursionError):
        return None
