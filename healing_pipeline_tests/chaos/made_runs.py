"""Days of Dagster's that never were: runs, their events and ticks, copied from real ones.

A run of each kind is played by a real instance; its copies have ids and times of their own, and of
the folds a partition each.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import yaml
from dagster._core.definitions.run_request import InstigatorType
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from healing_pipeline.orchestration.prune_job import SHORT
from healing_pipeline.storage.database import (
    DAGSTER_URL_VARIABLE,
    URL_VARIABLE,
    DatabaseAddress,
    with_scheme,
)

ROOT = Path(__file__).parents[2]
# Heal runs of a bad day, a refreshment each ten minutes, a fold of each hour.
PER_DAY = {"heal_endpoint": 400, "refresh_market_data": 144, "fold_hours": 24}
SENSORS, TICKS_PER_DAY = 12, 2_000
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
# What this needs of the project's own dagster.yaml.
OURS = ("telemetry", "storage", "retention")


@dg.op
def work(context: dg.OpExecutionContext) -> None:
    """Say as much as a heal run does."""
    for step in ("diagnose", "heal", "verify", "settle"):
        context.log.info(f"{step}: as it goes")


@dg.job(name="heal_endpoint", executor_def=dg.in_process_executor, tags=SHORT)
def heals() -> None:
    """Stand in for a heal run."""
    work()


def definitions_since(begin: str) -> dg.Definitions:
    """Two assets, one of them by hours, with the tags of the real jobs."""

    @dg.asset(
        name="inner_knowledge",
        partitions_def=dg.HourlyPartitionsDefinition(f"{begin}-00:00"),
    )
    def inner_knowledge(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        context.log.info("an hour of sources folded")
        return dg.MaterializeResult(metadata={"dagster/row_count": 40, "partitions": 1})

    @dg.asset(name="market_data")
    def market_data() -> dg.MaterializeResult[Any]:
        return dg.MaterializeResult(metadata={"dagster/row_count": 54})

    @dg.asset_check(asset=market_data, name="every_endpoint_has_data")
    def has_data() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    return dg.Definitions(
        assets=[inner_knowledge, market_data],
        asset_checks=[has_data],
        jobs=[
            heals,
            dg.define_asset_job("refresh_market_data", selection=[market_data], tags=SHORT),
            dg.define_asset_job("fold_hours", selection=[inner_knowledge]),
        ],
        executor=dg.in_process_executor,
    )


COPY = """
WITH template AS (
    SELECT * FROM runs WHERE run_id = %(run_id)s
), copy AS (
    SELECT g, md5(%(salt)s || %(run_id)s || g)::uuid::text AS run_id,
           %(begin)s::timestamp + (g - 0.5) / %(copies)s * interval '1 day' AS at,
           to_char(%(begin)s::timestamp + (g - 1) / %(per_hour)s * interval '1 hour',
                   'YYYY-MM-DD-HH24:00') AS partition
      FROM generate_series(1, %(copies)s) AS g
), ran AS (
    INSERT INTO runs (run_id, snapshot_id, pipeline_name, mode, status, run_body, partition,
                      partition_set, create_timestamp, update_timestamp, start_time, end_time)
    SELECT copy.run_id, snapshot_id, pipeline_name, mode, status,
           replace(run_body, %(run_id)s, copy.run_id),
           CASE WHEN template.partition IS NOT NULL THEN copy.partition END, partition_set, copy.at,
           copy.at, extract(epoch FROM copy.at), extract(epoch FROM copy.at) + 1
      FROM template CROSS JOIN copy
    RETURNING run_id
), tagged AS (
    INSERT INTO run_tags (run_id, key, value)
    SELECT copy.run_id, key, value
      FROM run_tags CROSS JOIN copy
     WHERE run_tags.run_id = %(run_id)s AND EXISTS (SELECT FROM ran WHERE ran.run_id = copy.run_id)
), checked AS (
    INSERT INTO asset_check_executions (asset_key, check_name, run_id, execution_status,
        evaluation_event, evaluation_event_timestamp, create_timestamp)
    SELECT asset_key, check_name, copy.run_id, execution_status, evaluation_event, copy.at, copy.at
      FROM asset_check_executions AS made CROSS JOIN copy WHERE made.run_id = %(run_id)s
)
INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key,
                        partition)
SELECT copy.run_id, replace(event, %(run_id)s, copy.run_id), dagster_event_type, copy.at, step_key,
       asset_key, CASE WHEN made.partition IS NOT NULL THEN copy.partition END
  FROM event_logs AS made CROSS JOIN copy
 WHERE made.run_id = %(run_id)s
 ORDER BY copy.g, made.id
"""
TICKS = """
INSERT INTO job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body,
                       create_timestamp, update_timestamp)
SELECT 'origin' || sensor, 'sensor' || sensor,
       CASE g %% 10 WHEN 0 THEN 'SUCCESS' ELSE 'SKIPPED' END, 'SENSOR',
       %(begin)s::timestamp + (g - 0.5) / %(ticks)s * interval '1 day', repeat('x', 900),
       %(begin)s, %(begin)s
  FROM generate_series(1, %(sensors)s) AS sensor CROSS JOIN generate_series(1, %(ticks)s) AS g
"""


def dagster_info(dagster_url: str) -> str:
    """Dagster's address for psycopg, in UTC."""
    given = conninfo_to_dict(with_scheme(dagster_url, "postgresql"))
    return make_conninfo("", **{**given, "options": "-c TimeZone=UTC -c synchronous_commit=off"})


@contextmanager
def instance_at(folder: Path, address: DatabaseAddress) -> Iterator[dg.DagsterInstance]:
    """A real instance on Dagster's database of an installation."""
    ours = {URL_VARIABLE: address.url, DAGSTER_URL_VARIABLE: address.dagster_url}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text("utf-8"))
    (folder / "dagster.yaml").write_text(
        yaml.safe_dump({name: settings[name] for name in OURS}), "utf-8"
    )
    try:
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            yield instance
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def played(instance: dg.DagsterInstance, first: datetime) -> dict[str, str]:
    """Play a run of each kind; their ids, by job."""
    definitions = definitions_since(f"{first:%Y-%m-%d}")
    partitions = {
        "heal_endpoint": None,
        "refresh_market_data": None,
        "fold_hours": f"{first:%Y-%m-%d}-00:00",
    }
    return {
        job: definitions.resolve_job_def(job)
        .execute_in_process(instance=instance, partition_key=partition, run_config=QUIET)
        .run_id
        for job, partition in partitions.items()
    }


def make_runs(
    dagster_url: str, templates: Mapping[str, str], day: datetime, salt: str, share: float
) -> None:
    """Copy the runs into a day, and put ticks beside them; `share` of a real day's."""
    with psycopg.connect(dagster_info(dagster_url)) as connection:
        for job, run_id in templates.items():
            copies = PER_DAY[job] if job == "fold_hours" else max(2, round(PER_DAY[job] * share))
            values = {
                "run_id": run_id,
                "begin": day.replace(tzinfo=None),
                "copies": copies,
                "salt": f"{salt} {day:%Y-%m-%d} ",
                "per_hour": max(1, copies // 24),
            }
            connection.execute(COPY.encode(), values)
        connection.execute(
            TICKS.encode(),
            {
                "begin": day.replace(tzinfo=None),
                "sensors": SENSORS,
                "ticks": max(10, round(TICKS_PER_DAY * share)),
            },
        )


def purge_ticks(instance: dg.DagsterInstance, at: datetime) -> None:
    """What Dagster's daemon does after each tick of a sensor, with the settings of dagster.yaml."""
    kept = instance.get_tick_retention_settings(InstigatorType.SENSOR)
    for status, days in kept.items():
        if days <= 0:
            continue
        before = (at - timedelta(days=days)).timestamp()
        for number in range(1, SENSORS + 1):
            instance.purge_ticks(f"origin{number}", f"sensor{number}", before, [status])


def materialised(instance: dg.DagsterInstance) -> set[str]:
    """The hours that Dagster shows as folded, from the events and not from what is kept of them."""
    key = dg.AssetKey("inner_knowledge")
    instance.event_log_storage.wipe_asset_cached_status(key)
    return instance.get_materialized_partitions(key)
