"""One connection that takes facts over: by COPY into staging, then into the tables, all or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from healing_pipeline.healing.facts import Fact
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.facts import TABLES, row_of
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("recorder")

# A server that went silent must not hold the recorder: the spool is there for that.
_PATIENCE = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# Nor may a recorder that was frozen in mid-transaction keep the others waiting for their turn.
_SETTINGS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
}


class FactStore:
    """Stores batches of facts; connects when needed. For one thread.

    Parameters
    ----------
    url : str or callable
        Of the database, or what says where it is once that is known: until then it raises
        `ConnectionError`, which counts as the database being away.
    """

    def __init__(self, url: str | Callable[[], str]) -> None:
        if isinstance(url, str):
            conninfo = _conninfo(url)  # a URL that cannot be read is told at once
            self._where: Callable[[], str] = lambda: conninfo
        else:
            self._where = lambda: _conninfo(url())
        self._conn: psycopg.Connection[Any] | None = None

    def store(self, facts: Sequence[Fact]) -> None:
        """Store all `facts` or none; those that are there already are passed over.

        Raises
        ------
        psycopg.Error
            `psycopg.OperationalError` and its like when the database is away; `psycopg.DataError`
            or `psycopg.IntegrityError` when a fact can never be stored.
        """
        conn = self._connection()
        try:
            with conn.transaction():
                tables = self._copy(conn, facts)
                _SQL.take_turn(conn)
                for table in tables:
                    getattr(_SQL, f"take_over_{table}")(conn)
        except Exception as error:
            if not is_facts_fault(error):
                self.close()
            raise

    def close(self) -> None:
        """Hang up; the next `store` connects again."""
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.close()

    def _connection(self) -> psycopg.Connection[Any]:
        if self._conn is None or self._conn.closed:
            conn: psycopg.Connection[Any] = psycopg.connect(self._where(), autocommit=True)
            try:
                _SQL.prepare_staging(conn)
            except BaseException:
                conn.close()
                raise
            self._conn = conn
        return self._conn

    @staticmethod
    def _copy(conn: psycopg.Connection[Any], facts: Sequence[Fact]) -> list[str]:
        """Copy the facts into staging; the tables that got some, in a fixed order."""
        by_table: dict[str, list[tuple[object, ...]]] = {}
        for fact in facts:
            by_table.setdefault(TABLES[type(fact)], []).append(row_of(fact))
        for table, rows in by_table.items():
            statement: str = getattr(_SQL, f"copy_{table}").sql
            with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
                for row in rows:
                    copy.write_row(row)
        return sorted(by_table)


def _conninfo(url: str) -> str:
    info = connection_info(url, application_name="healing-recorder", settings=_SETTINGS)
    return make_conninfo(info, **_PATIENCE)


def is_facts_fault(error: Exception) -> bool:
    """Whether the fault lies in a fact, so that trying again later cannot help."""
    if isinstance(error, psycopg.Error | OSError):
        return isinstance(error, psycopg.DataError | psycopg.IntegrityError)
    return True
