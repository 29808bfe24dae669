"""The families of `/metrics`, asked of the collectors themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric

from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.scrapes import Scrape
from healing_pipeline.web.dashboard.fact_metrics import FactFamilies
from healing_pipeline.web.dashboard.metrics import Health
from program_reference.default_catalog import default_catalog
from program_reference.markdown import code, sentence, table

NOTHING_YET = Scrape(
    reads={}, seconds={}, probes={}, states={}, groups={}, deliveries={}, is_cut_off=False,
    evaluated_at=datetime(2026, 1, 2, tzinfo=UTC),
)  # fmt: skip


def families() -> tuple[Metric, ...]:
    """What a gateway tells that has read an empty database."""
    health = Health(default_catalog())
    health.take(NOTHING_YET, datetime(2026, 1, 2, tzinfo=UTC))
    with TemporaryDirectory() as folder:
        # It writes nothing, and so is not begun.
        recorder = Recorder("", Path(folder))
        facts = tuple(FactFamilies(recorder).collect())
    process: Iterable[Metric] = ProcessCollector(
        namespace="healing_gateway", registry=None
    ).collect()
    return (*health.collect(), *facts, *process)


def name_of(family: Metric) -> str:
    """The name as it is scraped."""
    endings = {"counter": "_total", "info": "_info"}
    return family.name + endings.get(family.type, "")


def text() -> str:
    """A table of all families."""
    rows = []
    for family in families():
        labels = sorted(
            {name for each in family.samples for name in each.labels} - {"le", "version"}
        )
        told = sentence(family.documentation)
        rows.append([code(name_of(family)), family.type, ", ".join(map(code, labels)), told])
    return table(["name", "type", "labels", "what it is"], rows)
