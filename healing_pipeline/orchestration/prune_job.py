"""`prune`: a job that takes away what is past its time, each night, in small steps."""

import os
import time
from pathlib import Path
from typing import Any

import dagster as dg

from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.control.log_trimming import trim_logs
from healing_pipeline.installation import load_catalog, state_dir
from healing_pipeline.orchestration.assets import ONE_CORE
from healing_pipeline.orchestration.pod_sizes import LEARN_POD
from healing_pipeline.orchestration.queues import LEARN
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.storage.database import resolve_database

# A run that Dagster ends after `max_runtime_seconds` would count as failed; the next night goes on.
LONGEST_S = 1200.0

# Runs with this tag go whole once they are old; those that materialised a partition stay for ever.
SHORT = {"healing/retention": "short"}


@dg.op(
    name="prune_rows",
    out=dg.Out(dagster_type=dg.Nothing),
    pool=ONE_CORE,
    description="Take away what is past its time: see `retention` in the configuration.",
    tags={"dagster/kind/postgres": ""},
)
def prune_op(context: dg.OpExecutionContext, healing: HealingResource) -> None:
    """Prune for some minutes at most; what is left goes the next time."""
    from healing_pipeline.control.retention_run import prune_installation

    config = Path(healing.config_path)
    settings = load_settings(config, environ=os.environ)
    sources = tuple(load_catalog(config, os.environ).sources)
    clock = healing.session().clock
    until = time.monotonic() + LONGEST_S
    address = resolve_database(os.environ, state_dir(os.environ), is_tried=False)
    try:
        done = prune_installation(
            address,
            settings.retention,
            settings.learning_since,
            sources,
            clock.now(),
            stop=lambda: time.monotonic() > until,
        )
    finally:
        address.close()
    trim_logs(state_dir(os.environ))
    for each in done.kept:
        context.log.info(f"Kept: {each.what}, because {each.because}.")
    if not done.is_complete:
        context.log.warning(f"Not all in {LONGEST_S:.0f} s: the next run does the rest.")
    removed: dict[str, Any] = {f"removed {name}": rows for name, rows in done.removed.items()}
    context.add_output_metadata(
        {
            **removed,
            "came_late": done.late,
            "kept": len(done.kept),
            "is_complete": done.is_complete,
            "seconds": round(done.seconds, 2),
        }
    )


@dg.job(
    name="prune",
    description="Take away what is past its time, so that tables stay as large as they are.",
    executor_def=dg.in_process_executor,
    tags={**SHORT, **LEARN, **LEARN_POD},
)
def prune() -> None:
    """One step over all tables."""
    prune_op()
