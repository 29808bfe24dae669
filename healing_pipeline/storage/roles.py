"""Who may do what in the database: the owner of the schema, the application, a reader.

What each may do with each table stands in `access/*.sql`, which an administrator of a server can
run as it is; the embedded server sets itself up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import Connection, sql

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.storage.embedded import MAINTENANCE_DATABASE, EmbeddedServer
from healing_pipeline.storage.statements import PACKAGE, load_statements

OWNER, APP, READER = "healing_owner", "healing_app", "healing_reader"

PART_THEM = (
    "It needs neither. `healing roles --sql` prints what an administrator runs to part the "
    "application's role from the owner's; docs/reference/roles.md says how."
)

_SQL = load_statements("roles")
_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,40}")


@dataclass(frozen=True, slots=True)
class Rights:
    """What a role may do that the application has no need of.

    Attributes
    ----------
    changes_schema : bool
        Make, change and drop tables.
    deletes_facts : bool
        Take away what was recorded.
    """

    role: str
    changes_schema: bool
    deletes_facts: bool

    @property
    def is_bound(self) -> bool:
        """Whether the role can do neither."""
        return not (self.changes_schema or self.deletes_facts)


def rights_of(connection: Connection[Any]) -> Rights:
    """The rights of the role that this connection has."""
    return Rights(**_SQL.rights(connection))


def warning_of(url: str) -> str | None:
    """What to say of a role that may do more than the application needs; None when it may not.

    A database that does not answer is not asked twice: whoever needs it says so.
    """
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            rights = rights_of(connection)
    except psycopg.Error:
        return None
    if rights.is_bound:
        return None
    return f"The role {rights.role} could change the schema or delete facts. {PART_THEM}"


def grant_rights(connection: Connection[Any], app: str) -> None:
    """Give the application's role, and the reader that goes with it, what each needs; as owner.

    Does nothing where the application is the owner itself.
    """
    prefix = app.removesuffix(APP) if app.endswith(APP) else None
    reader = "" if prefix is None else f"{prefix}{READER}"
    _SQL.name_roles(connection, owner="", app=app, reader=reader)
    connection.execute(_part("4_rights").encode())


def roles_sql(prefix: str = "") -> str:
    """What an administrator runs on a server of one's own: roles, ownership, rights; plain SQL.

    Parameters
    ----------
    prefix : str
        Before the name of each role, for several installations on one server.

    Raises
    ------
    ConfigurationError
        If names with this prefix would have to be quoted.
    """
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(
            f"'{prefix}' is no prefix for names of roles.",
            "Give small letters, digits and _ only, a letter first, 41 at the most.",
        )
    become = "SELECT set_config('role', current_setting('healing.owner_role'), true);"
    parts = (
        *(_part("0_about"), "BEGIN;", _part("1_names"), _part("2_roles"), _part("3_dagster")),
        *(become, _part("4_rights"), "COMMIT;", _part("5_end")),
    )
    text = "\n\n".join(each.strip() for each in parts) + "\n"
    return re.sub(r"\bhealing_(?=(owner|app|reader)\b)", f"{prefix}healing_", text)


def settle_embedded(server: EmbeddedServer, ours: str, dagsters: str) -> None:
    """Make the databases and roles of an embedded server, and give each what it needs.

    Idempotent, and safe at once from several processes; a server that an earlier version set up is
    taken over with all that is in it.
    """
    with psycopg.connect(server.url(MAINTENANCE_DATABASE), autocommit=True) as connection:
        if _is_settled(connection, ours, dagsters):
            return
        _SQL.take_turn(connection)
        if _is_settled(connection, ours, dagsters):
            return
        for name in (ours, dagsters):
            server.ensure_database(name)
        with psycopg.connect(server.url(ours)) as inside:
            _SQL.name_roles(inside, owner=OWNER, app=APP, reader=READER)
            inside.execute(_part("2_roles").encode())
            _SQL.become_owner(inside)
            inside.execute(_part("4_rights").encode())
        with psycopg.connect(server.url(dagsters)) as inside:
            _SQL.name_roles(inside, owner=OWNER, app=APP, reader=READER)
            inside.execute(_part("3_dagster").encode())
        # A drill has a database of its own.
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(OWNER)))
        # Last: whoever was killed before this begins again.
        for name, owner in ((ours, OWNER), (dagsters, APP)):
            connection.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                    sql.Identifier(name), sql.Identifier(owner)
                )
            )


def _is_settled(connection: Connection[Any], ours: str, dagsters: str) -> bool:
    found = {
        each["name"]: each["owner"]
        for each in _SQL.database_owners(connection, names=[ours, dagsters])
    }
    return found == {ours: OWNER, dagsters: APP}


def _part(name: str) -> str:
    return files(PACKAGE).joinpath("access", f"{name}.sql").read_text(encoding="utf-8")
