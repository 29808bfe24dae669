"""Helm, Docker Compose and nginx for the tests of deploy/, and what they make of it.

`make deploy-check` fetches them. Without them such a test is skipped with that reason, unless
``HEALING_DEPLOY_TESTS=required``, as in CI.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
CHART = DEPLOY / "helm" / "healing-gateway"
TOOLS = REPOSITORY / ".venv" / "deploy-tools"
REQUIRED = "HEALING_DEPLOY_TESTS"


def tool(name: str) -> Path:
    """A program that was fetched."""
    path = TOOLS / name
    if not path.is_file():
        reason = f"{name} is not fetched; `make deploy-check` does"
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def ran(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """What a program prints; its complaint is the test's."""
    told = subprocess.run(
        [str(each) for each in command],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def composed(*files: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The services that Docker Compose makes of files in deploy/."""
    named = [part for file in files for part in ("--file", str(DEPLOY / file))]
    text = ran(tool("docker-compose"), *named, "config", env=env)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def rendered(*settings: str) -> list[dict[str, Any]]:
    """The objects that Helm makes of our chart."""
    config = f"config={REPOSITORY / 'config' / 'healing_config.yaml'}"
    values = [part for each in settings for part in ("--set", each)]
    text = ran(tool("helm"), "template", "healing", CHART, "--set-file", config, *values)
    return [each for each in yaml.safe_load_all(text) if each]


def of_kind(objects: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of one kind."""
    return [each for each in objects if each["kind"] == kind]
