"""What a diagnosis would know is asked at the next look, not when its turn comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from outages import QUOTES, RATES, SERIES, Outages, catalog_of

from healing_pipeline.storage import probes
from healing_pipeline.storage.fact_store import FactStore


@pytest.fixture
def world(database, database_url) -> Iterator[Outages]:
    with closing(FactStore(database_url)) as store:
        world = Outages(database, store)
        endpoints = catalog_of().endpoints.values()
        world(probes.seed_schedule, endpoints, world.now + timedelta(seconds=50), lambda: 0.99)
        yield world


def due(world: Outages) -> set[str]:
    found = {}
    for source in ("yahoo", "fred", "fx"):
        claimed = world(probes.claim_due, source=source, now=world.now, limit=100, early=0.0)
        found.update(claimed)
    return set(found)


def test_a_few_endpoints_of_the_source_that_fails_are_due_at_once_and_only_when_it_is_news(world):
    assert due(world) == set()
    world.begin(QUOTES[0], failure="server_error")
    world.diagnose()
    asked = due(world)
    assert 1 <= len(asked) <= 3
    assert asked < set(QUOTES) - {QUOTES[0]}, "not the one that fails, and no other source's"
    world.diagnose()
    assert due(world) == set(), "nothing is new"
    assert not due(world) & {*SERIES, *RATES}
