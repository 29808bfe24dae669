"""`/metrics`: numbers that Prometheus reads, that never fall, and that cost the gateway nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import httpx
import psycopg
import pytest
from dashboard_visits import (
    AAPL,
    ESCALATED,
    NOW,
    Visitor,
    an_incident,
    answer,
    probe,
    stored,
    unanswered,
)
from gateways import default_catalog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from healing_pipeline.catalog.settings import Settings
from healing_pipeline.errors import StorageError
from healing_pipeline.storage.alert_watch import note_evaluation
from healing_pipeline.storage.bounded import BoundedDatabase
from healing_pipeline.storage.database import connection_info
from healing_pipeline.web.dashboard.metrics import Exposition, Sums
from healing_pipeline.web.dashboard.parts import Dashboard

OF_AAPL = {"source": "yahoo", "endpoint": AAPL}


class Scraper:
    """Scrapes an exposition whose clock stands still unless told otherwise."""

    def __init__(self, catalog, url: str) -> None:
        self.now, self.elapsed = NOW, 0.0
        self.database = BoundedDatabase(lambda: url)
        self.reads = 0
        dashboard = Dashboard(catalog, Settings(), lambda: self.now, self)
        self.exposition = Exposition(dashboard, lambda: self.elapsed)
        self.app = Starlette(routes=[Route("/metrics", self.exposition.answer)])

    async def read(self, work):
        self.reads += 1
        return await self.database.read(work)

    async def compute(self, work):
        return work()

    async def get(self, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/metrics", headers=headers)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.elapsed += seconds

    async def values(self) -> dict[tuple[str, frozenset], float]:
        text = (await self.get()).text
        return {
            (each.name, frozenset(each.labels.items())): each.value
            for family in text_string_to_metric_families(text)
            for each in family.samples
        }


@pytest.fixture
def scraper(database_url, tmp_path):
    scraper = Scraper(default_catalog(tmp_path), database_url)
    scraper.url = database_url
    yield scraper
    scraper.database.close()


def of(values: Mapping, name: str, **labels: str) -> float:
    return values[name, frozenset(labels.items())]


def at(scraper: Scraper, seconds_ago: float):
    return scraper.now - timedelta(seconds=seconds_ago)


def test_counters_count_what_happened_since_the_first_scrape(scraper):
    async def go():
        stored(scraper.url, *(answer(at=at(scraper, 60)) for _ in range(5)))
        first = await scraper.values()
        assert of(first, "healing_requests_total", **OF_AAPL) == 0
        scraper.later(10)
        stored(
            scraper.url,
            *(answer(at=at(scraper, 1), seconds=0.04) for _ in range(6)),
            answer(at=at(scraper, 1), seconds=1.2, failure_class="timeout", strategy="hedged"),
            unanswered(at=at(scraper, 1), seconds=3.0),
            probe(at=at(scraper, 1)),
            probe(at=at(scraper, 1), failure_class="timeout"),
            probe(at=at(scraper, 1), failure_class="not_found"),
        )
        return await scraper.values()

    values = asyncio.run(go())
    assert of(values, "healing_requests_total", **OF_AAPL) == 8
    assert of(values, "healing_reader_errors_total", **OF_AAPL) == 1
    assert of(values, "healing_faults_met_total", **OF_AAPL) == 2
    assert of(values, "healing_faults_healed_total", **OF_AAPL) == 1
    assert of(values, "healing_probes_total", **OF_AAPL) == 2
    assert of(values, "healing_probe_failures_total", **OF_AAPL) == 1
    # 6 of 0.04 s, one of 1.2 s, one of 3 s.
    bucket = {"source": "yahoo"}
    assert of(values, "healing_response_seconds_bucket", le="0.025", **bucket) == 0
    assert of(values, "healing_response_seconds_bucket", le="0.05", **bucket) == 6
    assert of(values, "healing_response_seconds_bucket", le="3.0", **bucket) == 8
    assert of(values, "healing_response_seconds_bucket", le="+Inf", **bucket) == 8
    assert of(values, "healing_response_seconds_count", **bucket) == 8
    assert of(values, "healing_response_seconds_sum", **bucket) == pytest.approx(4.44)


def test_gauges_say_what_stands_now(scraper):
    an_incident(scraper.url, *ESCALATED)
    values = asyncio.run(scraper.values())
    for state, value in (("failed", 1), ("live", 0), ("healed", 0), ("healing", 0)):
        assert of(values, "healing_endpoint_state", state=state, **OF_AAPL) == value
    other = {"source": "fred", "endpoint": "fred/dgs10"}
    assert of(values, "healing_endpoint_state", state="live", **other) == 1
    assert of(values, "healing_incidents_open", source="yahoo", state="escalated") == 1
    assert of(values, "healing_database_up") == 1
    assert of(values, "healing_own_outage") == 0
    assert not any(name.startswith("healing_alerts_evaluated") for name, _ in values)


def test_it_is_seen_from_outside_since_when_nobody_evaluates_alerts(scraper):
    with psycopg.connect(connection_info(scraper.url)) as connection:
        note_evaluation(connection, NOW)
    values = asyncio.run(scraper.values())
    assert of(values, "healing_alerts_evaluated_timestamp_seconds") == NOW.timestamp()
    assert of(values, "healing_alert_deliveries", state="pending") == 0


def test_many_scrapes_in_five_seconds_read_the_database_once(scraper):
    async def go():
        answers = await asyncio.gather(*(scraper.get() for _ in range(30)))
        assert {each.text for each in answers} == {answers[0].text}
        first = scraper.reads
        scraper.later(6)
        await scraper.get()
        return first, scraper.reads

    assert asyncio.run(go()) == (1, 2)


def test_while_postgresql_is_away_counters_stay_and_states_are_not_made_up(scraper):
    async def go():
        await scraper.values()
        scraper.later(6)
        stored(scraper.url, answer(at=at(scraper, 1)))
        assert of(await scraper.values(), "healing_requests_total", **OF_AAPL) == 1

        async def away(work):
            raise StorageError("away")

        scraper.read = away
        scraper.later(6)
        return await scraper.values()

    values = asyncio.run(go())
    assert of(values, "healing_database_up") == 0
    assert of(values, "healing_requests_total", **OF_AAPL) == 1
    assert not [name for name, _ in values if name == "healing_endpoint_state"]


def test_names_have_help_units_and_types_in_both_forms(scraper):
    async def go():
        plain = await scraper.get()
        opened = await scraper.get(Accept="application/openmetrics-text; version=1.0.0")
        packed = await scraper.get(**{"Accept-Encoding": "gzip"})
        return plain, opened, packed

    plain, opened, packed = asyncio.run(go())
    families = list(text_string_to_metric_families(plain.text))
    assert all(each.documentation for each in families)
    assert all(each.name.startswith("healing_") for each in families)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert opened.headers["content-type"].startswith("application/openmetrics-text")
    assert list(open_metrics(opened.text))
    assert packed.headers["content-encoding"] == "gzip"
    assert len(plain.content) < 60_000


def test_no_secret_and_no_evidence_is_scraped(scraper, tmp_path):
    an_incident(scraper.url, evidence="seen: Zq8vP2mK4xT7wB1nR5yL")
    text = asyncio.run(scraper.get()).text
    assert "Zq8vP2mK4xT7wB1nR5yL" not in text
    catalog = default_catalog(tmp_path)
    for source in catalog.sources.values():
        for key in source.keys:
            assert key.secret not in text


quarters = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3)),
    st.tuples(st.integers(0, 50), st.integers(0, 50)),
)


@given(st.lists(quarters, max_size=8))
def test_sums_never_fall_whatever_is_read_again(reads):
    sums = Sums()
    before: dict = {}
    for index, each in enumerate(reads):
        sums.take(each, from_now=index == 0)
        now = {key: list(values) for key, values in sums.totals.items()}
        for key, values in before.items():
            assert all(new >= old for new, old in zip(now[key], values, strict=True))
        before = now


def test_a_quarter_that_grew_counts_by_what_it_grew_and_one_that_left_stays_counted():
    sums = Sums()
    sums.take({("a", 1): (5.0,)}, from_now=True)
    sums.take({("a", 1): (8.0,), ("a", 2): (2.0,)}, from_now=False)
    sums.take({("a", 2): (4.0,), ("a", 3): (1.0,)}, from_now=False)
    # 3 more in the first, 4 in the second, 1 in the third.
    assert sums.totals["a",] == [8.0]


def test_metrics_are_one_of_the_dashboards_routes(database_url, tmp_path):
    visitor = Visitor(default_catalog(tmp_path), database_url, replace(Settings()))
    assert visitor.ask("/metrics").text.startswith("# HELP healing_")
    visitor.database.close()
