"""What one process of the control path holds open: a data path and the database it works on.

Whoever only reads needs no database: see `client` and `data_path`.

The engine is async; Dagster's ops and the command line are not. An anyio portal runs one event loop
in a thread of its own, so that a process has one connection pool however many threads ask.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.watching import Watcher
from healing_pipeline.data_path import Engine, asked_in, new_engine
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.guard.cooldowns import CooldownNews
from healing_pipeline.healing.guard.shares import Key, Use
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock
from healing_pipeline.installation import (
    allowed_hosts,
    load_catalog,
    state_dir,
    system_clock,
    watched_shards,
)
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.shared_limits import SharedLimits
from healing_pipeline.storage.shared_memory import about, everything
from healing_pipeline.storage.spool_room import spool_bytes
from healing_pipeline.transport.reaching import Reach

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Session:
    """The open parts of one process; made by `open_session`.

    Attributes
    ----------
    limits : SharedLimits
        Tells others what limits were met here. Who goes on for longer than a run starts it, and so
        hears of theirs.
    """

    catalog: Catalog
    engine: HealingEngine
    database: Database
    recorder: Recorder
    watcher: Watcher
    snapshots: SnapshotMemory
    routes: RouteTable
    clock: Clock
    portal: BlockingPortal
    loop: asyncio.AbstractEventLoop
    parts: Engine
    limits: SharedLimits

    def catch_up(self, endpoint: str | None = None) -> None:
        """Take over what the database knows by now: all of it, or what healing one endpoint needs.

        Raises
        ------
        StorageError
            If PostgreSQL cannot be had.
        """
        sources, now = self.catalog.sources.values(), self.clock.now()
        with self.database.connection() as connection:
            if endpoint is None:
                news = everything(connection, sources, now)
            else:
                news = about(connection, endpoint, sources, now)
        self.portal.call(self.parts.take, news)

    def call(self, work: Callable[..., Awaitable[Result]], *args: Any) -> Result:
        """Run `work` on the session's event loop and wait for it; safe from any thread."""
        return self.portal.call(work, *args)

    def begin(self, work: Callable[..., Coroutine[Any, Any, Result]], *args: Any) -> Future[Result]:
        """Begin `work` on the session's event loop and return at once; safe from any thread.

        A portal's own `start_task_soon` waits for the loop: whoever holds a lock that the loop
        wants would wait for ever.
        """
        return asyncio.run_coroutine_threadsafe(work(*args), self.loop)


def open_session(
    stack: ExitStack,
    config: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    caught_up: bool = True,
) -> Session:
    """Open everything; `stack` closes it again, last opened first.

    Parameters
    ----------
    caught_up : bool
        False leaves what the database knows to `Session.catch_up`: who opens a session long before
        its use, or for one endpoint only, would read it for nothing.

    Raises
    ------
    ConfigurationError
        If the configuration cannot be used.
    StorageError
        If PostgreSQL cannot be had.
    """
    catalog = load_catalog(config, environ)
    folder = state_dir(environ)
    # Who catches up later finds out by its first connection; trying one would cost another.
    address = resolve_database(environ, folder, is_tried=caught_up)
    stack.callback(address.close)
    database = stack.enter_context(Database(address.url))
    bring_up_to_date(database, address.owner_url)
    recorder = Recorder(address.url, folder / "spool", most_bytes=spool_bytes(environ))
    stack.callback(recorder.close)
    portal = stack.enter_context(start_blocking_portal())
    clock = system_clock()
    loop = portal.call(asyncio.get_running_loop)

    def take(heard: tuple[CooldownNews, ...]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(parts.engine.take_over, heard)

    def share_out(shares: Mapping[Key, int]) -> Mapping[Key, Use]:
        return asked_in(loop, parts.engine.share_out, shares)

    limits = SharedLimits(address.url, take, share_out)
    parts = new_engine(catalog, recorder.record, limits.tell)
    stack.callback(limits.close)
    stack.callback(portal.call, parts.sender.aclose)
    stack.callback(portal.call, parts.engine.aclose)
    reach = Reach(allowed_hosts(catalog))
    shards = watched_shards(catalog, config, environ)
    watcher = Watcher(catalog, parts.engine, database, recorder.record, clock, reach, shards)
    stack.callback(portal.call, watcher.aclose)
    session = Session(
        catalog=catalog,
        engine=parts.engine,
        database=database,
        recorder=recorder,
        watcher=watcher,
        snapshots=parts.snapshots,
        routes=parts.routes,
        clock=clock,
        portal=portal,
        loop=loop,
        parts=parts,
        limits=limits,
    )
    if caught_up:
        session.catch_up()
    return session
