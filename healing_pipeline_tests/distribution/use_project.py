"""Run by a Python that knows nothing of this repository, in the folder of a project of somebody's.

Loads its definitions, lets sensors of ours tick and makes an asset of theirs, all on the instance
that the project's dagster.yaml describes; prints what came of it.
"""

from __future__ import annotations

import importlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.workspace.autodiscovery import loadable_targets_from_python_module


def main() -> None:
    """``MODULE JOB ASSET SENSOR``."""
    module, job, asset, sensor = sys.argv[1:]
    # As a code server finds them: a module with two of them, say, is refused.
    (found,) = loadable_targets_from_python_module(module, working_directory=str(Path.cwd()))
    defs = found.target_definition
    defs = defs if isinstance(defs, dg.Definitions) else defs()
    dg.Definitions.validate_loadable(defs)
    from healing_pipeline.storage import probes

    with dg.DagsterInstance.get() as instance:

        def tick(name: str) -> dg.SensorResult:
            definition = defs.resolve_sensor_def(name)
            needed = {key: defs.resources[key] for key in definition.required_resource_keys}
            context = dg.build_sensor_context(instance=instance, resources=needed, cursor=None)
            return definition.evaluate_tick(context)

        # Whichever ticks first finds no database yet.
        watched = tick("alert_watch").skip_message
        made = defs.resolve_job_def(job).execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(asset)]
        )
        (said,) = made.asset_materializations_for_node(asset)
        session = defs.resources["healing"].session()
        with session.database.connection() as connection:
            # Everything is due now, and not within a minute.
            endpoints = session.catalog.endpoints.values()
            probes.seed_schedule(connection, endpoints, datetime.now(UTC), lambda: 0.0)
        # A tick ends when it has something to ask for; on a busy machine the next one has it.
        requests = next((asked for _ in range(4) if (asked := tick(sensor).run_requests)), [])
        threads = instance.get_settings("sensors")["use_threads"]
    told = {
        "package": importlib.import_module("healing_pipeline").__file__,
        "metadata": {name: value.value for name, value in said.metadata.items()},
        "requests": sorted(each.tags["healing/endpoint"] for each in requests),
        "watched": watched,
        "threads": threads,
    }
    print(json.dumps(told, default=str))


if __name__ == "__main__":
    main()
