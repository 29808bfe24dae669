"""Making a health report: asked of the facts, stored, added up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.reporting.health import HealthReport
from healing_pipeline.storage.reports import health_rows, save_health_report


def make_report(connection: Connection[Any], now: datetime, *, window_s: float) -> HealthReport:
    """Compute every endpoint's health over the `window_s` seconds before `now`, and store it."""
    rows = health_rows(connection, now - timedelta(seconds=window_s), now)
    save_health_report(connection, rows)
    return HealthReport(report_at=now, window_s=window_s, rows=rows)
