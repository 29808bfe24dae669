"""The page of one endpoint: how it is, how its day was, its incidents, what was sent for it."""

from __future__ import annotations

from difflib import get_close_matches
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.reporting.slo import Counts, total
from healing_pipeline.storage.health_quarters import QUARTER, Quarter
from healing_pipeline.storage.stories import (
    FACTS,
    INCIDENTS,
    Continued,
    EndpointStory,
    endpoint_story,
)
from healing_pipeline.web.dashboard import paging
from healing_pipeline.web.dashboard.charts import Chart, Series, chart
from healing_pipeline.web.dashboard.day_bar import bar_of, quarters_between
from healing_pipeline.web.dashboard.incident_telling import LIVE, LOOKS, incident_told, steps_of
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import AT, seconds
from healing_pipeline.web.dashboard.striking import striking_for
from healing_pipeline.web.dashboard.telling import Teller


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """The page of every endpoint."""
    striking = striking_for(dashboard.catalog)
    teller = Teller(dashboard.catalog, striking)

    async def show(request: Request) -> Response:
        endpoint_id = f"{request.path_params['source']}/{request.path_params['name']}"
        now = dashboard.now()
        cursors = {name: request.query_params.get(name) for name in ("incidents", "sent", "probes")}
        continued = Continued(
            paging.number(cursors["incidents"]),
            paging.key(cursors["sent"]),
            paging.key(cursors["probes"]),
        )
        story = await dashboard.database.read(
            lambda connection: endpoint_story(connection, endpoint_id, continued, now)
        )
        if endpoint_id not in dashboard.catalog.endpoints and not is_known(story):
            return await unknown_endpoint(dashboard, request, endpoint_id)
        endpoint = dashboard.catalog.endpoints.get(endpoint_id)
        told = teller.question(endpoint_id, now) if endpoint else (None, ())
        source = dashboard.catalog.sources.get(request.path_params["source"])
        open_incident = story.open_incident
        incidents, older_incident = paging.shown(story.incidents, INCIDENTS)
        attempts, older_attempt = paging.shown(story.attempts, FACTS)
        probes, older_probe = paging.shown(story.probes, FACTS)
        address = address_of(endpoint_id)

        def link(name: str, value: str | None, anchor: str) -> str:
            return paging.address(address, {**cursors, name: value}, anchor)

        return await dashboard.page(
            request,
            "endpoint.html",
            endpoint_id=endpoint_id,
            source=request.path_params["source"],
            endpoint=endpoint,
            address=striking.text(source.hosts[0].base_url) if source else "",
            path=told[0],
            params=told[1],
            now=LOOKS[open_incident.state] if open_incident else LIVE,
            incident=incident_told(open_incident, now, striking) if open_incident else None,
            route=story.route,
            totals=Day(story.quarters),
            bar=bar_of(story.quarters, now),
            times=times_of(story.quarters),
            incidents=[
                (
                    incident_told(each, now, striking),
                    steps_of(each, story.events.get(each.id, ()), striking),
                )
                for each in incidents
            ],
            incidents_newest=link("incidents", None, "incidents") if continued.incidents else None,
            incidents_older=older_incident
            and link("incidents", str(older_incident.id), "incidents"),
            attempts=[teller.attempt(each) for each in attempts],
            attempts_newest=link("sent", None, "requests") if continued.attempts else None,
            attempts_older=older_attempt
            and link("sent", paging.written(older_attempt.at, older_attempt.id), "requests"),
            probes=[teller.probe(each) for each in probes],
            probes_newest=link("probes", None, "probes") if continued.probes else None,
            probes_older=older_probe
            and link("probes", paging.written(older_probe.at, older_probe.id), "probes"),
        )

    return [Route(f"{AT}/endpoints/{{source}}/{{name}}", show)]


class Day:
    """What the quarters of an endpoint add up to.

    Parameters
    ----------
    quarters : list of Quarter
    """

    def __init__(self, quarters: list[Quarter]) -> None:
        counts = total(
            Counts(each.requests, each.reader_errors, each.met_fault, each.healed)
            for each in quarters
        )
        self.requests, self.reader_errors = counts.requests, counts.reader_errors
        self.met_fault, self.healed = counts.met_fault, counts.healed
        self.error_rate, self.healing_rate = counts.error_rate, counts.healing_rate
        self.probes = sum(each.probes for each in quarters)
        self.failures = sum(each.failures for each in quarters)
        self.uptime = 1.0 - self.failures / self.probes if self.probes else None


def is_known(story: EndpointStory) -> bool:
    """Whether anything is stored of an endpoint."""
    return bool(story.quarters or story.incidents or story.attempts or story.probes)


def times_of(quarters: list[Quarter]) -> Chart | None:
    """The response times of a day, quarter by quarter."""
    if not quarters:
        return None
    by_begin = {each.quarter: each for each in quarters}
    begins = quarters_between(quarters[0].quarter, quarters[-1].quarter + QUARTER)
    rows = [by_begin.get(each) for each in begins]
    return chart(
        begins,
        [
            Series("median", "first", [None if each is None else each.p50_s for each in rows]),
            Series(
                "95th percentile", "second", [None if each is None else each.p95_s for each in rows]
            ),
        ],
        label=seconds,
    )


def address_of(endpoint_id: str) -> str:
    """The path of an endpoint's page."""
    source, _, name = endpoint_id.partition("/")
    return f"{AT}/endpoints/{quote(source, safe='')}/{quote(name, safe='')}"


def near(catalog: Catalog, endpoint_id: str) -> list[tuple[str, str]]:
    """Endpoints that somebody may have meant, with their pages."""
    found = get_close_matches(endpoint_id[:200], catalog.endpoints, n=5, cutoff=0.5)
    return [(address_of(each), each) for each in found]


async def unknown_endpoint(dashboard: Dashboard, request: Request, endpoint_id: str) -> Response:
    """The page that helps whoever mistyped an endpoint."""
    return await dashboard.page(
        request,
        "unknown.html",
        status=404,
        title="No such endpoint",
        text=f"Nothing is watched or stored as {endpoint_id[:200]!r}.",
        near=near(dashboard.catalog, endpoint_id),
    )
