"""The overview as it is at this moment, and the sockets that are told of every change.

The state is made in the thread that follows the database and handed to the event loop as finished
text. A browser that cannot keep up is sent everything anew instead of all that it missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from time import sleep
from uuid import uuid4

from starlette.websockets import WebSocket, WebSocketDisconnect

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.health_feed import HealthFeed, HealthNews
from healing_pipeline.storage.health_quarters import QUARTER, quarter_of
from healing_pipeline.web.dashboard.banner import banner_of, line, when_away
from healing_pipeline.web.dashboard.bars import worst
from healing_pipeline.web.dashboard.deltas import Changes, State
from healing_pipeline.web.dashboard.parts import Banner
from healing_pipeline.web.dashboard.rendering import clock
from healing_pipeline.web.dashboard.snapshot import (
    Known,
    Row,
    Shown,
    endpoint_shown,
    letter_now,
    source_shown,
    summary_of,
)
from healing_pipeline.web.dashboard.striking import striking_for

# Between so many rows the interpreter is given up, to the event loop that answers readers.
ROWS_AT_A_TIME = 10
MOST_SOCKETS = 200
MOST_WAITING = 64  # messages to one browser
PING_EVERY_S = 15.0
_TRY_LATER, _NOT_ASKED = 1013, 1008


class Board:
    """What the overview shows, kept up to date by the thread that follows the database.

    Parameters
    ----------
    catalog : Catalog
    now : datetime
        When the process began to look.
    """

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self._catalog = catalog
        self._strike = striking_for(catalog).text
        self._sources = {
            name: tuple(each.id for each in catalog.endpoints_of(name)) for name in catalog.sources
        }
        self._known: dict[str, Known] = {each: Known() for each in catalog.endpoints}
        self._shown: dict[str, Shown] = {}
        self._source_rows: dict[str, Row] = {}
        self._newest, self._today = 0, now.date()
        self._calm = Banner()
        self._read_at: datetime | None = None
        self.banner = Banner((line(Severity.INFO, "Nothing was read from PostgreSQL yet."),))
        self.changes = Changes(uuid4().hex)
        self.take(HealthNews(now))

    def take(self, news: HealthNews) -> str | None:
        """Take news over; the message to every browser, or None when they change nothing."""
        if news.away_since is not None:
            self.banner = when_away(self._calm, news.away_since, self._read_at)
        elif news.standings is not None:
            standings = {
                name: replace(each, evidence=self._strike(each.evidence or ""))
                for name, each in news.standings.items()
            }
            self._calm = banner_of(
                news.groups,
                {name: each for name, each in standings.items() if name in self._known},
                news.outage,
                endpoints=len(self._known),
                strike=self._strike,
            )
            self.banner, self._read_at = self._calm, news.at
            for name, known in self._known.items():
                standing = standings.get(name)
                if standing == known.standing:
                    continue
                worst_now = worst((known.worst_now, letter_now(standing)))
                self._know(name, replace(known, standing=standing, worst_now=worst_now))
        if news.lately is not None:
            self._read_at = news.at
            for name, known in self._known.items():
                self._know(
                    name,
                    replace(
                        known,
                        day=known.day if news.day is None else news.day.get(name),
                        lately=news.lately.get(name),
                        fidelity=(news.fidelity or {}).get(name),
                    ),
                )
        self._turn_to(news.at)
        return self.changes.publish(self._state())

    def _know(self, name: str, known: Known) -> None:
        if known != self._known[name]:
            self._known[name] = known
            self._shown.pop(name, None)

    def _turn_to(self, at: datetime) -> None:
        """Begin a new quarter, or a new day, when it has come."""
        newest = int(quarter_of(at).timestamp() / QUARTER.total_seconds())
        if (newest, at.date()) == (self._newest, self._today):
            return
        if newest != self._newest:
            self._known = {
                name: replace(each, worst_now=letter_now(each.standing))
                for name, each in self._known.items()
            }
        self._newest, self._today = newest, at.date()
        self._shown.clear()

    def _state(self) -> State:
        changed = {name for name in self._known if name not in self._shown}
        for number, name in enumerate(changed):
            if number % ROWS_AT_A_TIME == 0:
                sleep(0)  # readers go first
            self._shown[name] = endpoint_shown(self._known[name], self._newest, self._today)
        rows: dict[str, Row] = {}
        for source, names in self._sources.items():
            if not changed.isdisjoint(names) or source not in self._source_rows:
                self._source_rows[source] = source_shown([self._shown[name] for name in names])
            rows[source] = self._source_rows[source]
            rows |= {name: self._shown[name].row for name in names}
        top = {
            "at": clock(self._read_at),
            "summary": summary_of(self._shown.values()),
            "banner": [
                [each.level, each.mark, each.word, each.text, each.href or ""]
                for each in self.banner.lines
            ],
        }
        return State(top, rows)


class Sockets:
    """The browsers that are told of changes. Belongs to one event loop.

    Parameters
    ----------
    changes : Changes
    watch : callable
        Is called as long as anybody looks.
    """

    def __init__(self, changes: Changes, watch: Callable[[], None]) -> None:
        self._changes = changes
        self._watch = watch
        self._visitors: set[_Visitor] = set()

    def tell(self, message: str) -> None:
        """Send a message to every browser, sooner or later."""
        for each in self._visitors:
            each.add(message)

    async def serve(self, socket: WebSocket) -> None:
        """One browser, until it goes away."""
        if len(self._visitors) >= MOST_SOCKETS:
            await socket.close(_TRY_LATER)
            return
        await socket.accept()
        visitor = _Visitor()
        self._visitors.add(visitor)
        missed = self._changes.since(
            socket.query_params.get("epoch", ""), number_in(socket.query_params.get("after", ""))
        )
        visitor.begin_with(missed)
        sending = asyncio.create_task(self._send(socket, visitor))
        hearing = asyncio.create_task(_hear(socket))
        try:
            await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._visitors.discard(visitor)
            for task in (sending, hearing):
                task.cancel()
            await asyncio.gather(sending, hearing, return_exceptions=True)

    async def _send(self, socket: WebSocket, visitor: _Visitor) -> None:
        while True:
            self._watch()
            for message in visitor.taken(self._changes.whole):
                await socket.send_text(message)
            if not await visitor.is_told_within(PING_EVERY_S):
                await socket.send_text('{"ping":true}')


class _Visitor:
    """What waits to be sent to one browser."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._needs_whole = False
        self._is_told = asyncio.Event()

    def begin_with(self, missed: list[str] | None) -> None:
        """Send what was missed, or everything."""
        self._needs_whole = missed is None
        self._waiting.extendleft(reversed(missed or []))
        self._is_told.set()

    def add(self, message: str) -> None:
        """One more; when there are too many, everything takes their place."""
        self._waiting.append(message)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            self._needs_whole = True
        self._is_told.set()

    def taken(self, whole: Callable[[], str]) -> list[str]:
        """What is to be sent now; it waits no longer."""
        messages = list(self._waiting)
        self._waiting.clear()
        if self._needs_whole:
            self._needs_whole = False
            # What waited besides is part of it: a number that is known is passed over.
            return [whole()]
        return messages

    async def is_told_within(self, seconds: float) -> bool:
        """Wait for something to send; False when nothing came."""
        try:
            async with asyncio.timeout(seconds):
                await self._is_told.wait()
        except TimeoutError:
            return False
        self._is_told.clear()
        return True


async def _hear(socket: WebSocket) -> None:
    """Notice that the browser goes away; it has nothing to say, and what it says ends it too."""
    try:
        await socket.receive_text()
        await socket.close(_NOT_ASKED)
    except (WebSocketDisconnect, KeyError, RuntimeError):
        return


def number_in(text: str) -> int:
    """The number of a message that somebody says to know; -1 when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1


class Live:
    """Board, sockets and the thread that follows the database, put together.

    Parameters
    ----------
    url : callable
        Where the database is; raises `ConnectionError` as long as nobody knows.
    """

    def __init__(
        self, catalog: Catalog, url: Callable[[], str], now: Callable[[], datetime]
    ) -> None:
        self.board = Board(catalog, now())
        self._feed = HealthFeed(url, list(catalog.endpoints), now=now, take=self._take)
        self.sockets = Sockets(self.board.changes, self._feed.watch)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to follow; to be called in the event loop that serves the sockets."""
        self._loop = asyncio.get_running_loop()
        self._feed.start()

    def close(self) -> None:
        """Stop following."""
        self._feed.close()

    def watch(self) -> None:
        """Somebody looks at the page."""
        self._feed.watch()

    def _take(self, news: HealthNews) -> None:
        message = self.board.take(news)
        if message is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.sockets.tell, message)
