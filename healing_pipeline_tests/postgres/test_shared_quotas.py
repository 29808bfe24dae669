"""A key has one quota, however many gateways spend from it."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime

from storage_samples import attempt, probe

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.data_path import new_engine
from healing_pipeline.installation import load_catalog
from healing_pipeline.storage import shared_memory
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.shared_memory import News, SharedMemory, key_calls


def test_a_gateway_that_runs_hears_what_another_has_spent(
    database_url: str, database: Database, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(shared_memory, "SNAPSHOTS_EVERY_S", 0.1)
    config = tmp_path / "healing_config.yaml"
    config.write_text(default_config_text())
    catalog = load_catalog(config, {"HEALING_UPSTREAMS": "simulated"})
    source = catalog.sources["alpha_vantage"]
    per_day = source.quota.per_day
    assert per_day is not None
    heard: list[News] = []
    memory = SharedMemory(
        {"HEALING_DATABASE_URL": database_url},
        tmp_path,
        sources=catalog.sources.values(),
        now=lambda: datetime.now(UTC),
        take=heard.append,
        is_known=lambda *_: True,
    )
    memory.start()
    try:
        assert memory.wait(10)
        assert memory.is_connected
        now = datetime.now(UTC)
        of_another = {"source": source.name, "key_name": "primary", "at": now}
        with closing(FactStore(database_url)) as store:
            store.store([attempt(**of_another) for _ in range(per_day - 2)])
            store.store([probe(**of_another), probe(**of_another)])
        until = time.monotonic() + 10
        while time.monotonic() < until and not any(
            calls.day_calls == per_day for each in heard for calls in each.key_calls
        ):
            time.sleep(0.02)
    finally:
        memory.close()
    (calls,) = heard[-1].key_calls
    assert (calls.day_calls, calls.day_probes) == (per_day, 2)
    with database.connection() as connection:
        assert heard[-1].key_calls == key_calls(connection, catalog.sources.values(), now)
    # Told as often as one likes, it is counted once; and then nothing is left for this gateway.
    parts = new_engine(catalog, lambda _: None)
    for _ in range(3):
        parts.take(heard[-1])
    ledger = parts.engine.guard._source(source.name).ledger("primary")
    assert str(per_day) in (ledger.refusal(now, is_probe=False) or "")
