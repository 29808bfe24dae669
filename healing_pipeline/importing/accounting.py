"""The account of an import: every monitor once, carried over or not, for people and programs."""

from __future__ import annotations

from typing import Any

from healing_pipeline.importing.placing import Placed


def account_of(placed: Placed) -> dict[str, Any]:
    """What became of each monitor, as JSON has it."""
    return {
        "tool": placed.tool,
        "carried_over": [
            {"name": each.of, "endpoint": each.id, "notes": list(each.notes)}
            for each in placed.endpoints
        ],
        "left_out": [{"name": each.name, "why": each.why} for each in placed.left_out],
        "notes": list(placed.notes),
        "variables": [{"name": name, "holds": holds} for name, holds in placed.variables],
        "private_hosts": list(placed.private_hosts),
    }
