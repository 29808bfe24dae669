"""The small installation of `dagster_installation`, each test with a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from alerting_world import Project
from dagster_installation import CONFIG, Installation

from healing_pipeline.definitions import build_definitions
from healing_pipeline.installation import load_catalog
from healing_pipeline.orchestration import sensors
from healing_pipeline.orchestration.resources import close_sessions
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.probes import seed_schedule


@pytest.fixture(scope="session")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(seed=7, quotas="off") as running:
        yield running


@pytest.fixture
def installation(
    simulator: RunningSimulator,
    database_url: str,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Installation]:
    """Everything is due, nothing fails, and a tick looks once instead of for seconds."""
    config = tmp_path / "healing_config.yaml"
    config.write_text(CONFIG % simulator.base_port, encoding="utf-8")
    for name in ("HEALING_CONFIG", "HEALING_UPSTREAMS", "HEALING_DAGSTER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    monkeypatch.setenv("HEALING_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(sensors, "TICK_S", 0.0)
    catalog = load_catalog(config, {})
    with database.connection() as connection:
        seed_schedule(connection, catalog.endpoints.values(), datetime.now(UTC), lambda: 0.0)
    simulator.control.start()
    try:
        yield Installation(config, build_definitions(config), database, simulator.control)
    finally:
        close_sessions()
        simulator.control.clear_faults()


@pytest.fixture(scope="session")
def tables(pg_server: Any) -> Iterator[Database]:
    """One database for all of them: making one takes longer than a test."""
    name = f"alert_hooks_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    with Database(pg_server.url(name), max_size=2) as database:
        yield database
    pg_server.drop(name)


@pytest.fixture
def anyone(tables: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name in ("HEALING_DAGSTER_PAGE", "HEALING_CLOCK_OFFSET_S", "HEALING_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEALING_DATABASE_URL", tables.url)
    monkeypatch.setenv("ILL", str(tmp_path))
    with tables.connection() as connection:
        # What is told is never changed, but for the next test.
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("TRUNCATE healing.alert, healing.alert_group CASCADE")
        connection.execute("TRUNCATE healing.dagster_failure")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(instance, tables, tmp_path)
