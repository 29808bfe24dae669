"""What a drill holds to have existed: only what surely failed did not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.drill.ways import (
    asked_of,
    longest_kept,
    surely_fails,
    way_existed,
    ways_to,
)
from healing_pipeline.drill.world import EPOCH, drill_catalog
from healing_pipeline.simulator.faults import Asked, Fault, FaultKind, FaultPlan, Match
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.quotas import REAL
from healing_pipeline.simulator.scenario import load_scenario

CALM = load_scenario("calm")
CATALOG = drill_catalog(addresses(21_000), CALM)
ASKED = Asked("polygon", "polygon", "primary", "/v2/aggs/ticker/AAPL/range/1/day/a/b", 90)
LONG_S = 100.0


def plan(*faults):
    return FaultPlan(1, tuple(faults))


def fault(kind=FaultKind.SERVER_ERROR, match=None, index=0, **more):
    return Fault(index, 0.0, LONG_S, match or Match("polygon"), kind, **more)


def ways(endpoint_id):
    return list(ways_to(CATALOG, CATALOG.endpoints[endpoint_id], EPOCH))


def test_every_host_and_key_and_alternate_is_a_way_to_the_data():
    found = {(each.source, each.host, each.key) for each in ways("polygon/aggs-aapl-1d")}
    own = {
        ("polygon", host, key) for host in ("polygon", "massive") for key in ("primary", "spare")
    }
    assert own < found
    assert {("yahoo", "query1", None), ("yahoo", "query2", None)} <= found


def test_fewer_rows_and_daily_bars_are_ways_where_coarser_is_accepted():
    assert any("/range/1/day/" in each.path for each in ways("polygon/aggs-aapl-5m"))
    assert {each.rows for each in ways("fred/dgs10")} >= {100, 50}


def test_substitutes_are_ways_where_a_proxy_is_accepted():
    assert any(each.path.endswith("/XLK") for each in ways("yahoo/chart-aapl-1d"))
    assert not any(each.path.endswith("/XLK") for each in ways("yahoo/chart-aapl-5m"))


def test_a_host_that_asks_for_no_key_is_asked_without_one():
    found = {(each.host, each.key) for each in ways("exchange_rate/latest-usd")}
    assert ("open", None) in found
    assert not {("open", "primary"), ("open", "spare")} & found


@pytest.mark.parametrize("name", list(CATALOG.endpoints))
def test_an_alternate_of_a_source_that_a_scenario_does_not_name_is_no_way(name):
    endpoint = CATALOG.endpoints[name]
    alone = drill_catalog(addresses(21_000), replace(CALM, sources=(endpoint.source,)))
    found = ways_to(alone, alone.endpoints[name], EPOCH)
    assert {each.source for each in found} == {endpoint.source}


def test_a_call_that_meets_no_fault_does_not_fail():
    assert not surely_fails(plan(), ASKED, 1.0, 3.0)
    assert not surely_fails(plan(fault(match=Match("yahoo"))), ASKED, 1.0, 3.0)
    assert not surely_fails(plan(fault()), ASKED, LONG_S, 3.0)


@given(kind=st.sampled_from(FaultKind))
def test_any_fault_on_every_call_fails_but_one_that_is_only_slow(kind):
    whole = plan(fault(kind, latency_s=9.0))
    assert surely_fails(whole, ASKED, 1.0, 3.0)
    assert not surely_fails(plan(fault(kind, Match("polygon", share=0.9))), ASKED, 1.0, 3.0)


def test_an_answer_that_is_slow_yet_in_time_existed():
    slow = plan(fault(FaultKind.SLOW, latency_s=1.5))
    assert not surely_fails(slow, ASKED, 1.0, 3.0)
    assert surely_fails(slow, ASKED, 1.0, 1.0)


def test_of_faults_that_overlap_the_later_one_decides_and_a_share_leaves_the_rest_to_the_earlier():
    down = fault(FaultKind.DOWN)
    slow = fault(FaultKind.SLOW, index=1, latency_s=0.2)
    assert not surely_fails(plan(down, slow), ASKED, 1.0, 3.0)
    assert surely_fails(plan(slow, down), ASKED, 1.0, 3.0)
    some = fault(FaultKind.RATE_LIMIT, Match("polygon", share=0.5), 1)
    assert surely_fails(plan(down, some), ASKED, 1.0, 3.0)
    never = fault(FaultKind.SLOW, Match("polygon", share=0.0), 1, latency_s=0.2)
    assert surely_fails(plan(down, never), ASKED, 1.0, 3.0)


def test_an_ended_session_can_be_opened_again_and_a_revoked_key_cannot():
    yahoo = Asked("yahoo", "query1", None, "/v7/finance/quote")
    assert not surely_fails(plan(fault(FaultKind.AUTH_ERROR, Match("yahoo"))), yahoo, 1.0, 3.0)
    assert surely_fails(plan(fault(FaultKind.AUTH_ERROR)), ASKED, 1.0, 3.0)


def existed(endpoint_id, *faults, at_s=1.0):
    endpoint = CATALOG.endpoints[endpoint_id]
    return way_existed(
        CATALOG, endpoint, EPOCH + timedelta(seconds=at_s), at_s, FaultPlan(1, tuple(faults))
    )


def test_data_existed_as_long_as_one_way_to_it_was_well():
    polygon, yahoo = fault(), fault(match=Match("yahoo"), index=1)
    assert existed("polygon/aggs-aapl-1d", polygon)
    assert not existed("polygon/aggs-aapl-1d", polygon, yahoo)
    one_host = fault(match=Match("yahoo", "query1"), index=1)
    assert existed("polygon/aggs-aapl-1d", polygon, one_host)
    one_key = fault(match=Match("polygon", key="primary"))
    assert existed("polygon/aggs-aapl-1d", one_key, yahoo)


def test_data_that_comes_back_while_the_reader_waits_existed():
    whole = (Fault(0, 0.0, 2.5, Match("fred"), FaultKind.DOWN),)
    assert existed("fred/dgs10", *whole, at_s=1.0)
    assert not existed("fred/dgs10", *whole, at_s=0.0)


def test_long_series_that_are_slow_left_the_short_ones():
    slow = fault(FaultKind.SLOW, Match("fred", rows_over=60), latency_s=6.0)
    assert existed("fred/dgs10", slow)
    assert not existed("fred/dgs10", fault(FaultKind.SLOW, Match("fred"), latency_s=6.0))


def test_the_plain_call_goes_to_the_first_host_with_the_first_key():
    asked = asked_of(CATALOG, CATALOG.endpoints["polygon/aggs-aapl-1d"], EPOCH)
    assert (asked.host, asked.key, asked.rows) == ("polygon", "primary", 91)


def test_data_is_kept_for_longer_where_calls_are_counted_by_the_day():
    metered = drill_catalog(addresses(21_000), replace(CALM, quotas=REAL))
    assert longest_kept(metered.sources["alpha_vantage"]) == timedelta(hours=24)
    assert longest_kept(CATALOG.sources["alpha_vantage"]) == timedelta(minutes=15)
