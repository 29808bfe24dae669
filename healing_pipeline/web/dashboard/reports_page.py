"""The page of reports: service levels and error budgets, and every table to take away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.alerting.error_rates import BURN_RULES, Window, burns
from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.reporting.columns import (
    ENDPOINT_COLUMNS,
    INCIDENT_COLUMNS,
    SLO_COLUMNS,
    Column,
)
from healing_pipeline.reporting.slo import BURN_SPANS, Counts, ServiceLevel, service_level, total
from healing_pipeline.reporting.tables import Cell, Table, as_csv, as_json, table_of
from healing_pipeline.reporting.toon import as_toon
from healing_pipeline.storage.health_quarters import Totals, totals_by_endpoint, totals_by_source
from healing_pipeline.storage.incident_rows import IncidentRow
from healing_pipeline.storage.pages import incidents_between
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import AT
from healing_pipeline.web.dashboard.striking import Striking, striking_for

HERE = f"{AT}/reports"
WINDOWS: Mapping[str, tuple[str, timedelta]] = {
    "1d": ("1 day", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
DEFAULT_WINDOW = "7d"
MOST_INCIDENTS = 5_000
# In the order of the page: the first is the one without a name.
TABLES: Mapping[str, str] = {
    "slo": "Service levels by source",
    "endpoints": "Endpoints",
    "incidents": "Incidents",
}
FORMS: Mapping[str, tuple[str, Callable[[Table], str | bytes]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "json": ("application/json", as_json),
    "toon": ("text/toon; charset=utf-8", as_toon),
}


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report is made of.

    Attributes
    ----------
    levels : list of ServiceLevel
        Of every source.
    too_fast : Mapping[str, frozenset of str]
        By source, the spans in which its budget goes fast enough to tell people.
    endpoints : list of Totals
    """

    levels: list[ServiceLevel]
    too_fast: Mapping[str, frozenset[str]]
    endpoints: list[Totals]


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """The page of reports, and its downloads."""
    striking = striking_for(dashboard.catalog)

    async def show(request: Request) -> Response:
        window, now = _window(request), dashboard.now()
        found = await dashboard.database.read(
            lambda connection: reported(connection, dashboard.catalog, WINDOWS[window][1], now)
        )
        return await dashboard.page(
            request,
            "reports.html",
            here="Reports",
            window=window,
            windows=[(key, text) for key, (text, _) in WINDOWS.items()],
            levels=found.levels,
            spans=list(BURN_SPANS),
            too_fast=found.too_fast,
            all_of_it=total(each.counts for each in found.levels),
            endpoints=[endpoint_row(each) for each in found.endpoints],
            tables=list(TABLES.items()),
            forms=list(FORMS),
            objective=dashboard.catalog.alerts.objective,
            now=now,
        )

    async def download(request: Request) -> Response:
        form, window, now = request.path_params["form"], _window(request), dashboard.now()
        name = request.query_params.get("table", "slo")
        if form not in FORMS or name not in TABLES:
            return await dashboard.problem(
                request,
                404,
                "No such report",
                f"Tables are {', '.join(TABLES)}; forms are {', '.join(FORMS)}.",
            )
        media_type, write = FORMS[form]

        def made(connection: Any) -> str | bytes:
            table = table_for(connection, name, window, dashboard.catalog, striking, now)
            return write(table)

        content = await dashboard.database.read(made)
        file = f"{name}_{window}_{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.{form}"
        headers = {"content-disposition": f'attachment; filename="{file}"'}
        return Response(content, headers=headers, media_type=media_type)

    return [Route(HERE, show), Route(f"{HERE}.{{form}}", download)]


def reported(connection: Any, catalog: Catalog, lasts: timedelta, now: datetime) -> Reported:
    """Everything that the page shows of a window that ends now."""
    endpoints = totals_by_endpoint(connection, now - lasts, now)
    levels = levels_of(connection, catalog, endpoints, now)
    return Reported(
        levels, {each.source: too_fast(each, catalog.alerts) for each in levels}, endpoints
    )


def levels_of(
    connection: Any, catalog: Catalog, endpoints: list[Totals], now: datetime
) -> list[ServiceLevel]:
    """The service level of every source; `endpoints` are the totals of the window."""
    spans = {
        name: {
            each.source: counts_of(each) for each in totals_by_source(connection, now - lasts, now)
        }
        for name, lasts in BURN_SPANS.items()
    }
    return [
        service_level(
            source,
            catalog.alerts.objective,
            total(counts_of(each) for each in endpoints if each.source == source),
            {name: counts[source] for name, counts in spans.items() if source in counts},
        )
        for source in catalog.sources
    ]


def counts_of(totals: Totals) -> Counts:
    """What was counted of readers."""
    return Counts(totals.requests, totals.reader_errors, totals.met_fault, totals.healed)


def too_fast(level: ServiceLevel, settings: AlertSettings) -> frozenset[str]:
    """The spans in which the budget goes as fast as people are told of, by the rule for that."""
    if level.objective >= 1:
        return frozenset()
    names = {lasts: name for name, lasts in BURN_SPANS.items()}
    found = set()
    for rule in BURN_RULES:
        name = names.get(rule.long)
        rate = None if name is None else level.burn[name]
        if name is None or rate is None:
            continue
        requests = level.burn_requests[name]
        errors = round(rate * (1 - level.objective) * requests)
        window = Window(rule.long, requests, errors)
        if burns(rule, window, level.objective, settings.minimum_samples):
            found.add(name)
    return frozenset(found)


def table_for(
    connection: Any,
    name: str,
    window: str,
    catalog: Catalog,
    striking: Striking,
    now: datetime,
) -> Table:
    """One of the tables, to be written in any form."""
    lasts = WINDOWS[window][1]
    about: dict[str, Cell] = {"made_at": now, "window": window, "from": now - lasts, "until": now}
    rows: list[Mapping[str, Any]]
    columns: tuple[Column, ...]
    if name == "incidents":
        found = incidents_between(connection, now - lasts, now, MOST_INCIDENTS)
        columns, rows = INCIDENT_COLUMNS, [incident_row(each, striking) for each in found]
    else:
        endpoints = totals_by_endpoint(connection, now - lasts, now)
        if name == "endpoints":
            columns, rows = ENDPOINT_COLUMNS, [endpoint_row(each) for each in endpoints]
        else:
            levels = levels_of(connection, catalog, endpoints, now)
            columns, rows = SLO_COLUMNS, [slo_row(each) for each in levels]
    return table_of(name, columns, rows, about)


def slo_row(level: ServiceLevel) -> dict[str, Any]:
    """A row of `SLO_COLUMNS`."""
    counts = level.counts
    return {
        "source": level.source,
        "objective": level.objective,
        "requests": counts.requests,
        "reader_errors": counts.reader_errors,
        "sli": level.sli,
        "budget": level.budget,
        "budget_left": level.budget_left,
        "met_fault": counts.met_fault,
        "healed_requests": counts.healed,
        "healing_rate": counts.healing_rate,
        **{f"burn_{name}": rate for name, rate in level.burn.items()},
    }


def endpoint_row(totals: Totals) -> dict[str, Any]:
    """A row of `ENDPOINT_COLUMNS`."""
    asked = totals.requests or totals.probes
    return {
        "source": totals.source,
        "endpoint": totals.endpoint,
        "requests": totals.requests,
        "reader_errors": totals.reader_errors,
        "error_rate": totals.error_rate,
        "met_fault": totals.met_fault,
        "healed_requests": totals.healed,
        "healing_rate": totals.healing_rate,
        "probes": totals.probes,
        "failures": totals.failures,
        "uptime": totals.uptime,
        "mean_s": totals.waited_s / asked if asked else None,
        "worst_p95_s": totals.worst_p95_s,
    }


def incident_row(row: IncidentRow, striking: Striking) -> dict[str, Any]:
    """A row of `INCIDENT_COLUMNS`."""
    return {
        **{each.name: getattr(row, each.name, None) for each in INCIDENT_COLUMNS},
        "mttd_s": (row.detected_at - row.began_at).total_seconds(),
        "mtth_s": None
        if row.healed_at is None
        else (row.healed_at - row.detected_at).total_seconds(),
        "mttr_s": None
        if row.resolved_at is None
        else (row.resolved_at - row.began_at).total_seconds(),
        "root_cause": None if row.root_cause is None else striking.text(row.root_cause),
        "evidence": striking.text(row.evidence),
    }


def _window(request: Request) -> str:
    window = request.query_params.get("window", DEFAULT_WINDOW)
    return window if window in WINDOWS else DEFAULT_WINDOW
