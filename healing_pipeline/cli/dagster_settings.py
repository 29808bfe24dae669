"""What an instance of Dagster lacks for us, as `healing check` tells it.

Only what holds up others or grows for ever. Dagster itself judges its file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

NAME = "dagster.yaml"


def settings_file(environ: Mapping[str, str], folder: Path) -> Path | None:
    """The file that Dagster reads when it is started in `folder`; None where there is none."""
    path = Path(environ.get("DAGSTER_HOME", "").strip() or folder) / NAME
    return path if path.is_file() else None


def shortfalls(text: str) -> list[str]:
    """What is missing in a file's text, each with its cure; empty when nothing is."""
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError:
        return []  # Dagster says where
    found = []
    if _at(settings, "sensors", "use_threads") is not True:
        found.append(
            "Sensors tick one after another, and each of ours stays in its tick for seconds: all"
            " others wait. Write `sensors: {use_threads: true, num_workers: 16}`."
        )
    if not isinstance(_at(settings, "retention", "sensor", "purge_after_days"), int | dict):
        found.append(
            "Ticks that succeed are kept for ever, and ours come every five seconds. Write"
            " `retention: {sensor: {purge_after_days: {skipped: 1, success: 14, failure: 30}}}`."
        )
    return found


def of_instance(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What the instance lacks that commands of Dagster use here, behind the name of its file."""
    path = settings_file(environ, Path.cwd())
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [f"{path}: {each}" for each in shortfalls(text)]


def _at(settings: object, *keys: str) -> object:
    for key in keys:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings
