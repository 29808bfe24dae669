"""Looks at sources, or shards of them, that run in the background, and when the next one is due.

A look belongs to nobody: a tick that ends leaves it running, and whoever looks at that source next
has its outcome. So an endpoint that hangs delays no tick.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

from healing_pipeline.control.look import Look
from healing_pipeline.control.news import News
from healing_pipeline.control.watching import Watcher
from healing_pipeline.healing.parts import Clock
from healing_pipeline.storage import probes
from healing_pipeline.storage.database import Database

# Without news the tables are looked at this often; with news, only in case some got lost.
POLL_S, POLL_WITH_NEWS_S = 1.0, 2.5

# Readers that fail all the time tell so all the time: a look that finds nothing new is followed by
# the next after twice the pause.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0


@dataclass(slots=True)
class SourceLooks:
    """What is known of the looks at one source.

    Attributes
    ----------
    ended : list
        What looks found that no tick has told yet.
    next_at : float
        When to look again, if nothing is heard.
    pause_s : float
        How soon after the last look what is heard makes for another.
    failures, requests : int
        The news that were looked into.
    has_requests : bool
        Whether a look has found requests that nobody has read.
    """

    running: Future[Any] | None = None
    ended: list[Look | BaseException] = field(default_factory=list)
    looked_at: float = 0.0
    next_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    failures: int = 0
    requests: int = 0
    has_requests: bool = True


class Looks:
    """The looks of one process.

    Parameters
    ----------
    watcher, database, clock
    start : callable
        Starts a coroutine function on the event loop of the watcher's engine. It must not wait for
        that loop, which takes the lock when a look ends.
    name_of : callable
        The name under which an endpoint is looked at; None when it is not looked at here.

    Attributes
    ----------
    changed : threading.Condition
        The lock of everything here; `close`, `tell` and `wait_for_change` take it themselves, for
        all else the caller holds it.
    """

    def __init__(
        self,
        watcher: Watcher,
        database: Database,
        clock: Clock,
        *,
        start: Callable[..., Future[Any]],
        name_of: Callable[[str], str | None],
    ) -> None:
        self._watcher = watcher
        self._database = database
        self._clock = clock
        self._start = start
        self.changed = threading.Condition()
        self._changes = 0
        self._sources: defaultdict[str, SourceLooks] = defaultdict(SourceLooks)
        self.news = News(database.url, name_of, self.tell)

    def close(self, timeout_s: float) -> None:
        """Hear no more, and let the looks that run come to their ends."""
        self.news.close()
        with self.changed:
            running = [each.running for each in self._sources.values() if each.running]
        wait(running, timeout=timeout_s)

    def tell(self) -> None:
        """Wake whoever waits."""
        with self.changed:
            self._changes += 1
            self.changed.notify_all()

    @property
    def changes(self) -> int:
        """How often somebody was told of a change."""
        return self._changes

    def wait_for_change(self, since: int, until: float) -> None:
        """Wait until there was a change after the first `since`; until a moment at most."""
        with self.changed:
            self.changed.wait_for(
                lambda: self._changes != since, timeout=max(0.0, until - monotonic())
            )

    def is_running(self, names: Collection[str]) -> bool:
        """Whether any of these sources is being looked at."""
        return any(self._sources[name].running for name in names)

    def make_due(self, name: str) -> None:
        """Let the next look begin as soon as somebody asks for it."""
        self._sources[name].next_at = 0.0

    def take_ended(self, name: str) -> list[Look | BaseException]:
        """What looks found, or failed with, since this was last asked."""
        source = self._sources[name]
        ended, source.ended = source.ended, []
        return ended

    def take_told(self, names: Collection[str]) -> list[str]:
        """The sources whose requests are to be read, because there may be new ones."""
        told = []
        for name in names:
            source, requests = self._sources[name], self.news.requests(name)
            if source.has_requests or source.requests != requests:
                source.has_requests, source.requests = False, requests
                told.append(name)
        return told

    def look_if_due(self, name: str) -> None:
        """Begin a look, unless one runs or it is too early for one."""
        source = self._sources[name]
        if source.running is not None or monotonic() < self._look_at(name, source):
            return
        failures = self.news.failures(name)
        if failures == source.failures:
            source.pause_s = FIRST_PAUSE_S
        source.failures = failures
        source.running = self._start(self._look, name)
        source.running.add_done_callback(lambda ended: self._end(name, ended))

    def due_times(self, names: Collection[str]) -> Iterator[float]:
        """When looks are due, as far as is known now."""
        for name in names:
            source = self._sources[name]
            if source.running is None:
                yield self._look_at(name, source)

    def _look_at(self, name: str, source: SourceLooks) -> float:
        at = source.next_at
        if not self.news.is_listening:
            at = min(at, source.looked_at + POLL_S)
        if self.news.failures(name) != source.failures:
            at = min(at, source.looked_at + source.pause_s)
        return at

    async def _look(self, name: str) -> tuple[Look, float]:
        """Look, and say for how many seconds nothing is due."""
        look = await self._watcher.look(name)
        due_at = await asyncio.to_thread(self._next_due_at, name)
        if due_at is None:
            return look, POLL_WITH_NEWS_S
        return look, (due_at - self._clock.now()).total_seconds()

    def _next_due_at(self, name: str) -> datetime | None:
        with self._database.connection() as connection:
            return probes.next_due_at(connection, self._watcher.shards.named(name))

    def _end(self, name: str, ended: Future[tuple[Look, float]]) -> None:
        # A session that is closed cancels what still runs.
        error = CancelledError() if ended.cancelled() else ended.exception()
        with self.changed:
            source, now = self._sources[name], monotonic()
            source.running, source.looked_at, source.next_at = None, now, now + POLL_S
            if error is not None:
                source.ended.append(error)
            else:
                look, due_in_s = ended.result()
                source.ended.append(look)
                source.has_requests = source.has_requests or bool(look.requests)
                source.next_at = now + min(max(FIRST_PAUSE_S, due_in_s), POLL_WITH_NEWS_S)
                source.pause_s = (
                    FIRST_PAUSE_S if look.probed else min(2 * source.pause_s, LONGEST_PAUSE_S)
                )
        self.tell()
