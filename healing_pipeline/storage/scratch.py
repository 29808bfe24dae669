"""A database for the length of a block: for drills, which must not mix with what is real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from healing_pipeline.errors import StorageError


@contextmanager
def scratch_database(url: str, name: str) -> Iterator[str]:
    """Create database `name` on the server of `url`, yield its URL, drop it.

    Raises
    ------
    StorageError
        If the server does not answer or lets us create none.
    """
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege) as exc:
        raise StorageError(
            f"No scratch database can be made ({str(exc).strip()}). Check that the server runs and "
            "that its role may create databases, or unset HEALING_DATABASE_URL to use the embedded "
            "server."
        ) from exc
    try:
        yield make_conninfo(url, dbname=name)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
