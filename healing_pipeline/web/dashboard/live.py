"""The overview and its sockets, kept up to date by a thread that follows the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.storage.health_feed import HealthFeed, HealthNews
from healing_pipeline.web.dashboard.board import Board
from healing_pipeline.web.dashboard.sockets import Sockets


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
