"""The truth about faults, which a diagnosis is held against."""

from __future__ import annotations

import pytest

from healing_pipeline.drill.labels import CAUSES, joint_label, label_of
from healing_pipeline.drill.world import EPOCH, drill_catalog
from healing_pipeline.incidents.diagnosis import PlaceKind, RootCause
from healing_pipeline.simulator.faults import FaultKind
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.scenario import fault_from_json, load_scenario

CATALOG = drill_catalog(addresses(21_000), load_scenario("calm"))
YAHOO = {each.id for each in CATALOG.endpoints_of("yahoo")}
CHARTS = {each for each in YAHOO if "/chart-" in each}


def label(fault: str, **match: object):
    return label_of(fault_from_json({"match": match, "fault": fault}, 0), CATALOG, EPOCH)


def test_every_kind_of_fault_has_a_cause():
    assert set(CAUSES) == set(FaultKind)


@pytest.mark.parametrize(
    ("fault", "match", "cause", "kind"),
    [
        ("down", {}, RootCause.OUR_NETWORK, PlaceKind.NETWORK),
        ("timeout", {"source": "yahoo"}, RootCause.PROVIDER_DOWN, PlaceKind.SOURCE),
        ("timeout", {"source": "yahoo", "host": "query1"}, RootCause.HOST_DOWN, PlaceKind.HOST),
        ("timeout", {"source": "fred", "host": "api"}, RootCause.PROVIDER_DOWN, PlaceKind.SOURCE),
        ("auth_error", {"source": "fred", "key": "primary"}, RootCause.KEY, PlaceKind.KEY),
        ("rate_limit", {"source": "yahoo"}, RootCause.QUOTA, PlaceKind.SOURCE),
        ("html_page", {"source": "fred"}, RootCause.PROVIDER_DOWN, PlaceKind.SOURCE),
        ("garbage", {"source": "fred"}, RootCause.DATA, PlaceKind.SOURCE),
        (
            "not_found",
            {"source": "polygon", "path": "/v2/aggs/ticker/TSLA/*"},
            RootCause.REQUEST,
            PlaceKind.ENDPOINT,
        ),
    ],
)
def test_what_and_where_decide_the_label(fault, match, cause, kind):
    said = label(fault, **match)
    assert (said.root_cause, said.kind) == (cause, kind)


def test_hit_are_those_whose_first_call_the_match_covers_and_a_share_hits_all_of_them():
    charts = label("empty", source="yahoo", path="/v8/finance/chart/*", share=0.3)
    assert charts.scope == CHARTS
    assert label("timeout", source="yahoo", host="query1").scope == YAHOO
    assert label("timeout", source="yahoo", host="query2") is None, "nobody asks it first"
    assert label("auth_error", source="fred", key="spare") is None


def test_one_outage_in_several_ways_is_the_provider_and_all_that_is_hit():
    faults = [
        fault_from_json({"match": {"source": "yahoo"}, "fault": "timeout"}, 0),
        fault_from_json(
            {"match": {"source": "yahoo", "path": "/v7/finance/quote"}, "fault": "html_page"}, 1
        ),
    ]
    said = joint_label(faults, CATALOG, EPOCH)
    assert (said.root_cause, said.kind, said.scope) == (
        RootCause.PROVIDER_DOWN,
        PlaceKind.SOURCE,
        YAHOO,
    )
