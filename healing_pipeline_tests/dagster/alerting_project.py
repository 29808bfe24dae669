"""A code location as anyone has one: jobs and assets that fail when a file says so."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from healing_pipeline.hooks import AlertsResource, alert_on_failure, alert_on_success
from healing_pipeline.orchestration.alert_sensors import (
    ALERTS,
    alert_on_run_failure,
    alert_watch,
)

HOOKS = {alert_on_failure, alert_on_success}
DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-10")


def is_ill(name: str) -> bool:
    """Whether the test has asked for a failure."""
    return Path(os.environ["ILL"], name).exists()


def do(name: str) -> None:
    if is_ill(f"{name}.killed"):
        os._exit(1)
    if is_ill(name):
        raise ValueError(f"{name} is ill, password=hunter2hunter2")


@dg.asset(hooks=HOOKS, op_tags={"owner": "ann, bob"})
def prices() -> None:
    do("prices")


@dg.asset(hooks=HOOKS, partitions_def=DAYS)
def daily() -> None:
    do("daily")


@dg.op
def first() -> int:
    do("first")
    return 1


@dg.op
def second(number: int) -> int:
    do("second")
    return number


@dg.graph_asset(hooks=HOOKS)
def built() -> int:
    return second(first())


# Nobody has attached a hook to these.
@dg.asset
def bare() -> None:
    do("bare")


@dg.asset_check(asset=bare)
def is_fresh() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not is_ill("is_fresh"),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"oldest_h": 30},
    )


@dg.asset(partitions_def=DAYS)
def bare_daily() -> None:
    do("bare_daily")


@dg.asset_check(asset=prices, blocking=True)
def is_whole() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=not is_ill("is_whole"))


@dg.op(tags={"owner": "cleo", "healing/alert_level": "critical"})
def load() -> None:
    do("load")


@dg.op
def tell() -> None:
    do("tell")


@dg.job(hooks=HOOKS, tags={"owner": "dan"})
def nightly() -> None:
    load()
    tell()


@dg.job
def bare_job() -> None:
    load()


@dg.job
def heal_endpoint() -> None:
    """Named as the job that heals: its incidents ask again by themselves."""
    load()


@dg.sensor(minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING)
def ticking() -> dg.SkipReason:
    """One of theirs."""
    do("ticking")
    return dg.SkipReason("nothing to do")


JOBS = [nightly, bare_job, heal_endpoint]

defs = dg.Definitions(
    assets=[prices, daily, built, bare, bare_daily],
    asset_checks=[is_whole, is_fresh],
    jobs=JOBS,
    sensors=[alert_on_run_failure, alert_watch, ticking],
    resources={ALERTS: AlertsResource(page="http://dagster.test")},
    executor=dg.in_process_executor,
)
