"""What became of the facts of this gateway, for `/metrics`; known without PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from healing_pipeline.storage.facts import TABLES
from healing_pipeline.storage.recorder import Recorder


class FactFamilies(Collector):
    """Counts of a recorder since the gateway began, and what waits on disk."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering asks for no numbers."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families of one moment."""
        counters, waiting = self._recorder.counters, self._recorder.on_disk()
        facts = CounterMetricFamily(
            "healing_facts", "Facts that this gateway recorded, and their fates", labels=("fate",)
        )
        for fate in ("recorded", "stored", "spooled", "superseded", "dropped"):
            facts.add_metric((fate,), float(getattr(counters, fate)))
        yield facts
        no_room = CounterMetricFamily(
            "healing_facts_no_room",
            "Facts that were dropped because neither the disk nor memory had room",
            labels=("kind",),
        )
        for kind in TABLES.values():
            no_room.add_metric((kind,), float(counters.no_room.get(kind, 0)))
        yield no_room
        yield GaugeMetricFamily(
            "healing_facts_waiting_bytes",
            "Facts on disk that PostgreSQL has not taken yet, of all processes here",
            float(waiting.size),
        )
        yield GaugeMetricFamily(
            "healing_facts_waiting_bytes_bound",
            "Where the oldest detail begins to be dropped (HEALING_SPOOL_MB)",
            float(self._recorder.most_bytes),
        )
