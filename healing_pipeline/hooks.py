"""What anyone attaches to jobs, ops and assets of their own; see docs/how_to/alert_hooks.md."""

from healing_pipeline.orchestration.alerts_resource import AlertsResource
from healing_pipeline.orchestration.hooks import alert_hooks, alert_on_failure, alert_on_success

__all__ = ["AlertsResource", "alert_hooks", "alert_on_failure", "alert_on_success"]
