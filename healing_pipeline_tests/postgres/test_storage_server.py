from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import create_engine, text

from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.embedded import EmbeddedServer

pytestmark = pytest.mark.processes

USE_AND_WAIT = """
import sys, time
from pathlib import Path
from healing_pipeline.storage.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1])).start()
print("started", flush=True)
time.sleep(60)
"""


def other_user(state_dir: Path) -> subprocess.Popen[str]:
    """Another process that uses the server."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE_AND_WAIT, str(state_dir)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "started\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    process.stdout.close()


def postmaster(state_dir: Path) -> int | None:
    """Process id of the server, if it runs."""
    try:
        pid = int((state_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        return pid if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def asked(url: str, question: str = "SELECT 1") -> object:
    with psycopg.connect(url) as connection:
        answer = connection.execute(question)
        return answer.fetchone()[0] if answer.description else None


def test_a_server_starts_keeps_its_data_and_starts_again_quickly(state_dir, monkeypatch):
    monkeypatch.setenv("FRED_API_KEY", "canary-0123456789")
    with EmbeddedServer(state_dir) as server:
        # It shows its environment to all its processes; no key is among that.
        told = Path(f"/proc/{postmaster(state_dir)}/environ").read_bytes()
        assert b"PATH=" in told
        assert b"canary" not in told
        server.ensure_database("kept")
        server.ensure_database("kept")
        asked(server.url("kept"), "CREATE TABLE fact (id int)")
        assert asked(server.url("kept"), "SHOW max_connections") == "200"
        assert asked(server.url("kept"), "SHOW TimeZone") == "UTC"
        assert asked(server.url("kept"), "SHOW fsync") == "on"
        assert asked(server.url("kept"), "SHOW synchronous_commit") == "on"
    assert postmaster(state_dir) is None
    began = time.monotonic()
    with EmbeddedServer(state_dir) as server:
        assert time.monotonic() - began < 5.0
        assert asked(server.url("kept"), "SELECT to_regclass('fact') IS NOT NULL")
        server.drop_database("kept")
        server.drop_database("kept")
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            asked(server.url("kept"))


def test_stopping_twice_is_stopping_once_and_the_last_handle_stops(state_dir):
    first, second = EmbeddedServer(state_dir).start(), EmbeddedServer(state_dir).start()
    first.stop()
    first.stop()
    assert asked(second.url("postgres")) == 1
    second.stop()
    assert postmaster(state_dir) is None


def test_another_living_user_keeps_the_server_and_force_does_not_ask(state_dir):
    server = EmbeddedServer(state_dir).start()
    other = other_user(state_dir)
    try:
        server.stop()
        assert postmaster(state_dir) is not None
        server.start().stop(force=True)
        assert postmaster(state_dir) is None
    finally:
        end(other)


def test_killed_users_do_not_keep_the_server(state_dir):
    server = EmbeddedServer(state_dir).start()
    end(other_user(state_dir))
    noted = json.loads((state_dir / "postgres" / ".handle_pids.json").read_text())
    assert len(noted) == 2
    server.stop()
    assert postmaster(state_dir) is None


def test_starting_strikes_dead_users_off_and_a_number_given_anew_is_dead(state_dir):
    with EmbeddedServer(state_dir):
        pass
    noted = state_dir / "postgres" / ".handle_pids.json"
    # This very process, noted long before it began: its number had another owner then.
    noted.write_text(json.dumps([2**22 + 1, os.getppid()]))
    os.utime(noted, (1, 1))
    with EmbeddedServer(state_dir):
        assert json.loads(noted.read_text()) == [os.getpid()]
    assert postmaster(state_dir) is None


def test_a_killed_server_starts_again_with_what_it_had_acknowledged(state_dir):
    with EmbeddedServer(state_dir) as server:
        asked(server.url("postgres"), "SELECT 1")
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE TABLE fact AS SELECT 7 AS number")
        os.kill(postmaster(state_dir), signal.SIGKILL)
        with EmbeddedServer(state_dir) as again:
            assert asked(again.url("postgres"), "SELECT number FROM fact") == 7
    assert postmaster(state_dir) is None


def test_a_long_path_is_no_hindrance(state_dir):
    deep = state_dir / ("a" * 60) / ("b c" * 20)
    with EmbeddedServer(deep) as server:
        assert asked(server.url("postgres")) == 1
    assert postmaster(deep) is None


def test_an_address_without_a_url_is_that_of_the_embedded_server(state_dir):
    address = resolve_database({}, state_dir)
    try:
        assert asked(address.url, "SELECT current_database()") == "healing"
        assert address.dagster_url.startswith("postgresql+psycopg2://")
        engine = create_engine(address.dagster_url)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT current_database()")).scalar() == "dagster"
        engine.dispose()
    finally:
        address.close()
    assert postmaster(state_dir) is None


def test_a_url_is_used_as_it_is(database_url, tmp_path):
    address = resolve_database({"HEALING_DATABASE_URL": f" {database_url} "}, tmp_path)
    assert (address.url, address.server) == (database_url, None)
    assert address.dagster_url == database_url.replace("postgresql:", "postgresql+psycopg2:", 1)
    for_dagster = {"HEALING_DAGSTER_DATABASE_URL": "postgres://dagster@db/dagster"}
    address = resolve_database({"HEALING_DATABASE_URL": database_url, **for_dagster}, tmp_path)
    assert address.dagster_url == "postgresql+psycopg2://dagster@db/dagster"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["postgresql://u:s3cret@127.0.0.1:1/none", "postgresql://u:s3cret@[::1", "nonsense"]
)
def test_a_url_that_does_not_connect_names_the_cure_and_no_password(url, tmp_path):
    with pytest.raises(StorageError, match="HEALING_DATABASE_URL") as caught:
        resolve_database({"HEALING_DATABASE_URL": url}, tmp_path)
    assert "s3cret" not in str(caught.value)


def test_a_pool_outlives_its_connections(database, database_url):
    with database.connection() as connection:
        pid = connection.info.backend_pid
    asked(database_url, f"SELECT pg_terminate_backend({pid})")
    with database.connection() as connection:
        assert connection.execute("SHOW search_path").fetchone() == ("healing",)
        assert connection.execute("SHOW TimeZone").fetchone() == ("UTC",)
        assert connection.execute("SHOW application_name").fetchone() == ("healing",)


def test_a_pool_without_a_server_says_what_to_do():
    url = "postgresql://u@127.0.0.1:1/none"
    with (
        Database(url, timeout_s=0.2) as database,
        pytest.raises(StorageError, match="HEALING_DATABASE_URL"),
        database.connection(),
    ):
        pass
