"""A data path works with the policy that was published last, with PostgreSQL or without."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.data_path import new_engine, open_data_path
from healing_pipeline.installation import load_catalog
from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.learning.rates import Rate
from healing_pipeline.storage import policies
from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.local_policy import LocalPolicy
from healing_pipeline.storage.policies import PUBLISHED, Judged
from healing_pipeline.storage.shared_memory import News, everything, policy_in_force

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOWHERE = "postgresql://healing@127.0.0.1:1/none"
TOLD_WITHIN_S = 10.0


def policy(p: float = 0.5) -> Policy:
    return Policy(as_of=NINE, anywhere={"alternate_host": Rate(p, 3, 0.2, 1.0)})


def publish(database: Database, made: Policy) -> None:
    with database.connection() as connection:
        policies.store_policy(connection, Judged(made, PUBLISHED, "for a test"), NINE)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "healing_config.yaml"
    path.write_text(default_config_text())
    return path


@pytest.fixture
def environ(state_dir: Path, database_url: str) -> dict[str, str]:
    own = {name: each for name, each in os.environ.items() if not name.startswith("HEALING_")}
    return {**own, "HEALING_STATE_DIR": str(state_dir), "HEALING_DATABASE_URL": database_url}


async def until_in_force(path, wanted: Policy) -> None:
    holder = path.engine._parts.policy
    deadline = time.monotonic() + TOLD_WITHIN_S
    while holder.policy != wanted:
        assert time.monotonic() < deadline, "the policy was not taken over in time"
        await asyncio.sleep(0.02)
    assert holder.fingerprint == wanted.fingerprint[:12]


def test_a_policy_is_in_force_from_the_start_and_the_next_without_a_restart(
    config, environ, database
):
    publish(database, policy(0.2))

    async def live() -> None:
        async with open_data_path(config, environ) as path:
            await until_in_force(path, policy(0.2))
            await asyncio.to_thread(publish, database, policy(0.8))
            await until_in_force(path, policy(0.8))

    asyncio.run(live())


def test_a_start_without_postgresql_still_has_the_last_policy(config, environ, database):
    publish(database, policy(0.3))

    async def live(environ: dict[str, str]) -> None:
        async with open_data_path(config, environ) as path:
            await until_in_force(path, policy(0.3))

    asyncio.run(live(environ))
    asyncio.run(live({**environ, "HEALING_DATABASE_URL": NOWHERE}))


def test_a_document_that_cannot_be_read_is_the_empty_policy_and_a_line(
    database_url, database, caplog
):
    publish(database, policy())
    with psycopg.connect(connection_info(database_url)) as connection:
        connection.execute(
            "WITH broken AS (INSERT INTO policy (as_of, made_at, fingerprint, document, status,"
            " reason, events) VALUES (now(), now(), 'x', '{', 'published', '', 0)"
            " RETURNING version)"
            " INSERT INTO policy_publication (version, at, reason) SELECT version, now(), ''"
            " FROM broken"
        )
    with caplog.at_level(logging.WARNING), database.connection() as connection:
        assert policy_in_force(connection) == EMPTY
    assert len(caplog.records) == 1


def test_before_the_first_policy_the_empty_one_is_in_force(config, environ, database):
    catalog = load_catalog(config, environ)
    with database.connection() as connection:
        assert everything(connection, catalog.sources.values(), NINE).policy == EMPTY


def test_news_of_routes_alone_leave_the_policy_as_it_is(config, environ):
    async def live() -> None:
        parts = new_engine(load_catalog(config, environ), lambda fact: None)
        parts.take(News(NINE, policy=policy()))
        parts.take(News(NINE, routes=()))
        assert parts.policy.policy == policy()
        parts.take(News(NINE, policy=EMPTY))
        assert parts.policy.fingerprint is None
        await parts.sender.aclose()

    asyncio.run(live())


def test_a_kept_policy_is_read_as_it_was(tmp_path):
    kept = LocalPolicy(tmp_path / "state" / "policy.json")
    assert kept.read() == EMPTY
    kept.write(policy())
    assert kept.read().to_json() == policy().to_json()
    assert [each.name for each in (tmp_path / "state").iterdir()] == ["policy.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 2}', b"\xff"])
def test_a_broken_file_is_the_empty_policy_and_a_line(tmp_path, caplog, content):
    (tmp_path / "policy.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert LocalPolicy(tmp_path / "policy.json").read() == EMPTY
    assert len(caplog.records) == 1


def test_a_folder_that_cannot_be_written_costs_the_file_only(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        LocalPolicy(tmp_path / "file" / "policy.json").write(policy())
    assert len(caplog.records) == 1
