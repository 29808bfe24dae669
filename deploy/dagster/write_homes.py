"""Writes Dagster's settings for containers from the project's own, so that there is one truth.

``python write_homes.py dagster.yaml FOLDER`` writes ``FOLDER/default/dagster.yaml``, whose runs
begin in the code server's container, and ``FOLDER/celery/dagster.yaml``, whose runs begin in
Celery's workers. The project's own launcher forks runs where the daemon is and is in neither: here
the code is in another container.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from healing_pipeline.stack.celery import RUN_LAUNCHER

STORAGE = {
    "module": "dagster.core.storage.root",
    "class": "LocalArtifactStorage",
    "config": {"base_dir": "/var/lib/healing/dagster"},
}


def homes(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of each way of launching, by its name."""
    shared = {**settings, "local_artifact_storage": STORAGE}
    shared.pop("run_launcher", None)
    return {"default": shared, "celery": {**shared, "run_launcher": dict(RUN_LAUNCHER)}}


def main(source: Path, folder: Path) -> None:
    """Write them all."""
    settings = yaml.safe_load(source.read_text(encoding="utf-8"))
    for name, each in homes(settings).items():
        home = folder / name
        home.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(each, sort_keys=False)
        (home / "dagster.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
