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
from dagster._core.storage.event_log import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine

from healing_pipeline.installation import state_dir
from healing_pipeline.storage.database import resolve_database

# Connections that a storage keeps in each process; more are opened and closed again as needed. The
# daemon's threads seldom ask for more than this at once.
KEPT = 3
MOST_EXTRA = 50

# Older connections are opened anew, so that those of a busy hour do not stay for the quiet ones.
OLDEST_S = 300


class InstallationStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage` at the address `resolve_database` gives, with connections kept.

    Dagster opens a connection for each statement, so that an instance that is left lying about
    holds none; that is most of the time between a sensor's answer and the first step of its run.
    """

    def __init__(self, postgres_url: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(postgres_url, *args, **kwargs)
        self._event_log_storage = BatchedEventLog(postgres_url, self.should_autocreate_tables)
        for each in (self._run_storage, self._event_log_storage, self._schedule_storage):
            each._engine.dispose()
            each._engine = _pooled(postgres_url)

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
        address = resolve_database(os.environ, state_dir(os.environ))
        return cls(
            postgres_url=address.dagster_url, should_autocreate_tables=True, inst_data=inst_data
        )


def _pooled(postgres_url: str) -> Any:
    """An engine that keeps a few connections and looks whether one lives before it is used."""
    return create_pg_engine(
        postgres_url,
        isolation_level="AUTOCOMMIT",
        pool_size=KEPT,
        max_overflow=MOST_EXTRA,
        pool_recycle=OLDEST_S,
        pool_pre_ping=True,
        pool_use_lifo=True,
    )


class BatchedEventLog(PostgresEventLogStorage):
    """`PostgresEventLogStorage` that also stores planned materialisations by the batch.

    A run over a year of hours plans 8,760 of them. Dagster has batches for what was materialised
    (``DAGSTER_EVENT_BATCH_SIZE``) and falls back to a connection for each that is planned: 14 ms
    instead of 1, two minutes of every such run.
    """

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
