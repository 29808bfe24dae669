"""What a drill holds to have existed: every way to the data, and old data that was good."""

from __future__ import annotations

from datetime import timedelta

from healing_pipeline.drill.world import EPOCH, Telling, drill_catalog, ways_to
from healing_pipeline.healing.facts import SnapshotFact
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.scenario import load_scenario


def test_every_host_and_key_and_alternate_is_a_way_to_the_data():
    catalog = drill_catalog(addresses(8900), load_scenario("calm"))
    endpoint = catalog.endpoints["polygon/aggs-aapl-1d"]
    ways = {(each.source, each.host, each.key) for each in ways_to(catalog, endpoint, EPOCH)}
    own = {
        ("polygon", host, key) for host in ("polygon", "massive") for key in ("primary", "spare")
    }
    assert own < ways
    assert {("yahoo", "query1", None), ("yahoo", "query2", None)} <= ways


def test_old_data_existed_only_where_it_was_good_within_the_time():
    reading = Reading("AAPL", "now", (Point(EPOCH, "price", 1.0),), EPOCH)
    telling = Telling()
    telling.hear(SnapshotFact("yahoo/x", "", EPOCH, EPOCH, "yahoo", reading, b"", "exact"))
    minute = timedelta(minutes=1)
    assert telling.was_good("yahoo/x", EPOCH - minute, EPOCH + minute)
    assert not telling.was_good("yahoo/x", EPOCH + minute, EPOCH + 2 * minute)
    assert not telling.was_good("yahoo/x", EPOCH - minute, EPOCH)
    assert not telling.was_good("yahoo/y", EPOCH - minute, EPOCH + minute)
