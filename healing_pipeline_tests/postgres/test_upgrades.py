"""A database of an earlier version under this one, and one of a later version; see the trial."""

from __future__ import annotations

import threading

import psycopg
import pytest

from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.migration import bring_up_to_date, known_migrations, migrate
from healing_pipeline_tests.chaos import old_databases, upgraded

NEWEST = len(known_migrations())


@pytest.mark.parametrize("number", [3, 9, NEWEST - 1])
def test_a_database_of_an_earlier_version_keeps_all_and_works(empty_database_url, number):
    with Database(empty_database_url) as database:
        old_databases.fill(database, number, many=6)
        before = upgraded.Before(database)
        assert [each.number for each in migrate(database)] == [*range(number + 1, NEWEST + 1)]
        assert before.account(database) == (0, 0, [])
        assert upgraded.broken(database, before) == []


def test_what_an_earlier_version_writes_meanwhile_is_there_once(empty_database_url):
    """Its connections are open, and its statements know the columns of then."""
    rows = old_databases.attempts(200)
    with Database(empty_database_url) as database:
        old_databases.fill(database, 6, many=0)
        written, go_on = [], threading.Event()

        def write() -> None:
            with psycopg.connect(empty_database_url, autocommit=True) as connection:
                for row in rows:
                    old_databases.insert_attempt(connection, row)
                    written.append(row["id"])
                    if len(written) == 20:
                        go_on.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert go_on.wait(20)
        migrate(database)
        met = len(written)
        writer.join()
        with database.connection() as connection:
            found = [one for (one,) in connection.execute("SELECT id FROM healing.attempt")]
    assert met >= 20
    assert sorted(found) == sorted(written) == sorted(row["id"] for row in rows)


def of_a_later_version(database):
    with database.connection() as connection:
        connection.execute(
            "INSERT INTO healing.schema_migration (number, name, sha256) VALUES (%s, %s, 'x')",
            [NEWEST + 1, f"{NEWEST + 1:04}_of_later"],
        )


def test_a_later_versions_database_is_refused_in_one_line_and_left_as_it_is(database, database_url):
    of_a_later_version(database)
    for owner_url in (database_url, "postgresql://nobody@127.0.0.1:1/none"):
        with pytest.raises(StorageError, match=r"of_later.*Install") as caught:
            bring_up_to_date(database, owner_url)
        assert "\n" not in str(caught.value)
