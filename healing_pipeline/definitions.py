"""Everything Dagster loads, wired in one place: `build_definitions`, and `defs` made of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.control.lookout import STAND_INS
from healing_pipeline.healing.strategies.registry import all_strategies
from healing_pipeline.installation import config_path, load_catalog, watched_shards
from healing_pipeline.orchestration.alert_sensors import ALERTS, alert_on_run_failure, alert_watch
from healing_pipeline.orchestration.alerts_resource import AlertsResource
from healing_pipeline.orchestration.asset_checks import (
    every_endpoint_has_data,
    healing_rate,
    labels_are_honest,
    policy_is_no_worse,
    ticks_are_on_time,
)
from healing_pipeline.orchestration.assets import health_report, market_data
from healing_pipeline.orchestration.jobs import CASE, case_in_hand, heal_endpoint
from healing_pipeline.orchestration.learning_assets import learning_assets
from healing_pipeline.orchestration.learning_sensors import late_events_sensor, learning_automation
from healing_pipeline.orchestration.partitions import require_bearable
from healing_pipeline.orchestration.pod_sizes import LEARN_POD
from healing_pipeline.orchestration.prune_job import SHORT, prune
from healing_pipeline.orchestration.queues import LEARN
from healing_pipeline.orchestration.resources import (
    HealingClientResource,
    HealingResource,
    defined_for,
)
from healing_pipeline.orchestration.sensors import probe_sensor, report_sensor, stand_in_sensor


def build_definitions(
    config: Path | None = None, environ: Mapping[str, str] | None = None
) -> dg.Definitions:
    """Build the code location for a configuration; can be merged into definitions of your own.

    Parameters
    ----------
    config : Path, optional
        Instead of ``$HEALING_CONFIG`` or ``config/healing_config.yaml``.
    environ : Mapping[str, str], optional
        Instead of the process's environment; holds the API keys. It serves to check the
        configuration: ticks and runs are processes of their own and read their own environment.

    Raises
    ------
    ConfigurationError
        If the configuration cannot be used.

    Notes
    -----
    It names no executor, because definitions that are merged may have one together: the jobs here
    bring their own, and whatever else is materialised takes yours.

    ``HEALING_SHARDS`` says what its sensors look at, where several code locations share that. One
    that does not carry the rest has the sensors, the job they request, and the alerts about it.
    """
    surroundings = os.environ if environ is None else environ
    path = config_path(surroundings) if config is None else config
    catalog = load_catalog(path, surroundings)
    # A strategy of another package that cannot be used is told here, not by the first run.
    all_strategies()
    since = load_settings(path, environ=surroundings).learning_since
    require_bearable(since, tuple(catalog.sources), datetime.now(UTC))
    defined_for(path)
    shards = watched_shards(catalog, path, surroundings)
    watching = [
        *(probe_sensor(shard) for shard in shards),
        *(stand_in_sensor(number + 1) for number in range(STAND_INS)),
        alert_on_run_failure,
        alert_watch,
    ]
    resources = {
        "healing": HealingResource(config_path=str(path.resolve())),
        "healing_client": HealingClientResource(config_path=str(path.resolve())),
        ALERTS: AlertsResource(config_path=str(path.resolve())),
        CASE: case_in_hand,
    }
    if not shards.has_rest:
        return dg.Definitions(jobs=[heal_endpoint], sensors=watching, resources=resources)
    refresh_data = dg.define_asset_job(
        "refresh_market_data",
        selection=[market_data],
        description="Reads every endpoint as a reader does, and keeps data and labels.",
        executor_def=dg.in_process_executor,
        tags=SHORT,
    )
    report_health = dg.define_asset_job(
        "report_health",
        selection=[health_report],
        description="Makes a new health_report.",
        executor_def=dg.in_process_executor,
        tags={**SHORT, **LEARN, **LEARN_POD},
    )
    fold_hours = dg.define_asset_job(
        "fold_hours",
        # A text would be parsed, by a library that takes a tenth of a second to load.
        selection=[dg.AssetKey("inner_knowledge")],
        description="Folds the hours that a late fact belongs to.",
        executor_def=dg.in_process_executor,
        tags={**LEARN, **LEARN_POD},
    )
    return dg.Definitions(
        assets=[market_data, health_report, *learning_assets(since, tuple(catalog.sources))],
        asset_checks=[
            every_endpoint_has_data,
            labels_are_honest,
            healing_rate,
            ticks_are_on_time,
            policy_is_no_worse,
        ],
        jobs=[heal_endpoint, refresh_data, report_health, fold_hours, prune],
        sensors=[
            *watching,
            report_sensor("report_health"),
            late_events_sensor("fold_hours", since, tuple(catalog.sources)),
            learning_automation(),
        ],
        schedules=[
            dg.ScheduleDefinition(
                name="market_data_every_10_minutes",
                job=refresh_data,
                cron_schedule="*/10 * * * *",
                default_status=dg.DefaultScheduleStatus.RUNNING,
            ),
            dg.ScheduleDefinition(
                name="health_report_every_hour",
                job=report_health,
                cron_schedule="2 * * * *",
                default_status=dg.DefaultScheduleStatus.RUNNING,
            ),
            dg.ScheduleDefinition(
                name="prune_every_night",
                job=prune,
                # Between two hours' folds.
                cron_schedule="37 3 * * *",
                default_status=dg.DefaultScheduleStatus.RUNNING,
            ),
        ],
        resources=resources,
    )


def __getattr__(name: str) -> dg.Definitions:
    # `defs` is made when it is asked for: whoever imports this module to merge `build_definitions`
    # with definitions of their own has no configuration at the default place.
    if name != "defs":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = dg.Definitions.merge(
        build_definitions(), dg.Definitions(executor=dg.in_process_executor)
    )
    globals()[name] = made
    return made


def __dir__() -> list[str]:
    # Dagster finds a module's definitions by listing it.
    return sorted({*globals(), "defs"})
