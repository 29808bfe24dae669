"""`/metrics` for Prometheus: counters that never fall and gauges of what stands, from the tables.

The data path counts nothing for it. What is scraped is read at most once in some seconds, however
many scrape; in between everybody gets the same text.
"""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from time import monotonic
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from healing_pipeline import __version__
from healing_pipeline.alerting.messages import LEVELS
from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.errors import StorageError
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage.health_quarters import QUARTER, quarter_of
from healing_pipeline.storage.scrapes import Counted, Scrape, scrape
from healing_pipeline.web.dashboard.fact_metrics import FactFamilies
from healing_pipeline.web.dashboard.incident_telling import LIVE, LOOKS
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import takes_gzip

READ_EVERY_S = 5.0
# Facts that come later than this after they happened are on the pages, and in no counter.
COUNTED_FOR = QUARTER
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
STATES = (LIVE[0], "healing", "healed", "failed")
# Of a larger catalog the sums of each source are told, under an empty `endpoint`: a scrape would be
# megabytes, and writing it seconds.
MOST_ENDPOINTS = 1_000
# Media types that are asked for come from outside; so many are kept.
MOST_FORMS = 8


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """`/metrics`."""
    exposition = Exposition(dashboard)
    return [Route("/metrics", exposition.answer)]


class Sums:
    """Counts that only rise, from counts of quarters of an hour that are read again and again.

    A quarter may be pruned, or read before all of it has arrived: neither makes a sum fall.
    """

    def __init__(self) -> None:
        self.totals: defaultdict[tuple[Any, ...], list[float]] = defaultdict(list)
        self._seen: Counted = {}

    def take(self, counted: Counted, *, from_now: bool) -> None:
        """Add what is more than at the last time; with `from_now` it is only noted.

        The key's last part, the quarter, is not told apart in the sums.
        """
        for key, values in counted.items():
            before = self._seen.get(key)
            sums = self.totals[key[:-1]]
            sums.extend([0.0] * (len(values) - len(sums)))
            if from_now:
                continue
            for index, value in enumerate(values):
                sums[index] += max(0.0, value - (before[index] if before else 0.0))
        # What left the window never comes back into it.
        self._seen = counted


class Health(Collector):
    """The families of one moment.

    Parameters
    ----------
    catalog : Catalog
        Whose sources and endpoints are the labels: nothing that came in a request is one.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._is_large = len(catalog.endpoints) > MOST_ENDPOINTS
        self._reads, self._seconds, self._probes = Sums(), Sums(), Sums()
        self._scraped: Scrape | None = None
        self._at: datetime | None = None
        self._since: datetime | None = None

    def take(self, found: Scrape, at: datetime) -> None:
        """Take over what was read at a moment."""
        from_now = self._since is None
        self._since = self._since or at
        self._reads.take(found.reads, from_now=from_now)
        self._seconds.take(found.seconds, from_now=from_now)
        self._probes.take(found.probes, from_now=from_now)
        self._scraped, self._at = found, at

    def away(self) -> None:
        """PostgreSQL is away: counters stay, of what stands now nothing is known."""
        self._scraped = None

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering asks for no numbers."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Everything, in the order of a page."""
        yield InfoMetricFamily("healing_build", "What runs here", {"version": __version__})
        yield GaugeMetricFamily(
            "healing_database_up", "1 while PostgreSQL answers", float(self._scraped is not None)
        )
        if self._at is not None:
            yield GaugeMetricFamily(
                "healing_snapshot_timestamp_seconds",
                "When the numbers were read, seconds since 1970",
                self._at.timestamp(),
            )
        yield from self._of_reads()
        yield self._histogram()
        if self._scraped is not None:
            yield from self._standing(self._scraped)

    def _of_reads(self) -> Iterable[Metric]:
        reads = (
            ("healing_requests", "Readers' requests"),
            ("healing_reader_errors", "Readers' requests without an accepted answer"),
            ("healing_faults_met", "Requests whose first attempt met a healable failure"),
            ("healing_faults_healed", "Of the faults met, those answered all the same"),
        )
        probes = (
            ("healing_probes", "Probes, without those that met a fault of the caller"),
            ("healing_probe_failures", "Of the probes, those that failed"),
        )
        for names, sums in ((reads, self._reads), (probes, self._probes)):
            for index, (name, text) in enumerate(names):
                family = CounterMetricFamily(name, text, labels=("source", "endpoint"))
                values: defaultdict[tuple[str, str], float] = defaultdict(float)
                for endpoint in self._catalog.endpoints.values():
                    known = sums.totals.get((endpoint.source, endpoint.id))
                    values[self._labels(endpoint)] += known[index] if known else 0.0
                for labels, value in values.items():
                    family.add_metric(labels, value)
                yield family

    def _labels(self, endpoint: Endpoint) -> tuple[str, str]:
        return endpoint.source, "" if self._is_large else endpoint.id

    def _histogram(self) -> Metric:
        family = HistogramMetricFamily(
            "healing_response_seconds", "How long readers waited for an answer", labels=("source",)
        )
        names = [*(f"{each}" for each in BOUNDS_S), "+Inf"]
        for source in self._catalog.sources:
            counts, seconds = [0.0] * len(names), 0.0
            for bucket in range(len(names)):
                known = self._seconds.totals.get((source, bucket))
                if known:
                    counts[bucket] += known[0]
                    seconds += known[1]
            cumulated = [sum(counts[: index + 1]) for index in range(len(counts))]
            family.add_metric((source,), list(zip(names, cumulated, strict=True)), seconds)
        return family

    def _standing(self, found: Scrape) -> Iterable[Metric]:
        state = GaugeMetricFamily(
            "healing_endpoint_state",
            "1 at the state an endpoint is in",
            labels=("source", "endpoint", "state"),
        )
        counts: dict[tuple[str, str], Counter[str]] = {}
        for endpoint in self._catalog.endpoints.values():
            known = found.states.get((endpoint.source, endpoint.id))
            now = LIVE[0] if known is None else LOOKS[State(known)][0]
            counts.setdefault(self._labels(endpoint), Counter())[now] += 1
        for labels, count in counts.items():
            for each in STATES:
                state.add_metric((*labels, each), float(count[each]))
        yield state
        incidents = GaugeMetricFamily(
            "healing_incidents_open", "Incidents that are not resolved", labels=("source", "state")
        )
        stand = Counter((source, value) for (source, _), value in found.states.items())
        for source in self._catalog.sources:
            for each in State:
                if each is not State.RESOLVED:
                    incidents.add_metric((source, each), float(stand[source, each]))
        yield incidents
        yield _labelled(
            "healing_alert_groups_firing", "Alerts that fire", "level", LEVELS, found.groups
        )
        yield _labelled(
            "healing_alert_deliveries",
            "Messages on their way, and those that failed for good within a day",
            "state",
            ("pending", "failed"),
            found.deliveries,
        )
        yield GaugeMetricFamily(
            "healing_own_outage", "1 while our own connection is down", float(found.is_cut_off)
        )
        if found.evaluated_at is not None:
            yield GaugeMetricFamily(
                "healing_alerts_evaluated_timestamp_seconds",
                "When alerts were last evaluated, to within 10 s; old: nobody tells anybody",
                found.evaluated_at.timestamp(),
            )


class Exposition:
    """Answers scrapes, from a text that is made at most every `READ_EVERY_S`.

    Parameters
    ----------
    dashboard : Dashboard
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, dashboard: Dashboard, clock: Callable[[], float] = monotonic) -> None:
        self._dashboard = dashboard
        self._clock = clock
        self._health = Health(dashboard.catalog)
        self._registry = CollectorRegistry()
        self._registry.register(self._health)
        if dashboard.recorder is not None:
            self._registry.register(FactFamilies(dashboard.recorder))
        ProcessCollector(namespace="healing_gateway", registry=self._registry)
        self._texts: dict[str, tuple[bytes, bytes]] = {}
        self._made_at = -float("inf")
        self._turn = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """The text in the form that the scraper asks for."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        async with self._turn:
            if self._clock() - self._made_at >= READ_EVERY_S:
                await self._read()
            known = self._texts.get(media_type)
            if known is None:
                known = await self._dashboard.database.compute(
                    lambda: _both(encode(self._registry))
                )
                if len(self._texts) < MOST_FORMS:
                    self._texts[media_type] = known
        headers = {"vary": "accept, accept-encoding", "cache-control": "no-store"}
        if not takes_gzip(request):
            return Response(known[0], headers=headers, media_type=media_type)
        headers["content-encoding"] = "gzip"
        return Response(known[1], headers=headers, media_type=media_type)

    async def _read(self) -> None:
        now = self._dashboard.now()
        since = quarter_of(now - COUNTED_FOR)
        try:
            found = await self._dashboard.database.read(
                lambda connection: scrape(connection, since, now, BOUNDS_S)
            )
        except StorageError:
            self._health.away()
        else:
            self._health.take(found, now)
        self._made_at = self._clock()
        self._texts.clear()


def _both(text: bytes) -> tuple[bytes, bytes]:
    return text, gzip.compress(text, 5, mtime=0)


def _labelled(
    name: str, text: str, label: str, values: Iterable[str], counts: Mapping[str, int]
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for each in values:
        family.add_metric((str(each),), float(counts.get(str(each), 0)))
    return family
