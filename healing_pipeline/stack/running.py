"""A stack that runs: what is told of it, and what is done when a part or the clock fails it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.errors import StorageError
from healing_pipeline.healing.wall_clock import WallClock
from healing_pipeline.stack.account import Line, line_for
from healing_pipeline.stack.supervision import Part, Supervisor, Tell
from healing_pipeline.storage.database import Database, Listener, listen
from healing_pipeline.storage.embedded import EmbeddedServer

if TYPE_CHECKING:
    from healing_pipeline.stack.plan import Plan

TEND_EVERY_S = 0.25


class Stack:
    """A stack that runs.

    Parameters
    ----------
    make_due : callable
        Lets Dagster's sensors tick again, which wait for moments of a clock that was ahead.
    """

    def __init__(
        self,
        plan: Plan,
        catalog: Catalog,
        database: Database,
        supervisor: Supervisor,
        tell: Tell,
        make_due: Callable[[], object],
    ) -> None:
        self.plan = plan
        self.catalog = catalog
        self._database = database
        self._supervisor = supervisor
        self._tell = tell
        self._make_due = make_due
        self._wall = WallClock()

    def watch(self, show: Callable[[Line], None], stopped: Callable[[], bool]) -> None:
        """Show every piece of news until `stopped`; start again what ends by itself."""
        away = False
        while not stopped():
            try:
                with listen(self._database.url, ["healing_incident"]) as listener:
                    if away:
                        self._tell(
                            "PostgreSQL answers again. What happened meanwhile is on the dashboard."
                        )
                    away = False
                    self._show_news(listener, show, stopped)
            except (StorageError, psycopg.Error) as error:
                if not away:
                    reason = str(error).partition("\n")[0]
                    self._tell(f"PostgreSQL is away; the gateway serves without it. {reason}")
                away = True
                self._tend()
                time.sleep(TEND_EVERY_S)

    def _tend(self) -> None:
        self._supervisor.tend()
        by = self._wall.was_set_back(datetime.now(UTC), time.monotonic())
        if by is not None:
            self._tell(
                f"The clock was set back by {by.total_seconds():.0f} s. What has ticked by the old "
                "one is made due again."
            )
            self._make_due()

    def _show_news(
        self, listener: Listener, show: Callable[[Line], None], stopped: Callable[[], bool]
    ) -> None:
        while not stopped():
            self._tend()
            for notice in listener.notices(TEND_EVERY_S):
                self._tend()
                with self._database.connection() as connection:
                    line = line_for(connection, notice)
                if line is not None:
                    show(line)
                if stopped():
                    return


def server_part(server: EmbeddedServer) -> Part:
    """The embedded PostgreSQL as a part that is started again."""
    return Part(
        name="PostgreSQL",
        ended=lambda: "its process is gone" if server.has_died else None,
        start=server.revive,
        last_words=lambda: f"Read {server.data_dir / 'log'}.",
    )
