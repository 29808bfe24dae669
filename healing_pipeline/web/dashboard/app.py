"""The routes of the dashboard, put together."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import BaseRoute, Route

from healing_pipeline.web.dashboard import endpoint_page, incident_page
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import ASSETS_AT, asset_response

# Of a module per page, each with its routes, paths in full.
PAGES: tuple[Callable[[Dashboard], list[BaseRoute]], ...] = (
    endpoint_page.pages_of,
    incident_page.pages_of,
)


def routes_of(dashboard: Dashboard) -> list[BaseRoute]:
    """Every route of the dashboard, for the application of all pages."""
    return [
        Route(f"{ASSETS_AT}{{file}}", asset_response),
        *(route for pages_of in PAGES for route in pages_of(dashboard)),
    ]
