"""A database of an earlier version under this one, and one of a later version; see the trial."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing

import psycopg
import pytest
from storage_samples import attempt

from healing_pipeline.errors import StorageError
from healing_pipeline.storage import replaying, spool, storing
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.facts import FORMAT, fact_of, line_of
from healing_pipeline.storage.migration import bring_up_to_date, known_migrations, migrate
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.spool import LATER, files_in
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


def test_spooled_facts_of_an_earlier_version_are_stored_and_of_a_later_one_kept_for_it(
    database, database_url, tmp_path, monkeypatch
):
    """Earlier ones lack what came since; later ones say what this version has no column for."""
    old, new = attempt(), attempt()
    earlier = json.loads(line_of(old))
    del earlier["met"], earlier["late"]
    later = [
        json.dumps({**json.loads(line_of(new)), "colour": "blue"}),
        json.dumps({"fact": "verdict", "id": str(new.id)}),
    ]
    lines = [later[0], json.dumps(earlier), later[1]]
    (tmp_path / "20260302T120000-1.jsonl").write_text("\n".join(lines) + "\n")
    kept = tmp_path / LATER.format(FORMAT)

    def replayed() -> list[object]:
        with closing(Recorder(database_url, tmp_path)):
            until = time.monotonic() + 10
            while files_in(tmp_path) and time.monotonic() < until:
                time.sleep(0.02)
        assert files_in(tmp_path) == []
        with database.connection() as connection:
            return [one for (one,) in connection.execute("SELECT id FROM attempt ORDER BY seq")]

    for _ in range(2):
        assert replayed() == [old.id]
        assert kept.read_text().splitlines() == later
    # The version that wrote them: it knows facts of another format.
    for module in (spool, storing):
        monkeypatch.setattr(module, "FORMAT", "another", raising=False)
    monkeypatch.setattr(
        replaying, "fact_of", lambda line: fact_of(line.replace(', "colour": "blue"', ""))
    )
    assert replayed() == [old.id, new.id]
    assert (tmp_path / LATER.format("another")).read_text().splitlines() == later[1:]
