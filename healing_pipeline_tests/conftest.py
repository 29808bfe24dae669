"""A PostgreSQL server for the tests that need one, and for each of them a database of its own."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from clean_environment import CleanEnvironment, CleanEnvironments, shared_environments
from hypothesis import settings
from server_for_tests import ServerForTests, as_role

from healing_pipeline.storage.database import Database
from healing_pipeline.storage.embedded import EmbeddedServer
from healing_pipeline.storage.migration import migrate
from healing_pipeline.storage.roles import APP, OWNER, roles_sql

TEMPLATE = "healing_template"

# On a machine that does other work too, a slow example says nothing about the code.
# A run of the suite says the same twice, so that more examples would be the same ones each time;
# `make explore` looks for what nobody has thought of.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("explore", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HEALING_HYPOTHESIS_PROFILE", "steady"))


# Those that take over half a minute, on two cores; the longest first.
LONGEST = (
    "test_tutorial.py",
    "test_examples.py",
    "test_warm_deaths.py",
    "test_ticks.py",
    "test_stack_drill.py",
    "test_drill_end_to_end.py",
    "test_warm_trouble.py",
    "test_up_end_to_end.py",
    "test_learn.py",
    "test_cli.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start processes come first: begun last, one of them would be waited for alone."""
    slow = {item.path for item in items if item.get_closest_marker("processes") is not None}
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (item.path not in slow, rank.get(item.path.name, len(rank))))


def pytest_collection_finish() -> None:
    """Have the collector look no more at thousands of tests and all of Dagster: they stay."""
    gc.collect()
    gc.freeze()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def pg_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerForTests]:
    """`HEALING_PIPELINE_TEST_DSN`, or an embedded server that the xdist workers share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    dsn = os.environ.get("HEALING_PIPELINE_TEST_DSN")
    if dsn:
        yield _with_template(ServerForTests(dsn), shared)
        return
    # Not below pytest's own folder: that is closed to others, also to the server's user.
    note = shared / "embedded_server.json"
    with _locked(shared / "embedded_server.lock"):
        if note.exists():
            use = json.loads(note.read_text())
        else:
            use = {"dir": tempfile.mkdtemp(prefix="healing-tests-"), "workers": 0}
        server = EmbeddedServer(Path(use["dir"])).start()
        _forget_the_disk(server.url("postgres"))
        note.write_text(json.dumps({**use, "workers": use["workers"] + 1}))
    try:
        yield _with_template(ServerForTests(server.url("postgres")), shared)
    finally:
        with _locked(shared / "embedded_server.lock"):
            server.stop()
            use = json.loads(note.read_text())
            use["workers"] -= 1
            if use["workers"] == 0:
                shutil.rmtree(use["dir"])
                note.unlink()
            else:
                note.write_text(json.dumps(use))


def _forget_the_disk(dsn: str) -> None:
    """Nothing here has to outlive a power cut: what does is tested with servers of its own.

    And no database lives long enough to be worth cleaning, no query to be worth compiling.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "wal_init_zero", "autovacuum", "jit"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


def _with_template(server: ServerForTests, shared: Path) -> ServerForTests:
    """The server, with a database to copy that was migrated once."""
    done = shared / "template_database"
    with _locked(shared / "template_database.lock"):
        if not _is_there(server, done):
            server.drop(TEMPLATE)
            server.create(TEMPLATE)
            with psycopg.connect(server.url(TEMPLATE)) as connection:
                connection.execute(roles_sql().encode())
                connection.execute(f"ALTER ROLE {OWNER} CREATEDB")
            owner = as_role(server.url(TEMPLATE), OWNER)
            with Database(owner, max_size=1) as database:
                migrate(database, app=APP)
            done.write_text(server.dsn)
    return server


def _is_there(server: ServerForTests, done: Path) -> bool:
    # A worker that came after all others had gone started another server.
    return done.exists() and done.read_text() == server.dsn


@pytest.fixture(scope="session")
def clean_environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CleanEnvironments]:
    """Makes virtual environments of the built wheel, each once for all xdist workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_environments(shared) as environments:
        yield environments


@pytest.fixture(scope="session")
def clean_environment(clean_environments: CleanEnvironments) -> CleanEnvironment:
    """The wheel alone, as `pip install healing-pipeline` leaves it."""
    return clean_environments()


@pytest.fixture
def database_url(pg_server: ServerForTests) -> Iterator[str]:
    """A migrated database of the test's own."""
    name = f"test_{uuid4().hex}"
    pg_server.create(name, TEMPLATE)
    yield pg_server.url(name)
    pg_server.drop(name)


@pytest.fixture
def empty_database_url(pg_server: ServerForTests) -> Iterator[str]:
    """A database of the test's own with nothing in it."""
    name = f"test_{uuid4().hex}"
    pg_server.create(name)
    yield pg_server.url(name)
    pg_server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A pool on a migrated database of the test's own."""
    with Database(database_url, max_size=12) as database:
        yield database


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A folder that an embedded server may use: pytest's own are closed to the server's user."""
    path = Path(tempfile.mkdtemp(prefix="healing-state-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
