"""Drop-in base URLs: a client's question finds its endpoint, or learns what to add."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from gateways import Asker, ScriptedEngine, answer, default_catalog, failed
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.web.dialects import xml_refusal


@pytest.fixture
def catalog(tmp_path):
    return default_catalog(tmp_path)


@pytest.fixture
def asker(catalog):
    return Asker(catalog, ScriptedEngine())


def asked(asker, target: str, **options):
    response = asker.ask(target, **options)
    assert response.status_code == 200, response.text
    ((endpoint, more),) = asker.engine.asked
    return endpoint, more["path"], more["params"]


def test_every_catalogued_endpoint_is_found_by_its_own_question(catalog):
    for endpoint in catalog.endpoints.values():
        asker = Asker(catalog, ScriptedEngine())
        path = endpoint.path.replace("{today}", "2026-03-02").replace("{today-90d}", "2025-12-02")
        path = path.replace("{today-4d}", "2026-02-26").replace("^", "%5E")
        found, _, params = asked(asker, f"/proxy/{endpoint.source}{path}", params=endpoint.params)
        assert found == endpoint.id
        assert dict(params) == dict(endpoint.params)


def test_a_window_of_ones_own_is_passed_on(asker):
    path = "/v2/aggs/ticker/AAPL/range/1/day/2026-01-05/2026-02-27"
    endpoint, own_path, params = asked(asker, f"/proxy/polygon{path}?limit=50&sort=desc")
    assert (endpoint, own_path) == ("polygon/aggs-aapl-1d", path)
    assert params == {"limit": "50", "sort": "desc", "adjusted": "true"}


def test_what_the_client_leaves_out_is_what_its_provider_assumes_not_the_endpoints_window(asker):
    endpoint, _, params = asked(
        asker, "/proxy/fred/fred/series/observations?series_id=DGS10&file_type=json"
    )
    assert endpoint == "fred/dgs10"
    assert params["sort_order"] == "asc"
    assert params["limit"] == "100000"


def test_what_an_endpoint_would_add_unasked_is_refused(catalog):
    endpoint = catalog.endpoints["yahoo/chart-aapl-1d"]
    german = replace(endpoint, params={**endpoint.params, "lang": "de-DE"})
    asker = Asker(replace(catalog, endpoints={german.id: german}), ScriptedEngine())
    target = "/proxy/yahoo/v8/finance/chart/AAPL?interval=1d&range=1mo"
    problem = asker.problem(target, 400, "another-question")
    assert "`lang`" in problem["detail"]
    assert asker.engine.asked == []
    assert asked(asker, f"{target}&lang=en-US")[2] == {
        "interval": "1d",
        "range": "1mo",
        "lang": "en-US",
    }


def test_a_period_takes_the_place_of_the_endpoints_range(asker):
    """As yfinance asks with `start`."""
    target = "/proxy/yahoo/v8/finance/chart/AAPL?interval=1d&period1=1767225600&period2=1772463845"
    endpoint, _, params = asked(asker, target)
    assert endpoint == "yahoo/chart-aapl-1d"
    assert params == {"interval": "1d", "period1": "1767225600", "period2": "1772463845"}


def test_a_chart_without_any_window_is_refused_where_the_endpoint_has_one(asker):
    target = "/proxy/yahoo/v8/finance/chart/AAPL?interval=1d"
    assert "`range`" in asker.problem(target, 400, "another-question")["detail"]


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/proxy/yahoo/v7/finance/quote?symbols=AAPL&crumb=abc", {}),
        ("/proxy/alpha_vantage/query?function=GLOBAL_QUOTE&symbol=IBM&apikey=THEIRS", {}),
        ("/proxy/polygon/v2/aggs/ticker/AAPL/prev?apiKey=THEIRS", {}),
        ("/proxy/polygon/v2/aggs/ticker/AAPL/prev", {"Authorization": "Bearer THEIRS"}),
        ("/proxy/exchange_rate/v6/THEIRS/latest/USD", {}),
        ("/proxy/exchange_rate/v6/THEIRS/pair/USD/EUR", {}),
        ("/proxy/exchange_rate/v6/latest/USD", {}),
    ],
)
def test_a_clients_own_key_is_dropped_wherever_it_stands(asker, target, headers):
    endpoint, path, params = asked(asker, target, headers=headers)
    assert endpoint in asker.gateway._catalog.endpoints
    assert "THEIRS" not in str((path, params))
    assert not {"crumb", "apikey", "apiKey"} & set(params)


@pytest.mark.parametrize(
    "target",
    [
        "/proxy/yahoo/v8/finance/chart/NFLX?interval=1d&range=3mo",
        "/proxy/yahoo/v8/finance/chart/AAPL?interval=1wk&range=3mo",
        "/proxy/polygon/v2/aggs/ticker/AAPL/range/1/hour/2026-01-05/2026-02-27",
        "/proxy/fred/fred/series/observations?series_id=DGS10&units=pch&file_type=json",
        "/proxy/fred/fred/series?series_id=DGS10&file_type=json",
        "/proxy/alpha_vantage/query?function=OVERVIEW&symbol=IBM",
        "/proxy/exchange_rate/v6/THEIRS/latest/CHF",
        "/proxy/bloomberg/anything",
        "/proxy/yahoo",
        "/proxy/",
    ],
)
def test_a_question_that_is_not_catalogued_is_refused_and_names_the_cure(asker, target):
    problem = asker.problem(target, 404, "not-catalogued")
    assert problem["nearest"]
    assert asker.engine.asked == []


def test_what_to_add_is_a_line_of_configuration_that_loads(asker, tmp_path):
    target = "/proxy/yahoo/v8/finance/chart/NFLX?interval=1d&range=3mo"
    problem = asker.problem(target, 404, "not-catalogued")
    line = problem["add"].replace("NAME", "chart-nflx-1d")
    from healing_pipeline.catalog.default import default_config_text
    from healing_pipeline.catalog.load import check
    from healing_pipeline.providers.registry import provider_names

    text = f"{default_config_text()}  {line}\n"
    found = check(text, path=tmp_path / "x.yaml", environ={}, providers=provider_names())
    assert [each for each in found if each.severity == "error"] == []


FRED = "/proxy/fred/fred/series/observations"


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        (f"{FRED}?series_id=DGS10", 502, "rate_limit: what was seen"),
        (f"{FRED}?series_id=NOTHING", 404, "`add`: fred/NAME: {path: "),
        (f"{FRED}?series_id=DGS10&file_type=xml&units=pch", 404, "add it to `endpoints`"),
    ],
)
def test_a_client_of_fred_that_reads_xml_is_refused_in_freds_own_form(
    catalog, target, status, words
):
    engine = ScriptedEngine(failed(FailureClass.RATE_LIMIT, 7.0))
    response = Asker(catalog, engine).ask(f"{target}&api_key=theirs")
    assert response.status_code == status
    assert response.headers["content-type"] == "text/xml; charset=utf-8"
    assert response.headers.get("retry-after") == ("7" if status == 502 else None)
    error = ET.fromstring(response.content)
    assert (error.tag, error.get("code")) == ("error", str(status))
    assert words in error.get("message")


def test_a_client_of_fred_that_reads_json_is_told_problem_details(catalog):
    asker = Asker(catalog, ScriptedEngine(failed(FailureClass.RATE_LIMIT)))
    asker.problem(f"{FRED}?series_id=DGS10&file_type=json", 502, "upstream-failed")
    asker.problem(f"{FRED}?series_id=NOTHING&file_type=json", 404, "not-catalogued")


@given(st.text())
def test_whatever_an_upstream_said_the_refusal_is_xml(said):
    error = ET.fromstring(xml_refusal(502, said))
    assert error.get("message") == "".join(each for each in said if each.isprintable())


def test_a_client_of_fred_that_says_nothing_is_answered_in_xml(catalog):
    at = datetime(2026, 2, 27, tzinfo=UTC)
    reading = Reading("DGS10", "1d", (Point(at, "value", 4.25),), at)
    engine = ScriptedEngine(answer(b'{"observations": []}', reading=reading))
    asker = Asker(catalog, engine)
    response = asker.ask("/proxy/fred/fred/series/observations?series_id=DGS10&api_key=theirs")
    assert response.headers["content-type"].startswith("text/xml")
    (row,) = ET.fromstring(response.content).iter("observation")
    assert (row.get("date"), float(row.get("value"))) == ("2026-02-27", 4.25)
    assert engine.asked[0][1]["params"]["file_type"] == "json"
