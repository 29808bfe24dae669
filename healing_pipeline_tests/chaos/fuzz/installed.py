"""The default configuration as it is installed, loaded once."""

from __future__ import annotations

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
