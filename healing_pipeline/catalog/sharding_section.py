"""`sharding`: how many endpoints one sensor looks at."""

from __future__ import annotations

from healing_pipeline.catalog.fields import Fields
from healing_pipeline.catalog.problems import Findings

SECTION = "sharding"

# What one look claims and probes within its second, with room for a wave of failures.
DEFAULT_PER_SENSOR = 500


def read_endpoints_per_sensor(root: Fields, findings: Findings) -> int:
    """The section's one setting; what is wrong falls back to its default."""
    node = root.node(SECTION)
    if node is None:
        return DEFAULT_PER_SENSOR
    fields = Fields(
        node,
        what=f"`{SECTION}`",
        line=node.line,
        required=("endpoints_per_sensor",),
        optional=(),
        findings=findings,
    )
    return fields.whole("endpoints_per_sensor", 1, 100_000) or DEFAULT_PER_SENSOR
