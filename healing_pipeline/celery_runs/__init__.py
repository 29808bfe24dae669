"""Runs on Celery's workers, for any Dagster project: `WatchedCeleryRunLauncher` and its workers.

It is `dagster-celery`'s launcher with what a killed worker asks for, and one place for the settings
of launcher and workers: dagster.yaml. Nothing here knows what the runs are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from healing_pipeline.celery_runs.run_launcher import WatchedCeleryRunLauncher

__all__ = ["WatchedCeleryRunLauncher"]


def __getattr__(name: str) -> Any:
    # The app of the workers must not be loaded by whoever only names a setting.
    if name == "WatchedCeleryRunLauncher":
        from healing_pipeline.celery_runs.run_launcher import WatchedCeleryRunLauncher

        return WatchedCeleryRunLauncher
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
