"""The app of Celery's workers: ``celery -A healing_pipeline.celery_runs.app worker -Q heal``.

Broker, settings and what to load ahead are those of the launcher in ``$DAGSTER_HOME/dagster.yaml``,
so that launcher and workers cannot differ. The definitions are loaded once, before the processes of
a worker are forked; each of them then opens what its first run would open.
"""

from __future__ import annotations

import gc
import importlib
import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutdown
from dagster._core.code_pointer import CodePointer
from dagster._core.definitions.reconstruct import reconstruct_repository_def_from_pointer
from dagster._core.instance.ref import InstanceRef

from healing_pipeline.celery_runs.run_launcher import WatchedCeleryRunLauncher

READY_FILE_VARIABLE = "CELERY_RUNS_READY_FILE"
"""A file that is there while the worker takes runs."""


def _launcher() -> WatchedCeleryRunLauncher:
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        raise SystemExit(
            "DAGSTER_HOME is not set: name the folder of the dagster.yaml whose runs these are."
        )
    launcher = InstanceRef.from_dir(home).run_launcher
    if not isinstance(launcher, WatchedCeleryRunLauncher):
        raise SystemExit(
            f"{home}/dagster.yaml launches runs by {type(launcher).__name__}: put the run_launcher "
            "block of WatchedCeleryRunLauncher there, or set DAGSTER_HOME to another folder."
        )
    return launcher


launcher = _launcher()
app: Celery = launcher.worker_app()


@worker_init.connect  # type: ignore[untyped-decorator]
def load_ahead(**_: Any) -> None:
    """Load the definitions before the worker forks, ready for any of their jobs."""
    if not launcher.code:
        return
    module, attribute = launcher.code.split(":")
    # As the code server names it that is started in this folder: each run's code is looked up by
    # that name.
    pointer = CodePointer.from_module(module, attribute, str(Path.cwd()))
    reconstruct_repository_def_from_pointer(pointer).get_all_jobs()
    # A collector that looks at what the processes share would make copies of it.
    gc.collect()
    gc.freeze()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def open_ahead(**_: Any) -> None:
    """Open in a new process what its first run needs; without it, that run opens it."""
    for each in launcher.warm_up:
        try:
            module, function = each.split(":")
            getattr(importlib.import_module(module), function)()
        except Exception as error:
            print(f"{each} could not be called ahead: {type(error).__name__}: {error}", flush=True)


@worker_ready.connect  # type: ignore[untyped-decorator]
def say_ready(**_: Any) -> None:
    """Leave the word that runs are taken."""
    if path := os.environ.get(READY_FILE_VARIABLE):
        Path(path).touch()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def say_no_more(**_: Any) -> None:
    """Take it back."""
    if path := os.environ.get(READY_FILE_VARIABLE):
        Path(path).unlink(missing_ok=True)
