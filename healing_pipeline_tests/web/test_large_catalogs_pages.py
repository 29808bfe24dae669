"""With thousands of endpoints every page stays one that a browser, or a scraper, can bear."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType, SimpleNamespace

import pytest
from gateways import default_catalog

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage.dashboards import Standing
from healing_pipeline.storage.health_feed import HealthNews
from healing_pipeline.storage.scrapes import Scrape
from healing_pipeline.web.dashboard.board import MOST_LIVE_ROWS, Board
from healing_pipeline.web.dashboard.incident_telling import LOOKS
from healing_pipeline.web.dashboard.metrics import MOST_ENDPOINTS, Health
from healing_pipeline.web.dashboard.overview import MOST_OF_SOURCE, MOST_WORST, Rows
from healing_pipeline.web.openapi import MOST_PATHS, openapi_document

MANY = 1 + max(MOST_LIVE_ROWS, MOST_ENDPOINTS, MOST_PATHS)
NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
ILL = [f"yahoo/many-{number:05}" for number in range(500)]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """Many endpoints of one of the default sources."""
    known = default_catalog(tmp_path_factory.mktemp("large"))
    quote = known.endpoints["yahoo/quote-aapl"]
    names = [f"yahoo/many-{number:05}" for number in range(MANY)]
    endpoints = {name: replace(quote, id=name) for name in names}
    return Catalog(known.sources, MappingProxyType(endpoints), known.upstreams)


@pytest.fixture(scope="module")
def live(catalog):
    """A board that has heard of five hundred incidents."""
    board = Board(catalog, NOW)
    standings = {
        name: Standing(
            endpoint=name,
            incident_id=number + 1,
            state=State.ESCALATED if number == 77 else State.HEALED,
            state_since=NOW,
            failure_class="timeout",
            evidence="no answer",
            strategy=None,
            fidelity=None,
            route_since=None,
        )
        for number, name in enumerate(ILL)
    }
    board.take(HealthNews(NOW, standings=standings))
    return SimpleNamespace(board=board)


@pytest.fixture(scope="module")
def rows(catalog):
    return Rows(SimpleNamespace(catalog=catalog))


def rows_of(page: str) -> list[str]:
    return [each.partition('"')[0] for each in page.split('<tr data-id="')[1:]]


def test_the_overview_of_a_large_catalog_has_the_worst_of_each_source(catalog, live, rows):
    shown = rows_of(rows.page(live, None))
    assert len(shown) <= len(catalog.sources) * (1 + MOST_WORST)
    assert shown.index(ILL[77]) == shown.index("yahoo") + 1, "the failed one comes first"
    assert f"{MANY} endpoints: 1 failed" in rows.page(live, None)


def test_every_endpoint_of_a_large_catalog_is_on_a_page_of_its_source(catalog, live, rows):
    seen: list[str] = []
    number = 1
    while True:
        page = rows.page(live, None, "yahoo", number)
        seen += [each for each in rows_of(page) if each != "yahoo"]
        number += 1
        if f"?source=yahoo&amp;page={number}" not in page:
            break
    assert sorted(seen) == sorted(catalog.endpoints)
    assert number - 1 == -(-MANY // MOST_OF_SOURCE)


def test_browsers_are_told_of_the_sources_alone(catalog, live):
    assert set(live.board.changes.now[1].rows) == set(catalog.sources)
    assert len(live.board.changes.whole()) < 10_000


def test_a_scrape_of_a_large_catalog_has_sums(catalog):
    health = Health(catalog)
    found = Scrape(
        reads={("yahoo", name, 1): (2.0, 1.0, 1.0, 0.0) for name in catalog.endpoints},
        seconds={},
        probes={},
        states={("yahoo", name): State.OPEN for name in ILL},
        groups={},
        deliveries={},
        is_cut_off=False,
        evaluated_at=None,
    )
    health.take(replace(found, reads={}), NOW)
    health.take(found, NOW)
    told = {each.name: each.samples for each in health.collect()}
    (requests,) = (
        each for each in told["healing_requests"] if each.name == "healing_requests_total"
    )
    assert (requests.labels, requests.value) == ({"source": "yahoo", "endpoint": ""}, 2.0 * MANY)
    states = {each.labels["state"]: each.value for each in told["healing_endpoint_state"]}
    assert sum(states.values()) == MANY
    assert states[LOOKS[State.OPEN][0]] == len(ILL)
    assert sum(map(len, told.values())) < 200


def test_the_openapi_document_of_a_large_catalog_has_a_path_for_each_source(catalog):
    paths = [each for each in openapi_document(catalog)["paths"] if each.startswith("/v1/")]
    assert paths == [f"/v1/{name}/{{name}}" for name in catalog.sources]
