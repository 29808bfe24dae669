from __future__ import annotations

import tomllib
from dataclasses import replace
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from storage_samples import at_once

from healing_pipeline.errors import StorageError
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.migration import known_migrations, migrate
from healing_pipeline.storage.statements import schema_snapshot

REPOSITORY = Path(__file__).parents[2]

CATALOGS = {
    "columns": """
        SELECT table_name, column_name, data_type, coalesce(domain_name, ''), is_nullable,
               coalesce(column_default, ''), is_identity, is_generated
          FROM information_schema.columns WHERE table_schema = 'healing'""",
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'healing'",
    "constraints": """
        SELECT conname, contype::text, pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'healing'::regnamespace""",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'healing'",
    "triggers": """
        SELECT tgname, pg_get_triggerdef(pg_trigger.oid)
          FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
         WHERE relnamespace = 'healing'::regnamespace AND NOT tgisinternal""",
    "functions": """
        SELECT proname, pg_get_functiondef(oid) FROM pg_proc
         WHERE pronamespace = 'healing'::regnamespace""",
}


def catalog(url: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(url) as connection:
        return {name: sorted(connection.execute(query)) for name, query in CATALOGS.items()}


def test_the_schema_file_and_the_migrations_give_the_same_catalog(database_url, empty_database_url):
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(schema_snapshot().encode())
    migrated, written = catalog(database_url), catalog(empty_database_url)
    assert len(migrated["columns"]) > 100
    for name in CATALOGS:
        assert migrated[name] == written[name], name


def test_migrating_again_does_nothing(empty_database_url):
    with Database(empty_database_url) as database:
        assert migrate(database) == known_migrations()
        assert migrate(database) == ()


def test_ten_processes_that_migrate_at_once_apply_each_migration_once(empty_database_url):
    def work(_connection, _number):
        with Database(empty_database_url, max_size=1, timeout_s=30) as database:
            return migrate(database)

    applied = [each.number for done in at_once(empty_database_url, work) for each in done]
    assert sorted(applied) == [each.number for each in known_migrations()]


def test_an_edited_migration_is_refused_and_the_cure_named(database):
    first, *others = known_migrations()
    edited = replace(first, text=first.text + "\n-- harmless\n")
    with pytest.raises(StorageError, match=r"0001_words was edited.*new migration"):
        migrate(database, (edited, *others))


def test_a_database_newer_than_the_code_is_refused_and_the_cure_named(database):
    with pytest.raises(StorageError, match=r"does not know.*Install"):
        migrate(database, known_migrations()[:-1])


def test_a_migration_that_fails_leaves_nothing_behind(database):
    number = len(known_migrations()) + 1
    wrong = replace(
        known_migrations()[0],
        number=number,
        name="wrong",
        text="CREATE TABLE healing.half (id int); SELECT 1 / 0;",
    )
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database, (*known_migrations(), wrong))
    with database.connection() as connection:
        assert connection.execute("SELECT to_regclass('healing.half')").fetchone() == (None,)
    assert migrate(database) == ()


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("failure_class", FailureClass),
        ("fidelity", Fidelity),
        ("incident_state", State),
        ("severity", Severity),
    ],
)
def test_the_database_knows_the_same_words_as_the_code(database, domain, words):
    with database.connection() as connection:
        for word in words:
            connection.execute(f"SELECT %s::text::{domain}", [str(word)])
        query = """
            SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contypid = %s::regtype"""
        (definition,) = connection.execute(query, [domain]).fetchone()
    assert definition.count("'::text") == len(words)


def test_every_sql_file_is_package_data():
    """What the wheel's patterns do not match is missing from an installed package."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["healing_pipeline"]
    package = REPOSITORY / "healing_pipeline"
    matched = {path for pattern in patterns for path in package.glob(pattern)}
    written = set(package.rglob("*.sql"))
    assert len(written) >= 16
    assert written <= matched
    found = files("healing_pipeline.storage")
    names = [each.name for each in found.joinpath("queries").iterdir()]
    assert all(fnmatch(name, "*.sql") for name in names)
    assert found.joinpath("migrations", "0001_words.sql").is_file()
    assert found.joinpath("schema.sql").is_file()
