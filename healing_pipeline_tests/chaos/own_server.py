"""A PostgreSQL server of a trial's own, that can be killed, or have no connection left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from healing_pipeline.storage.database import Database
from healing_pipeline.storage.embedded import EmbeddedServer
from healing_pipeline.storage.migration import migrate

DATABASE = "healing"
# Superusers have places of their own; these are ours to take as well.
HOGS = 4


class OwnServer:
    """Starts with a migrated database; nobody but the trial starts it again."""

    def __init__(self, folder: Path, most_connections: int | None = None) -> None:
        self._folder = folder
        self._server = EmbeddedServer(folder).start()
        self._server.ensure_database(DATABASE)
        self.url = self._server.url(DATABASE)
        with Database(self.url, max_size=1) as database:
            migrate(database)
        if most_connections is not None:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(f"ALTER SYSTEM SET max_connections = {most_connections}")
            self._server.stop(force=True)
            self.start_again()

    def kill(self) -> int:
        """Kill the postmaster and every backend with SIGKILL; how many processes that were."""
        pid = int((self._server.data_dir / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        return len(family)

    def start_again(self) -> None:
        """Start it where it was."""
        self._server = EmbeddedServer(self._folder).start()
        assert self._server.url(DATABASE) == self.url, "it is somewhere else now"

    def stop(self) -> None:
        self._server.stop(force=True)

    def rows(self, statement: str, *values: object) -> list[Any]:
        """What the tables say, by a connection that is closed again."""
        options = "-c search_path=healing,public -c TimeZone=UTC"
        with psycopg.connect(self.url, options=options) as connection:
            return connection.execute(statement, values or None).fetchall()

    def connections(self) -> dict[str, int]:
        """Connections of ours, by whose they are."""
        return dict(
            self.rows(
                """SELECT application_name, count(*) FROM pg_stat_activity
                    WHERE application_name LIKE 'healing%' GROUP BY 1"""
            )
        )

    @contextmanager
    def used_up(self) -> Iterator[dict[str, int]]:
        """Take every connection there is, those of ours included, for as long as the block lasts.

        What others had is ended and taken over at once, again and again. Yields what was taken.
        """
        taken: list[psycopg.Connection[Any]] = []
        seen = {"taken": 0, "ended": 0, "refused": 0}
        stopped = threading.Event()
        first = psycopg.connect(self.url, autocommit=True, application_name="others")

        def take() -> None:
            while not stopped.wait(0.005):
                try:
                    taken.append(psycopg.connect(self.url, application_name="others"))
                    seen["taken"] += 1
                except psycopg.OperationalError:
                    seen["refused"] += 1
                    stopped.wait(0.05)

        def end() -> None:
            while not stopped.wait(0.1):
                ended = first.execute(
                    """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE application_name LIKE 'healing%'"""
                )
                seen["ended"] += len(ended.fetchall())

        threads = [threading.Thread(target=take, daemon=True) for _ in range(HOGS)]
        threads.append(threading.Thread(target=end, daemon=True))
        for each in threads:
            each.start()
        try:
            yield seen
        finally:
            stopped.set()
            for each in threads:
                each.join(10)
            for connection in (*taken, first):
                connection.close()
