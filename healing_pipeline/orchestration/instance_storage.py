"""Dagster's own storage on whichever PostgreSQL this installation uses.

`dagster-postgres` wants a URL in dagster.yaml; the embedded server has one only once it runs. This
class finds the server first (and starts the embedded one if need be), so that every Dagster command
works in the project's folder without an environment to set up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from dagster import DagsterEventType, EventLogEntry
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import create_pg_engine

from healing_pipeline.installation import state_dir
from healing_pipeline.storage.database import resolve_database

# Connections that a process keeps; more are opened and closed again as needed. The daemon's threads
# seldom ask for more than this at once.
KEPT = 4
MOST_EXTRA = 50

# Older connections are opened anew, so that those of a busy hour do not stay for the quiet ones.
OLDEST_S = 300

# One of each storage's, by which Dagster itself knows whether its tables are there.
TABLES = ("runs", "event_logs", "jobs", "instance_info")


class InstallationStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage` at the address `resolve_database` gives, with connections kept.

    Dagster opens a connection for each statement, so that an instance that is left lying about
    holds none. Opening them is most of the time between a sensor's answer and the first step of its
    run, and most of PostgreSQL's work. Here the three storages of a process share a few.
    """

    def __init__(self, postgres_url: str, *args: Any, **kwargs: Any) -> None:
        engine = _pooled(postgres_url)
        super().__init__(
            postgres_url, *args, **{**kwargs, "should_autocreate_tables": not _has_tables(engine)}
        )
        self._run_storage = RunsOnKeptConnections(postgres_url, should_autocreate_tables=False)
        self._event_log_storage = BatchedEventLog(postgres_url, should_autocreate_tables=False)
        self._schedule_storage = SchedulesOnKeptConnections(
            postgres_url, should_autocreate_tables=False
        )
        for each in (self._run_storage, self._event_log_storage, self._schedule_storage):
            each._engine = engine

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure in dagster.yaml: the environment says it all."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 (Dagster's signature)
    ) -> InstallationStorage:
        """Build the storage; the embedded server, if it is that, lives as long as its users."""
        address = resolve_database(os.environ, state_dir(os.environ), is_tried=False)
        return cls(postgres_url=address.dagster_url, inst_data=inst_data)


def _has_tables(engine: Any) -> bool:
    there = " AND ".join(f"to_regclass('{name}') IS NOT NULL" for name in TABLES)
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql(f"SELECT {there}").scalar())


def _pooled(postgres_url: str, statement_timeout_ms: int = 0) -> Any:
    """An engine that keeps a few connections and looks whether one lives before it is used."""
    return create_pg_engine(
        postgres_url,
        isolation_level="AUTOCOMMIT",
        pool_size=KEPT,
        max_overflow=MOST_EXTRA,
        pool_recycle=OLDEST_S,
        pool_pre_ping=True,
        pool_use_lifo=True,
        # Or each new connection begins by looking for a type that Dagster does not use.
        use_native_hstore=False,
        connect_args={"options": f"-c statement_timeout={statement_timeout_ms}"},
    )


class KeepsConnections:
    """A storage whose connections are kept already, also where Dagster asks for that."""

    postgres_url: str
    _engine: Any

    def optimize_for_webserver(
        self,
        statement_timeout: int,
        pool_recycle: int,  # noqa: ARG002 (Dagster's signature)
        max_overflow: int,  # noqa: ARG002
    ) -> None:
        """Limit the statements of a process that serves pages; 0 ms limits nothing."""
        if statement_timeout > 0:
            self._engine = _pooled(self.postgres_url, statement_timeout)

    def dispose(self) -> None:
        """Hang up. A statement after this connects anew."""
        super().dispose()  # type: ignore[misc]
        self._engine.dispose()


class RunsOnKeptConnections(KeepsConnections, PostgresRunStorage):
    """`PostgresRunStorage` with connections kept, and what it asks of its table known."""

    _has_times: bool = False

    def has_run_stats_index_cols(self) -> bool:
        """Whether runs have their times; once they do, they do.

        Dagster describes the whole table for each run that it reads, half a dozen times in each
        run; that is 10 ms of a process that has one run to do.
        """
        if not self._has_times:
            with self.connect() as connection:
                found = connection.exec_driver_sql(
                    "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('runs')"
                    " AND attname IN ('start_time', 'end_time')"
                )
                self._has_times = found.scalar() == 2
        return self._has_times


class SchedulesOnKeptConnections(KeepsConnections, PostgresScheduleStorage):
    """`PostgresScheduleStorage` with connections kept, and what it asks of its tables known."""

    _has_instigators: bool = False

    def _has_instigators_table(self, conn: Any) -> bool:
        """Whether sensors have their table; once they do, they do.

        Dagster lists all tables several times in each tick of each sensor.
        """
        self._has_instigators = self._has_instigators or bool(super()._has_instigators_table(conn))
        return self._has_instigators


class BatchedEventLog(KeepsConnections, PostgresEventLogStorage):
    """`PostgresEventLogStorage` with fewer statements; it also stores plans by the batch.

    A run over a year of hours plans 8,760 of them. Dagster has batches for what was materialised
    (``DAGSTER_EVENT_BATCH_SIZE``) and falls back to a connection for each that is planned: 14 ms
    instead of 1, two minutes of every such run.
    """

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; one that is of a run alone in one statement.

        `PostgresEventLogStorage` adds a ``NOTIFY`` to which no Dagster of this version listens: it
        looks for events instead. That is every other statement of a run.
        """
        found = event.dagster_event
        if found is not None and (
            found.event_type in ASSET_EVENTS or found.event_type in ASSET_CHECK_EVENTS
        ):
            super().store_event(event)
            return
        statement = self.prepare_insert_event(event)
        with self._connect() as connection:
            connection.execute(statement)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store a batch; plans of one asset in one statement, all else as Dagster does."""
        found = [each.get_dagster_event() for each in events]
        keys = {each.asset_key for each in found}
        types = {each.event_type for each in found}
        if types != {DagsterEventType.ASSET_MATERIALIZATION_PLANNED} or len(keys) != 1:
            super().store_event_batch(events)
            return
        statement = self.prepare_insert_event_batch(events)
        with self._connect() as connection:
            inserted = connection.execute(statement.returning(SqlEventLogStorageTable.c.id))
            newest = max(int(row[0]) for row in inserted.fetchall())
        with self.index_transaction() as connection:
            self._store_asset_event(connection, events[-1], newest)
