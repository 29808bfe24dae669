"""What the default configuration watches, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.installation import load_catalog

CONFIG = Path(__file__).parents[3] / "config" / "healing_config.yaml"


@cache
def default_catalog() -> Catalog:
    """The catalog of the configuration that `healing init` writes."""
    return load_catalog(CONFIG, {})
