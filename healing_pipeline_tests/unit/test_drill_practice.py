"""The one failure that a drilled stack heals before its script begins."""

from __future__ import annotations

import pytest

from healing_pipeline.drill.stack_start import practice_fault
from healing_pipeline.drill.ways import asked_of
from healing_pipeline.drill.world import EPOCH, drill_catalog
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.scenario import fault_from_json, load_scenario, scenario_names


@pytest.mark.parametrize("name", scenario_names())
def test_one_endpoint_fails_alone_and_for_a_moment_only(name):
    catalog = drill_catalog(addresses(21_000), load_scenario(name))
    written = practice_fault(catalog, EPOCH)
    assert written is not None
    fault = fault_from_json(written, 0)
    hit = [
        each.id
        for each in catalog.endpoints.values()
        if fault.match.covers(asked_of(catalog, each, EPOCH))
    ]
    assert len(hit) == 1
    assert fault.for_s < 10


def test_where_all_endpoints_share_one_path_nothing_is_made_to_fail():
    whole = drill_catalog(addresses(21_000), load_scenario("first_light"))
    series = {name: each for name, each in whole.endpoints.items() if each.source == "fred"}
    assert len({each.path for each in series.values()}) == 1
    catalog = type(whole)(whole.sources, series, whole.upstreams)
    assert practice_fault(catalog, EPOCH) is None
