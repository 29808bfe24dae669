"""The application's role appends facts and keeps state; every other way is tried and refused."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from server_for_tests import ServerForTests, as_role
from storage_samples import answer, attempt, begin, decision, probe, snapshot

from healing_pipeline.errors import ConfigurationError, StorageError
from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.embedded import MAINTENANCE_DATABASE, EmbeddedServer
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.migration import bring_up_to_date, known_migrations, migrate
from healing_pipeline.storage.roles import (
    APP,
    OWNER,
    READER,
    rights_of,
    roles_sql,
    settle_embedded,
    warning_of,
)

TABLES = """
    SELECT relname, EXISTS (
               SELECT FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
                WHERE tgrelid = pg_class.oid AND proname = 'refuse_change') AS is_fact
      FROM pg_class
     WHERE relnamespace = 'healing'::regnamespace AND relkind IN ('r', 'p')
     ORDER BY relname"""
RIGHTS = """
    SELECT relname, relacl::text FROM pg_class
     WHERE relnamespace = 'healing'::regnamespace AND relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT relname || '.' || attname, attacl::text
      FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
     WHERE relnamespace = 'healing'::regnamespace AND attacl IS NOT NULL
    UNION ALL
    SELECT 'default', defaclacl::text FROM pg_default_acl
     ORDER BY 1"""
# Tables that no process writes to but the owner.
READ_ONLY = {"schema_migration", "pruned"}

OF_A_TABLE = (
    "DROP TABLE {} CASCADE",
    "ALTER TABLE {} ADD COLUMN more int",
    "ALTER TABLE {} DISABLE TRIGGER ALL",
    "ALTER TABLE {} OWNER TO CURRENT_USER",
    "TRUNCATE {} CASCADE",
    "CREATE INDEX ON {} ((1))",
    "CREATE TRIGGER more BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION healing.refuse_change()",
    "CREATE RULE more AS ON DELETE TO {} DO INSTEAD NOTHING",
)
OF_A_FACT = (
    "DELETE FROM {}",
    "SET healing.prune = 'on'; DELETE FROM {}",
    "MERGE INTO {} AS kept USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM {} RETURNING 1) SELECT FROM gone",
    "DO 'BEGIN LOCK TABLE {} IN ACCESS EXCLUSIVE MODE; END'",
    "CREATE FUNCTION pg_temp.out() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM {}';"
    " SELECT pg_temp.out()",
)
OF_THE_SERVER = (
    "CREATE TABLE healing.more (id int)",
    "CREATE FUNCTION healing.more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION healing.refuse_change() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'",
    "ALTER FUNCTION healing.refuse_change() RENAME TO gone",
    "DROP FUNCTION healing.refuse_change() CASCADE",
    "ALTER DOMAIN healing.fidelity DROP CONSTRAINT fidelity_known",
    "DROP SCHEMA healing CASCADE",
    "CREATE SCHEMA more",
    "SET session_replication_role = replica",
    "SET ROLE healing_owner",
    "SET SESSION AUTHORIZATION healing_owner",
    "GRANT healing_owner TO healing_app",
    "ALTER ROLE healing_app SUPERUSER",
    "ALTER ROLE healing_owner PASSWORD 'mine'",
    "CREATE ROLE more",
    "CREATE DATABASE more",
    "ALTER SYSTEM SET fsync = off",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO '/tmp/healing_more'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_reload_conf()",
)


def tables(url: str) -> dict[str, bool]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute(TABLES).fetchall())


def refused(url: str, statement: str) -> str | None:
    """What the database says no with, whatever it is that it says."""
    with psycopg.connect(connection_info(url), autocommit=True) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            return type(error).__name__
    return None


@pytest.fixture
def app_url(database_url: str) -> str:
    return as_role(database_url, APP)


def test_the_application_changes_no_schema_and_takes_no_fact_away(database_url, app_url):
    with closing(FactStore(app_url)) as store:
        store.store([attempt(), answer(), decision(), probe(), snapshot()])
    found = tables(database_url)
    assert sum(found.values()) >= 11
    went_through = []
    with psycopg.connect(connection_info(app_url), autocommit=True) as connection:

        def tries(statement: str) -> None:
            # Of no rights, and not of a mistake in the statement.
            try:
                connection.execute(statement.encode())
            except InsufficientPrivilege:
                connection.execute("RESET ALL")
            except psycopg.Error as error:
                went_through.append(f"{statement}: {error}")
            else:
                went_through.append(statement)

        for table, is_fact in found.items():
            (column,) = connection.execute(
                "SELECT attname FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND attidentity = ''",
                [f"healing.{table}"],
            ).fetchone()  # fmt: skip
            for each in OF_A_TABLE:
                tries(each.format(f"healing.{table}"))
            if is_fact:
                for each in (*OF_A_FACT, f"UPDATE {{}} SET {column} = {column}"):
                    tries(each.format(f"healing.{table}"))
        for each in OF_THE_SERVER:
            tries(each)
    assert went_through == []
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("SELECT count(*) FROM healing.attempt").fetchone()
    assert kept == (1,)


def test_a_table_of_its_own_session_stands_in_nobodys_way(database_url, app_url):
    with psycopg.connect(connection_info(app_url), autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE health_quarter_news (quarter timestamptz)")
        connection.execute("CREATE TEMP TABLE attempt (id int)")
        # What follows a fact is written where everybody looks.
        connection.execute(
            "INSERT INTO healing.answer"
            " (request_id, at, source, endpoint, attempts, seconds, failed)"
            " VALUES (gen_random_uuid(), now(), 'yahoo', 'yahoo/chart-aapl-1d', 1, 0.1, true)"
        )
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT count(*) FROM healing.health_quarter_news").fetchone()
    assert found == (1,)


def test_every_table_is_appended_to_or_named_among_the_states(database_url, app_url):
    """A new table without a line in 4_rights.sql is found here and not in production."""
    with psycopg.connect(app_url) as connection:
        unwritten = {
            name
            for name in tables(database_url)
            for (may,) in [
                connection.execute(
                    "SELECT has_table_privilege(%s, 'INSERT') OR has_table_privilege(%s, 'UPDATE')",
                    [f"healing.{name}"] * 2,
                ).fetchone()
            ]
            if not may
        }
    assert unwritten == READ_ONLY


def test_the_reader_sees_the_facts_and_nothing_of_anybodys_secrets(database_url):
    url = as_role(database_url, READER)
    with psycopg.connect(url) as connection:
        for name in tables(database_url):
            hidden = {"snapshot": "provider", "delivery": "state", "delivery_recipient": "channel"}
            connection.execute(
                sql.SQL("SELECT {} FROM healing.{}").format(
                    sql.Identifier(hidden[name]) if name in hidden else sql.SQL("*"),
                    sql.Identifier(name),
                )
            )
        connection.execute("SELECT * FROM healing.health_in(now() - interval '1 day', now())")
    for statement in (
        "SELECT body FROM healing.snapshot",
        "SELECT error FROM healing.delivery",
        "SELECT recipient FROM healing.delivery_recipient",
        "INSERT INTO healing.outer_fold VALUES (now())",
        "UPDATE healing.incident SET note = ''",
        "DELETE FROM healing.route",
        "SELECT rolpassword FROM pg_authid",
    ):
        assert refused(url, statement) in {"InsufficientPrivilege", "UndefinedColumn"}, statement


def test_a_migration_gives_the_application_what_it_needs(pg_server, empty_database_url):
    """Set up before the first migration or after the last, once or twice: the same rights."""
    admin, owner = empty_database_url, as_role(empty_database_url, OWNER)
    with psycopg.connect(admin) as connection:
        connection.execute(roles_sql().encode())
    with Database(as_role(admin, APP)) as database:
        assert bring_up_to_date(database, owner) == known_migrations()
        assert bring_up_to_date(database, owner) == ()
        with database.connection() as connection:
            assert rights_of(connection).is_bound
    first = rights(admin)
    with psycopg.connect(admin) as connection:
        connection.execute(roles_sql().encode())
    assert rights(admin) == first
    assert warning_of(as_role(admin, APP)) is None
    assert "healing roles --sql" in (warning_of(owner) or "")


def test_a_schema_that_one_role_made_is_taken_over_whole(pg_server, empty_database_url):
    """The way of a server of one's own on which one role did everything so far."""
    admin = empty_database_url
    with psycopg.connect(admin) as connection:
        connection.execute("CREATE ROLE acme_healing_once LOGIN CREATEROLE")
        connection.execute("GRANT CREATE ON SCHEMA public TO acme_healing_once WITH GRANT OPTION")
        connection.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO acme_healing_once").format(
                sql.Identifier(connection.info.dbname)
            )
        )
    once = as_role(admin, "acme_healing_once")
    try:
        with Database(once) as database:
            migrate(database)
            with database.connection() as connection:
                begin(connection)
                connection.execute("CREATE TABLE public.runs (id int)")
        with psycopg.connect(once) as connection:
            connection.execute(roles_sql("acme_").encode())
        app = as_role(admin, f"acme_{APP}")
        with Database(app) as database:
            assert bring_up_to_date(database, as_role(admin, f"acme_{OWNER}")) == ()
            with database.connection() as connection:
                begin(connection, "fred/dgs10")
                connection.execute("ALTER TABLE public.runs ADD COLUMN more int")
                assert rights_of(connection).is_bound
        with psycopg.connect(as_role(admin, f"acme_{OWNER}"), autocommit=True) as connection:
            connection.execute("ALTER TABLE healing.attempt ADD COLUMN more int")
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            for name in ("once", "owner", "app", "reader"):
                connection.execute(f"REASSIGN OWNED BY acme_healing_{name} TO CURRENT_USER")
                connection.execute(f"DROP OWNED BY acme_healing_{name} CASCADE")
            for name in ("app", "owner", "reader", "once"):
                connection.execute(f"DROP ROLE acme_healing_{name}")


def test_the_application_alone_says_whom_a_migration_needs(empty_database_url):
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(roles_sql().encode())
    app = as_role(empty_database_url, APP)
    with (
        Database(app) as database,
        pytest.raises(StorageError, match=r"HEALING_OWNER_DATABASE_URL.*healing roles --sql"),
    ):
        bring_up_to_date(database, app)


@pytest.mark.parametrize("prefix", ["Acme", "a-b", "1a", "a" * 50, "x'; DROP ROLE y; --"])
def test_a_prefix_that_would_have_to_be_quoted_is_refused(prefix):
    with pytest.raises(ConfigurationError):
        roles_sql(prefix)


def test_the_embedded_server_of_an_earlier_version_is_taken_over(state_dir):
    """There one superuser owned everything: the schema, Dagster's tables, both databases."""
    with EmbeddedServer(state_dir) as server:
        for name in ("healing", "dagster"):
            server.ensure_database(name)
        with Database(server.url("healing")) as database:
            migrate(database)
            with database.connection() as connection:
                begin(connection)
        with psycopg.connect(server.url("dagster")) as connection:
            connection.execute("CREATE TABLE runs (id serial PRIMARY KEY)")
        settle_embedded(server, "healing", "dagster")
        settle_embedded(server, "healing", "dagster")
        with Database(server.url("healing", APP)) as database:
            assert bring_up_to_date(database, server.url("healing", OWNER)) == ()
            with database.connection() as connection:
                begin(connection, "fred/dgs10")
                assert rights_of(connection).is_bound
        with psycopg.connect(server.url("dagster", APP)) as connection:
            connection.execute("INSERT INTO runs DEFAULT VALUES")
            connection.execute("ALTER TABLE runs ADD COLUMN more int")
        socket = next(server.data_dir.glob(".s.PGSQL.*[0-9]"))
        assert socket.stat().st_mode & 0o077 == 0
        with psycopg.connect(server.url(MAINTENANCE_DATABASE, APP)) as connection:
            assert not warning_of(server.url("healing", APP))
            assert connection.info.user == APP


def rights(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(RIGHTS).fetchall()


def test_the_template_of_the_tests_has_the_rights_of_a_server_set_up_by_an_administrator(
    pg_server: ServerForTests, database_url: str, empty_database_url: str
) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(roles_sql().encode())
    with Database(as_role(empty_database_url, OWNER)) as database:
        migrate(database, app=APP)
    assert rights(database_url) == rights(empty_database_url)
