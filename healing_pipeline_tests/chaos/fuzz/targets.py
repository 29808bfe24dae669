"""All that is fuzzed, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from healing_pipeline_tests.chaos.fuzz import documents, requests, stored, upstream
from healing_pipeline_tests.chaos.fuzz.target import Target

TARGETS: Mapping[str, Target] = {
    each.name: each for module in (upstream, documents, requests, stored) for each in module.TARGETS
}


def inputs_of(total: int) -> dict[str, int]:
    """How many of at least `total` inputs each target gets."""
    whole = sum(each.share for each in TARGETS.values())
    return {name: -(-total * each.share // whole) for name, each in TARGETS.items()}
