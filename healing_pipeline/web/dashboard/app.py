"""The routes of the dashboard, put together."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import BaseRoute, Route

from healing_pipeline.web import reports
from healing_pipeline.web.dashboard import (
    alerts_page,
    endpoint_page,
    incident_page,
    learning_page,
    metrics,
    overview,
    reports_page,
    request_page,
    status,
)
from healing_pipeline.web.dashboard.live import Live
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import ASSETS_AT, asset_response

# Of a module per page, each with its routes, paths in full.
PAGES: tuple[Callable[[Dashboard], list[BaseRoute]], ...] = (
    endpoint_page.pages_of,
    incident_page.pages_of,
    request_page.pages_of,
    alerts_page.pages_of,
    status.pages_of,
    metrics.pages_of,
    reports_page.pages_of,
    learning_page.pages_of,
    reports.pages_of,
)


def routes_of(dashboard: Dashboard, live: Live | None = None) -> list[BaseRoute]:
    """Every route of the dashboard, for the application of all pages.

    Parameters
    ----------
    live : Live or None
        What the overview shows; None leaves it out.
    """
    return [
        Route(f"{ASSETS_AT}{{file}}", asset_response),
        *([] if live is None else overview.pages_of(dashboard, live)),
        *(route for pages_of in PAGES for route in pages_of(dashboard)),
    ]
