"""Run by a Python that knows nothing of this repository, in the folder of a project of somebody's.

Loads its definitions, makes an asset of theirs, lets a sensor of ours tick; prints what came of it.
"""

from __future__ import annotations

import importlib
import json
import sys

import dagster as dg


def main() -> None:
    """``MODULE JOB ASSET SENSOR``."""
    module, job, asset, sensor = sys.argv[1:]
    defs = importlib.import_module(module).defs
    defs = defs if isinstance(defs, dg.Definitions) else defs()
    dg.Definitions.validate_loadable(defs)
    from healing_pipeline.orchestration import sensors

    sensors.TICK_S = 0.0  # look once, and not for seconds
    with dg.DagsterInstance.ephemeral() as instance:
        made = defs.resolve_job_def(job).execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(asset)]
        )
        (said,) = made.asset_materializations_for_node(asset)
        context = dg.build_sensor_context(
            instance=instance, resources={"healing": defs.resources["healing"]}
        )
        tick = defs.resolve_sensor_def(sensor).evaluate_tick(context)
    found = {
        "package": importlib.import_module("healing_pipeline").__file__,
        "metadata": {name: value.value for name, value in said.metadata.items()},
        "requests": [dict(each.tags) for each in tick.run_requests],
    }
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
