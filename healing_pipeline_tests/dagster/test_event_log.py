"""Dagster's tables as this installation writes them: as Dagster does, in fewer statements."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from sqlalchemy import event

from healing_pipeline.orchestration.instance_storage import RunsOnKeptConnections

pytestmark = pytest.mark.processes

SETTINGS = """\
telemetry: {enabled: false}
storage:
  custom:
    module: healing_pipeline.orchestration.instance_storage
    class: InstallationStorage
"""


@pytest.fixture
def instance(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text(SETTINGS, "utf-8")
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    monkeypatch.delenv("HEALING_DAGSTER_DATABASE_URL", raising=False)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def statements(instance: dg.DagsterInstance) -> list[str]:
    """What the instance says to PostgreSQL from now on, checks of connections left out."""
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(instance.event_log_storage._engine, "before_cursor_execute", note)
    return said


@dg.op
def work(context: dg.OpExecutionContext) -> None:
    context.log.info("at work")


@dg.job(executor_def=dg.in_process_executor)
def some_work() -> None:
    work()


@dg.asset
def thing() -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset_check(asset=thing)
def thing_is_there() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def test_every_event_of_a_run_is_stored_once_in_its_order_and_in_one_statement_each(
    instance, statements
):
    result = some_work.execute_in_process(instance=instance)
    stored = instance.all_logs(result.run_id)
    kinds = [each.dagster_event.event_type_value for each in stored if each.dagster_event]
    assert kinds == [each.event_type_value for each in result.all_events]
    assert [each.user_message for each in stored if not each.dagster_event] == ["at work"]
    inserts = [each for each in statements if each.startswith("INSERT INTO event_logs")]
    assert len(inserts) == len(stored)
    assert not any("NOTIFY" in each for each in statements)


def test_what_concerns_assets_and_their_checks_is_found_by_asset(instance):
    result = dg.materialize([thing, thing_is_there], instance=instance)
    assert result.success
    materialised = instance.get_latest_materialization_event(thing.key)
    assert materialised is not None
    assert materialised.run_id == result.run_id
    (check,) = thing_is_there.check_keys
    (record,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=5)
    assert record.run_id == result.run_id


def test_whoever_watches_a_run_hears_of_its_events_all_the_same(instance, tmp_path):
    heard: list[str] = []
    over = threading.Event()

    def hear(entry: dg.EventLogEntry, _cursor: str) -> None:
        if entry.dagster_event is not None:
            heard.append(entry.dagster_event.event_type_value)
        if "PIPELINE_SUCCESS" in heard:
            over.set()

    run_id = str(uuid4())
    with dg.DagsterInstance.from_config(str(tmp_path)) as watching:
        watching.watch_event_logs(run_id, None, hear)
        some_work.execute_in_process(instance=instance, run_id=run_id)
        assert over.wait(20)
        watching.end_watch_event_logs(run_id, hear)


def test_the_catalog_is_asked_once_what_runs_have(instance):
    storage = instance.run_storage
    assert isinstance(storage, RunsOnKeptConnections)
    said: list[str] = []
    event.listen(
        storage._engine, "before_cursor_execute", lambda *given: said.append(str(given[2]))
    )
    for _ in range(3):
        assert storage.has_run_stats_index_cols()
    assert len([each for each in said if "pg_attribute" in each]) <= 1
