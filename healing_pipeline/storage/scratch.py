"""A database for the length of a block: for drills, which must not mix with what is real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import InsufficientPrivilege

from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import DatabaseAddress, with_scheme

# A worker of PostgreSQL's own may be in the database for a moment, which only superusers may end.
DROPS, PAUSE_S = 20, 0.25


class Scratch(NamedTuple):
    """Where a scratch database is: as the application connects to it, and its owner."""

    url: str
    owner_url: str


@contextmanager
def scratch_database(address: DatabaseAddress, name: str) -> Iterator[Scratch]:
    """Create database `name` beside our own, with the roles of our own; drop it at the end.

    Raises
    ------
    StorageError
        If the server does not answer or lets us create none.
    """
    with _made(address.owner_url, name):
        yield Scratch(
            make_conninfo(address.url, dbname=name), make_conninfo(address.owner_url, dbname=name)
        )


@contextmanager
def dagster_scratch_database(address: DatabaseAddress, name: str) -> Iterator[None]:
    """Create database `name` beside Dagster's, for the role that Dagster has; drop it at the end.

    Raises
    ------
    StorageError
        If the server does not answer or lets us create none.
    """
    dagsters = with_scheme(address.dagster_url, "postgresql")
    theirs, owners = conninfo_to_dict(dagsters), conninfo_to_dict(address.owner_url)
    if any(theirs.get(each) != owners.get(each) for each in ("host", "port")):
        with _made(dagsters, name):
            yield
        return
    with _made(address.owner_url, name, owner=theirs.get("user")):
        yield


@contextmanager
def _made(url: str, name: str, owner: object = None) -> Iterator[None]:
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if owner is not None:
        statement += sql.SQL(" OWNER {}").format(sql.Identifier(str(owner)))
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)
    except (psycopg.OperationalError, InsufficientPrivilege) as exc:
        raise StorageError(
            f"No scratch database can be made ({str(exc).strip()}). Check that the server runs and "
            "that the role of its owner may create databases, or unset HEALING_DATABASE_URL to use "
            "the embedded server."
        ) from exc
    try:
        yield
    finally:
        _drop(url, name)


def _drop(url: str, name: str) -> None:
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(url, autocommit=True) as connection:
        for left in reversed(range(DROPS)):
            try:
                connection.execute(statement)
            except InsufficientPrivilege:
                if not left:
                    raise
                sleep(PAUSE_S)
            else:
                return
