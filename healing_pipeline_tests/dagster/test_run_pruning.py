"""Old runs go with all that Dagster kept of them; what is shown of assets stays as it was."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster_installation import QUIET, Installation

from healing_pipeline.catalog.retention_section import Retention
from healing_pipeline.control.retention_run import prune_installation
from healing_pipeline.orchestration.prune_job import SHORT
from healing_pipeline.storage import run_pruning
from healing_pipeline.storage.database import DatabaseAddress

pytestmark = [pytest.mark.processes, QUIET]

SETTINGS = """\
telemetry: {enabled: false}
storage:
  custom:
    module: healing_pipeline.orchestration.instance_storage
    class: InstallationStorage
"""
DAYS = dg.DailyPartitionsDefinition("2026-11-01", end_date="2026-11-04")


@pytest.fixture
def instance(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text(SETTINGS, "utf-8")
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    monkeypatch.delenv("HEALING_DAGSTER_DATABASE_URL", raising=False)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@dg.op
def work(context: dg.OpExecutionContext) -> None:
    context.log.info("at work")


@dg.job(executor_def=dg.in_process_executor, tags=SHORT)
def heals() -> None:
    work()


# Named as assets of ours are: what other runs say is left alone.
@dg.asset(name="inner_knowledge", partitions_def=DAYS)
def daily(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    context.log.info("at work")
    if context.partition_key == "2026-11-03":
        raise dg.Failure("this day fails")
    return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset
def data() -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset_check(asset=data)
def data_is_there() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


DEFINITIONS = dg.Definitions(
    assets=[daily, data],
    asset_checks=[data_is_there],
    jobs=[
        heals,
        dg.define_asset_job("refresh", selection=[data], tags=SHORT),
        # Tagged by mistake: it materialises partitions.
        dg.define_asset_job("fold", selection=[daily], tags=SHORT),
    ],
    executor=dg.in_process_executor,
)


def shown(instance: dg.DagsterInstance) -> Any:
    """What Dagster's pages say of the assets."""
    key = dg.AssetKey("inner_knowledge")
    # From the events, not from what is kept of them.
    instance.event_log_storage.wipe_asset_cached_status(key)
    newest = instance.get_latest_materialization_event(dg.AssetKey("data"))
    checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(dg.AssetKey("data"), "data_is_there")]
    )
    return (
        sorted(instance.get_materialized_partitions(key)),
        instance.get_status_by_partition(key, DAYS.get_partition_keys(), DAYS),
        newest.run_id if newest else None,
        {str(name): each.run_id for name, each in checks.items()},
    )


def prune(url: str, now: datetime, **options: Any) -> dict[str, int]:
    address = DatabaseAddress(url, url, url.replace("postgresql://", "postgresql+psycopg2://"))
    return prune_installation(
        address, Retention(), date(2026, 1, 1), (), now, rest=0.0, **options
    ).removed


def play(instance: dg.DagsterInstance, job: str, partition: str | None = None) -> str:
    return (
        DEFINITIONS.resolve_job_def(job)
        .execute_in_process(instance=instance, partition_key=partition, raise_on_error=False)
        .run_id
    )


def test_old_runs_go_and_partitions_and_checks_are_shown_as_before(instance, database_url):
    heal_runs = [play(instance, "heals") for _ in range(3)]
    folds = [play(instance, "fold", f"2026-11-0{day}") for day in (1, 2, 3)]
    refreshed = [play(instance, "refresh") for _ in range(3)]
    before = shown(instance)
    assert before[0] == ["2026-11-01", "2026-11-02"]
    now = datetime.now(UTC)
    assert prune(database_url, now + timedelta(days=29)) == {}
    late = now + timedelta(days=32)
    dry = prune(database_url, late, dry_run=True)
    removed = prune(database_url, late)
    assert dry["run"] == 9
    assert removed["run"] == 5, "those of heals, and all refreshments but the newest"
    assert removed["event of runs"] > 10
    left = {each.run_id for each in instance.get_runs()}
    assert left == {*folds, refreshed[-1]}
    assert shown(instance) == before
    for gone in (*heal_runs, *refreshed[:-1]):
        assert instance.all_logs(gone) == []
    kinds = {each.dagster_event.event_type_value for each in instance.all_logs(folds[0])}
    assert "ASSET_MATERIALIZATION" in kinds
    assert not {each for each in kinds if not each.startswith(("ASSET_", "PIPELINE_"))}
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM asset_check_executions").fetchone() == (1,)
        orphans = "SELECT count(*) FROM run_tags WHERE run_id NOT IN (SELECT run_id FROM runs)"
        assert connection.execute(orphans).fetchone() == (0,)
    assert prune(database_url, late) == {}


@dg.asset
def weekly_letter(context: dg.AssetExecutionContext) -> None:
    context.log.info("at work")


@dg.job(executor_def=dg.in_process_executor)
def their_job() -> None:
    work()


THEIRS = dg.Definitions(
    assets=[daily, weekly_letter],
    jobs=[their_job, dg.define_asset_job("both", selection=[weekly_letter, daily])],
    executor=dg.in_process_executor,
)


def test_what_runs_of_somebody_elses_said_stays(instance, database_url):
    """Their Dagster may have its tables where ours looks for Dagster's."""
    runs = [
        THEIRS.resolve_job_def(job)
        .execute_in_process(instance=instance, partition_key=partition, asset_selection=assets)
        .run_id
        for job, partition, assets in (
            ("their_job", None, None),
            ("both", "2026-11-01", None),
            ("__ASSET_JOB", None, [dg.AssetKey("weekly_letter")]),
        )
    ]
    before = [len(instance.all_logs(each)) for each in runs]
    assert prune(database_url, datetime.now(UTC) + timedelta(days=400)) == {}
    assert [len(instance.all_logs(each)) for each in runs] == before


def add_ticks(instance: dg.DagsterInstance, name: str, at: datetime) -> None:
    for second in range(3):
        tick = TickData(
            instigator_origin_id=name,
            instigator_name=name,
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.SUCCESS,
            timestamp=(at + timedelta(seconds=second)).timestamp(),
            run_ids=[],
            selector_id=name,
        )
        instance.create_tick(tick)


def test_ticks_of_a_sensor_that_is_no_more_go_but_for_its_newest(instance, database_url):
    now = datetime.now(UTC)
    add_ticks(instance, "probe_gone", now - timedelta(days=40))
    add_ticks(instance, "probe_yahoo", now)
    add_ticks(instance, "their_sensor", now - timedelta(days=400))
    assert prune(database_url, now) == {"tick": 2}
    assert prune(database_url, now) == {}


def test_what_counts_as_ours_is_what_the_definitions_name(installation: Installation) -> None:
    defs = installation.definitions
    assert set(run_pruning.JOBS) == {each.name for each in defs.jobs or ()}
    keys = {each.to_user_string() for each in defs.resolve_all_asset_keys()}
    assert set(run_pruning.ASSETS) == keys
    ticking = [each.name for each in (*(defs.sensors or ()), *(defs.schedules or ()))]
    patterns = [re.compile(each) for each in run_pruning.TICKING]
    assert all(any(each.fullmatch(name) for each in patterns) for name in ticking)
    assert all(any(each.fullmatch(name) for name in ticking) for each in patterns)


def test_the_job_prunes_by_the_configuration_and_tells_what_it_kept(
    installation: Installation,
) -> None:
    old = datetime.now(UTC) - timedelta(days=60)
    installation.write(
        "INSERT INTO healing.decision VALUES (gen_random_uuid(), 1, %(at)s, 'reader', 'fred', 'e',"
        " 'timeout', NULL, 1, '[]')",
        at=old,
    )
    job = installation.definitions.resolve_job_def("prune")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    [event] = [each for each in result.all_events if each.is_successful_output]
    metadata = {name: value.value for name, value in event.step_output_data.metadata.items()}
    assert metadata["removed decision"] == 1
    assert (metadata["is_complete"], metadata["kept"]) == (True, 1)
    assert installation.rows("SELECT * FROM healing.decision") == []
