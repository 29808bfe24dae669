"""The configuration that a drill writes for Dagster, against the catalog it plays by."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.configuration import drill_config_text, unread_endpoints
from healing_pipeline.drill.world import PROBE_INTERVAL_S, drill_catalog
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.installation import load_catalog
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.scenario import load_scenario, scenario_names

PORT = 21_300
BEYOND_HEALING = Path(__file__).parents[2] / "examples" / "beyond_healing.yaml"


@pytest.mark.parametrize("name", [*scenario_names(), BEYOND_HEALING])
def test_the_file_says_what_the_drill_plays_by(name, tmp_path):
    scenario = load_scenario(name)
    path = tmp_path / "drill.yaml"
    path.write_text(drill_config_text(scenario, PORT))
    read, played = load_catalog(path, {}), drill_catalog(addresses(PORT), scenario)
    assert read.sources == played.sources
    assert tuple(read.endpoints) == tuple(played.endpoints)
    for each, other in zip(read.endpoints.values(), played.endpoints.values(), strict=True):
        there = tuple(one for one in other.alternates.endpoints if one in played.endpoints)
        # The drill's interval is the schedule's; a file may not ask for so many probes.
        assert replace(each, interval_s=PROBE_INTERVAL_S) == replace(
            other, alternates=replace(other.alternates, endpoints=there)
        )


def test_readers_take_what_the_scenario_says_and_nothing_else():
    played = drill_catalog(addresses(PORT), load_scenario(BEYOND_HEALING))
    assert {each.accepts for each in played.endpoints.values()} == {frozenset({Fidelity.EXACT})}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return drill_catalog(addresses(PORT), load_scenario("first_light"))


@pytest.mark.parametrize("seed", range(5))
def test_of_every_source_some_endpoints_are_read_and_some_only_probed(catalog, seed):
    unread = unread_endpoints(catalog, seed)
    have = Counter(each.source for each in catalog.endpoints.values())
    left = Counter(catalog.endpoints[name].source for name in unread)
    assert {source: left[source] for source in have} == {
        source: number // 3 for source, number in have.items()
    }
    assert all(0 < left[source] < have[source] for source in have)


def test_which_are_not_read_is_the_seeds_to_say(catalog):
    assert unread_endpoints(catalog, 1) == unread_endpoints(catalog, 1)
    assert len({unread_endpoints(catalog, seed) for seed in range(5)}) == 5
