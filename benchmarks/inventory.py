"""What there is, counted in the code itself: endpoints, strategies, partitions, rates of learning.

Run it with ``python benchmarks/inventory.py``; it prints JSON and measures nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.definitions import build_definitions
from healing_pipeline.healing.strategies.registry import all_strategies
from healing_pipeline.installation import load_catalog
from healing_pipeline.learning.estimate import DECAYS
from healing_pipeline.storage.bounded import THREADS


def counted() -> dict[str, Any]:
    """All of it."""
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "healing_config.yaml"
        config.write_text(default_config_text(), encoding="utf-8")
        catalog = load_catalog(config, {})
        definitions = build_definitions(config, {})
    endpoints = catalog.endpoints.values()
    partitions = {
        spec.key.to_user_string(): type(assets.partitions_def).__name__
        for assets in definitions.assets or ()
        for spec in assets.specs
        if getattr(assets, "partitions_def", None) is not None
    }
    return {
        "endpoints": len(endpoints),
        "sources": dict(Counter(each.source for each in endpoints)),
        "probes_per_s": sum(1 / each.interval_s for each in endpoints),
        "strategies": sorted(each.name for each in all_strategies()),
        "partitions": partitions,
        "inner_rates": [1 - each for each in DECAYS],
        "threads_of_pages": THREADS,
    }


if __name__ == "__main__":
    print(json.dumps(counted(), indent=2, default=str))
