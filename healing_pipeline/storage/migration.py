"""Brings a database to the schema of this code: numbered files, each applied once, in order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import OWNER_URL_VARIABLE, Database
from healing_pipeline.storage.roles import grant_rights
from healing_pipeline.storage.statements import load_statements, migration_files

_SQL = load_statements("migrations")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """What tells whether the file was edited after it was applied."""
        return sha256(self.text.encode()).hexdigest()


def known_migrations() -> tuple[Migration, ...]:
    """The migrations of this code, in order; numbered 1, 2, 3, ..."""
    migrations = tuple(
        Migration(int(file.name[:4]), file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for file in migration_files()
    )
    assert [each.number for each in migrations] == list(range(1, len(migrations) + 1))
    return migrations


def bring_up_to_date(database: Database, owner_url: str) -> tuple[Migration, ...]:
    """Give `database` the schema of this code, as its owner if something is missing.

    Parameters
    ----------
    database : Database
        As the application connects to it.
    owner_url : str
        The same one for the owner of the schema, see `DatabaseAddress`.

    Raises
    ------
    StorageError
        If the database is newer than the code, a migration was edited after it was applied, or the
        owner is needed and is somebody else.
    """
    with suppress(InsufficientPrivilege), database.connection() as conn:
        if not _pending(conn, known_migrations()):
            return ()
    if owner_url == database.url:
        return migrate(database)
    with database.connection() as conn:
        app = conn.info.user
    with Database(owner_url, max_size=1) as owner:
        return migrate(owner, app=app)


def migrate(
    database: Database, migrations: tuple[Migration, ...] | None = None, *, app: str | None = None
) -> tuple[Migration, ...]:
    """Apply what is missing, each migration in a transaction of its own; returns what it applied.

    Two processes that start at once take turns, and the second finds nothing to do.

    Parameters
    ----------
    database : Database
        As the owner of the schema connects to it.
    app : str, optional
        The role of the application, where it is another: it is given what it needs with each
        migration.

    Raises
    ------
    StorageError
        If the database is newer than the code, a migration was edited after it was applied, or
        this role may not change the schema.
    """
    wanted = known_migrations() if migrations is None else migrations
    applied: list[Migration] = []
    try:
        while _apply_next(database, wanted, app, applied):
            pass
    except InsufficientPrivilege as error:
        raise StorageError(
            "The schema `healing` is not that of this version, and this role may not change it "
            f"({error.diag.message_primary}). Set {OWNER_URL_VARIABLE} to the URL of its owner; "
            "`healing roles --sql` prints what makes the roles."
        ) from None
    return tuple(applied)


def _apply_next(
    database: Database,
    wanted: tuple[Migration, ...],
    app: str | None,
    applied: list[Migration],
) -> bool:
    """Apply one migration, if one is missing; whether to go on."""
    with database.connection() as conn:
        _SQL.take_turn(conn, name="healing migration")
        pending = _pending(conn, wanted)
        if pending:
            if not _SQL.ledger_exists(conn):
                _SQL.ensure_ledger(conn)
            conn.execute(pending[0].text.encode())
            _SQL.note_migration(
                conn, number=pending[0].number, name=pending[0].name, sha256=pending[0].sha256
            )
        if app is not None:
            grant_rights(conn, app)
    applied.extend(pending[:1])
    return bool(pending)


def _pending(conn: Connection[Any], wanted: tuple[Migration, ...]) -> tuple[Migration, ...]:
    if not _SQL.ledger_exists(conn):
        return wanted
    done = {row["number"]: row for row in _SQL.applied_migrations(conn)}
    by_number = {each.number: each for each in wanted}
    for number, row in done.items():
        if number not in by_number:
            raise StorageError(
                f"The database has migration {row['name']}, which this version does not know. "
                "Install the version of healing_pipeline that made it, or a newer one."
            )
        if row["sha256"] != by_number[number].sha256:
            raise StorageError(
                f"Migration {row['name']} was edited after it was applied. Restore the file as it "
                "was, and put the change in a new migration with the next number."
            )
    return tuple(each for each in wanted if each.number not in done)
