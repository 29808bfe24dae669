"""People are told: what fires, what recovers, and the one process that judges what time brings."""

from __future__ import annotations

from healing_pipeline.control.alert_firing import fire, recover

__all__ = ["fire", "recover"]
