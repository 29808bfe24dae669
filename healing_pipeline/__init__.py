"""Watch third-party data endpoints, heal their failures, learn which remedy works where.

What a program of yours needs stands here: `HealingClient` (and `AsyncHealingClient`) with what it
returns; and for a Dagster project the resource `HealingClientResource`, the component
`HealingSources` and `merged_definitions`. Names are loaded when they are asked for, so that
importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from healing_pipeline.client import AsyncHealingClient, HealingClient
    from healing_pipeline.components.healing_sources import HealingSources
    from healing_pipeline.healing.answer import Answer, HealingFailed
    from healing_pipeline.healing.fidelity import Fidelity
    from healing_pipeline.merging import merged_definitions
    from healing_pipeline.orchestration.resources import HealingClientResource

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "AsyncHealingClient",
    "Fidelity",
    "HealingClient",
    "HealingClientResource",
    "HealingFailed",
    "HealingSources",
    "__version__",
    "merged_definitions",
]

_HOMES = {
    "Answer": "healing_pipeline.healing.answer",
    "AsyncHealingClient": "healing_pipeline.client",
    "Fidelity": "healing_pipeline.healing.fidelity",
    "HealingClient": "healing_pipeline.client",
    "HealingClientResource": "healing_pipeline.orchestration.resources",
    "HealingFailed": "healing_pipeline.healing.answer",
    "HealingSources": "healing_pipeline.components.healing_sources",
    "merged_definitions": "healing_pipeline.merging",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
