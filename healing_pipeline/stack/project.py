"""Dagster's two files that a folder needs before `healing up`, written where they are absent.

They come with the package, the same as this project's own. What is there already is never touched:
it may be yours.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from healing_pipeline.errors import ConfigurationError

NAMES = ("dagster.yaml", "workspace.yaml")


def absent(root: Path) -> list[Path]:
    """Those of the files that a folder does not have."""
    return [root / name for name in NAMES if not (root / name).exists()]


def write_absent(root: Path) -> list[Path]:
    """Write the files that are absent, and name them.

    None into a Dagster project of somebody's own: a `workspace.yaml` there would change what
    `dagster dev` loads.

    Raises
    ------
    ConfigurationError
        If the folder cannot be written to.
    """
    if _is_a_dagster_project(root):
        return []
    written = []
    for path in absent(root):
        text = (
            files("healing_pipeline.stack").joinpath("project_files", path.name).read_text("utf-8")
        )
        try:
            # Not if somebody was quicker.
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be written: {error.strerror}.",
                "Run this in a folder that this user may write to.",
            ) from error
        written.append(path)
    return written


def _is_a_dagster_project(root: Path) -> bool:
    try:
        said = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and bool({"dagster", "dg"} & set(said))
