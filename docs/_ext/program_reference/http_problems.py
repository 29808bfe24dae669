"""The kinds of problem details that the gateway answers with when it has no data."""

from __future__ import annotations

from healing_pipeline.web.problems import KINDS, TYPES_AT
from program_reference.markdown import code, table


def text() -> str:
    """A table of the kinds."""
    rows = [
        [code(f"{TYPES_AT}{name}"), str(kind.status), f"**{kind.title}** {kind.explanation}"]
        for name, kind in KINDS.items()
    ]
    return table(["type", "status", "what it means"], rows)
