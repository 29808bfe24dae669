"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("config/healing_config.yaml")

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="HEALING_CONFIG", help="The configuration file."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
