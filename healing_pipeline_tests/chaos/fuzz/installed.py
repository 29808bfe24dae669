"""What targets stand on: the default configuration, loaded once, and a folder to write to."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from healing_pipeline.catalog.values import Catalog


@cache
def default_catalog() -> Catalog:
    """The catalogue that a newcomer starts with."""
    from healing_pipeline.catalog.default import default_config_text
    from healing_pipeline.catalog.load import load
    from healing_pipeline.providers.registry import provider_names
    from healing_pipeline.simulator.hosts import addresses
    from healing_pipeline.simulator.keys import default_keys

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "healing_config.yaml"
        path.write_text(default_config_text(), encoding="utf-8")
        return load(
            path,
            environ={},
            providers=provider_names(),
            simulated_hosts=addresses(8900),
            simulated_keys=default_keys(),
        )


def scratch() -> Path:
    """A folder that is gone when the process ends."""
    folder = tempfile.mkdtemp(prefix="fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
