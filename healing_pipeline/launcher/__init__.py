"""A warm run launcher for any Dagster project: runs begin in tenths of a second.

Switched on by ``run_launcher:`` in dagster.yaml, off by removing it. Nothing here knows what the
runs are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from healing_pipeline.launcher.eager_run_coordinator import EagerRunCoordinator
    from healing_pipeline.launcher.warm_run_launcher import WarmRunLauncher

__all__ = ["EagerRunCoordinator", "WarmRunLauncher"]


def __getattr__(name: str) -> Any:
    # A stop or a look at the processes need not load Dagster.
    if name == "WarmRunLauncher":
        from healing_pipeline.launcher.warm_run_launcher import WarmRunLauncher

        return WarmRunLauncher
    if name == "EagerRunCoordinator":
        from healing_pipeline.launcher.eager_run_coordinator import EagerRunCoordinator

        return EagerRunCoordinator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
