"""What one process holds open: engine, client, database, recorder; for edges that are not async.

The engine is async; Dagster's ops and the command line are not. An anyio portal runs one event loop
in a thread of its own, so that a process has one connection pool however many threads ask.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.watching import Watcher
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.strategy import Snapshot
from healing_pipeline.healing.upstream import Clock
from healing_pipeline.installation import (
    allowed_hosts,
    build_engine,
    load_catalog,
    state_dir,
    system_clock,
)
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.migration import migrate
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.routes import active_routes
from healing_pipeline.storage.snapshots import load_snapshots
from healing_pipeline.transport.http import HttpSender, new_client

Result = TypeVar("Result")

# Older data is of no use to any strategy there is.
SNAPSHOTS_WORTH_LOADING = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """The open parts of one process; made by `open_session`."""

    catalog: Catalog
    engine: HealingEngine
    database: Database
    recorder: Recorder
    watcher: Watcher
    snapshots: SnapshotMemory
    routes: RouteTable
    clock: Clock
    portal: BlockingPortal

    def call(self, work: Callable[..., Awaitable[Result]], *args: Any) -> Result:
        """Run `work` on the session's event loop and wait for it; safe from any thread."""
        return self.portal.call(work, *args)

    def refresh_routes(self) -> None:
        """Take over the routes as the database has them now."""
        with self.database.connection() as connection:
            self.routes.replace_all(active_routes(connection))


def open_session(
    stack: ExitStack, config: Path, environ: Mapping[str, str] = os.environ
) -> Session:
    """Open everything; `stack` closes it again, last opened first.

    Raises
    ------
    ConfigurationError
        If the configuration cannot be used.
    StorageError
        If PostgreSQL cannot be had.
    """
    catalog = load_catalog(config, environ)
    folder = state_dir(environ)
    address = resolve_database(environ, folder)
    stack.callback(address.close)
    database = stack.enter_context(Database(address.url))
    migrate(database)
    recorder = Recorder(address.url, folder / "spool")
    stack.callback(recorder.close)
    portal = stack.enter_context(start_blocking_portal())
    clock = system_clock()
    snapshots, routes = SnapshotMemory(), RouteTable()
    sender = HttpSender(new_client(), allowed_hosts(catalog))
    stack.callback(portal.call, sender.aclose)
    engine = build_engine(
        catalog,
        send=sender.send,
        record=recorder.record,
        clock=clock,
        snapshots=snapshots,
        routes=routes,
    )
    with database.connection() as connection:
        for each in load_snapshots(connection, newer_than=clock.now() - SNAPSHOTS_WORTH_LOADING):
            snapshots.put(
                each.endpoint,
                each.request_key,
                Snapshot(
                    each.fetched_at, each.reading, each.body, each.provider, Fidelity(each.fidelity)
                ),
            )
        routes.replace_all(active_routes(connection))
    watcher = Watcher(catalog, engine, database, recorder.record, clock)
    return Session(catalog, engine, database, recorder, watcher, snapshots, routes, clock, portal)
