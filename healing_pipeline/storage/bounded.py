"""PostgreSQL for those who may wait a little and no longer: the pages of the dashboard.

The data path must not feel them. They have a few threads and connections of their own, each
statement has a time limit, and where too many wait already the next one is refused at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
from psycopg import Connection

from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.statements import load_statements

Result = TypeVar("Result")
Work = Callable[[Connection[Any]], Result]

_SQL = load_statements("dashboards")

THREADS = 3
STATEMENT_LIMIT_S = 4.0
ANSWER_WITHIN_S = 6.0
MOST_WAITING = 60


class BoundedDatabase:
    """Reads and writes from an event loop, without holding it up.

    Parameters
    ----------
    url : callable
        Where the database is; raises `ConnectionError` as long as nobody knows.
    """

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="healing-pages")
        self._database: Database | None = None
        self._opening = threading.Lock()
        self._waiting = 0

    async def read(self, work: Work[Result]) -> Result:
        """What `work` makes of a connection on which nothing can be changed.

        Raises
        ------
        StorageError
            If PostgreSQL is away, too slow, or asked by too many.
        """
        return await self._within_limits(lambda: self._do(work, is_reading=True))

    async def write(self, work: Work[Result]) -> Result:
        """What `work` returns once all that it did is committed.

        Raises
        ------
        StorageError
            If PostgreSQL is away, too slow, or asked by too many. Then nothing was changed, unless
            it had been on the point of answering.
        """
        return await self._within_limits(lambda: self._do(work, is_reading=False))

    async def compute(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, from one of the same threads: what takes more than a millisecond."""
        return await self._within_limits(work)

    def close(self) -> None:
        """Hang up; what is being read ends by its own time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._opening:
            if self._database is not None:
                self._database.close()
                self._database = None

    async def _within_limits(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= MOST_WAITING:
            raise StorageError("Too many pages are waiting for PostgreSQL. Ask again in a moment.")
        self._waiting += 1
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, work)
        except TimeoutError:
            raise StorageError(
                f"PostgreSQL has not answered within {ANSWER_WITHIN_S:.0f} s. Ask again later."
            ) from None
        finally:
            self._waiting -= 1

    def _do(self, work: Work[Result], *, is_reading: bool) -> Result:
        try:
            with self._opened().connection() as connection:
                if is_reading:
                    _SQL.read_only(connection)
                _SQL.limit_statement(connection, limit_ms=round(STATEMENT_LIMIT_S * 1000))
                return work(connection)
        except ConnectionError as error:
            raise StorageError(f"PostgreSQL is away: {error}.") from error
        except psycopg.errors.QueryCanceled as error:
            raise StorageError(
                f"PostgreSQL took longer than {STATEMENT_LIMIT_S:.0f} s. Ask for less, or later."
            ) from error
        except psycopg.OperationalError as error:
            raise StorageError(f"PostgreSQL is away ({error}).") from error

    def _opened(self) -> Database:
        with self._opening:
            if self._database is None:
                self._database = Database(self._url(), min_size=0, max_size=THREADS, timeout_s=2.0)
            return self._database
