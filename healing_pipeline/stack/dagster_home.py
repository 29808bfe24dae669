"""A ``DAGSTER_HOME`` of its own for a stack that must not mix with the project's.

It is the project's dagster.yaml, so that what is drilled is what runs, with the launcher chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from healing_pipeline.errors import ConfigurationError

FILE = "dagster.yaml"
LAUNCHER = "run_launcher"


class Launcher(StrEnum):
    """What starts Dagster's runs."""

    WARM = "warm"
    DEFAULT = "default"


def settings_of(root: Path) -> dict[str, Any]:
    """The settings in the project's dagster.yaml.

    Raises
    ------
    ConfigurationError
        If there is no such file, or it cannot be read.
    """
    path = root / FILE
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no {FILE} in {root}.",
            "Run this in the project's folder, or copy the file there.",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}.", "Mend it; `git checkout dagster.yaml` has the last."
        ) from error
    if not isinstance(said, dict):
        raise ConfigurationError(f"{path} holds no settings.", "Mend it, or copy the project's.")
    return said


def launcher_of(settings: dict[str, Any]) -> Launcher:
    """The launcher that settings ask for."""
    return Launcher.WARM if LAUNCHER in settings else Launcher.DEFAULT


def write_home(home: Path, settings: dict[str, Any], launcher: Launcher) -> None:
    """Write dagster.yaml into a folder that gets all of Dagster's files.

    Raises
    ------
    ConfigurationError
        If the warm launcher is asked for and the settings do not have it.
    """
    if launcher is Launcher.WARM and LAUNCHER not in settings:
        raise ConfigurationError(
            f"{FILE} has no `{LAUNCHER}:` block, which is what turns the warm launcher on.",
            "Put the block back, or ask for --launcher default.",
        )
    own = {name: each for name, each in settings.items() if name != "local_artifact_storage"}
    if launcher is Launcher.DEFAULT:
        own.pop(LAUNCHER, None)
    own["local_artifact_storage"] = {
        "module": "dagster.core.storage.root",
        "class": "LocalArtifactStorage",
        "config": {"base_dir": str(home / "dagster")},
    }
    _write(home, own)


def write_home_with(home: Path, settings: Mapping[str, Any], launcher: Mapping[str, Any]) -> None:
    """Write dagster.yaml into a folder, with another launcher and all else as the project has it.

    What assets have stored stays where it is: it belongs to the project, not to the launcher.
    """
    _write(home, {**settings, LAUNCHER: dict(launcher)})


def _write(home: Path, settings: Mapping[str, Any]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(dict(settings), sort_keys=False)
    (home / FILE).write_text(text, encoding="utf-8")
