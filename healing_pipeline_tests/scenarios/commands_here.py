"""A command as its process would run it, in this process: no interpreter to start or to fill."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from healing_pipeline.cli import main


def run_here(
    folder: Path, environ: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """What `healing ARGUMENTS` prints in `folder`, and its exit code; nothing stays changed."""
    said, complained = io.StringIO(), io.StringIO()
    quiet = logging.getLogger("healing_pipeline.storage")  # `healing fetch` makes it so
    level, code = quiet.level, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [each for each in os.environ if each.startswith(("HEALING_", "DAGSTER_"))]:
            patch.delenv(name)
        for name, value in environ.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["healing", *arguments])
        try:
            with redirect_stdout(said), redirect_stderr(complained):
                main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            quiet.setLevel(level)
    return subprocess.CompletedProcess(
        ["healing", *arguments], code, said.getvalue(), complained.getvalue()
    )
