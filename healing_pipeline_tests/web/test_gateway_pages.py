"""The pages beside the data, and who is let in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from gateways import Asker, ScriptedEngine, default_catalog

from healing_pipeline.errors import ConfigurationError, PortInUseError
from healing_pipeline.web.problems import KINDS
from healing_pipeline.web.serving import bound, is_loopback, token_for

TOKEN = "0123456789abcdef-token"
QUOTE = "/v1/yahoo/quote-aapl"


@pytest.fixture
def catalog(tmp_path):
    return default_catalog(tmp_path)


@pytest.fixture
def asker(catalog):
    return Asker(catalog, ScriptedEngine())


@pytest.fixture
def guarded(catalog):
    return Asker(catalog, ScriptedEngine(), token=TOKEN)


def test_every_kind_of_problem_is_explained_at_its_own_address(asker):
    for name, kind in KINDS.items():
        page = asker.ask(f"/problems/{name}")
        assert page.status_code == 200
        assert kind.title in page.text.replace("&#x27;", "'")
    asker.problem("/problems/unheard-of", 404, "not-found")
    asker.problem("/nothing/here", 404, "not-found")


def test_the_documentation_names_every_endpoint_and_loads_nothing_from_elsewhere(asker, catalog):
    page = asker.ask("/docs").text
    for endpoint in catalog.endpoints:
        assert f"/v1/{endpoint}" in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert "<script" not in page
    assert asker.ask("/").headers["location"] == "/docs"


def test_the_openapi_document_holds_every_endpoint_and_refers_to_nothing_that_is_not_there(
    asker, catalog
):
    document = asker.ask("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(document["info"])
    assert {f"/v1/{each}" for each in catalog.endpoints} <= set(document["paths"])
    operations = [each["get"] for each in document["paths"].values()]
    ids = [each["operationId"] for each in operations]
    assert len(set(ids)) == len(ids)
    for path, item in document["paths"].items():
        in_path = {each["name"] for each in item["get"]["parameters"] if each.get("in") == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path))
        assert item["get"]["responses"]
    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name == "$ref")
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_health_is_told_to_anybody_and_nothing_else_is_without_the_token(guarded):
    assert guarded.ask("/healthz").json() == {"status": "ok"}
    assert guarded.ask("/readyz").status_code == 200
    for target in (QUOTE, "/docs", "/openapi.json", "/proxy/yahoo/x", "/v1/unknown"):
        guarded.problem(target, 401, "unauthorized")
    assert "Bearer" in guarded.ask(QUOTE).headers["www-authenticate"]
    assert guarded.engine.asked == []


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (QUOTE, {"Authorization": f"Bearer {TOKEN}"}),
        (QUOTE, {"Authorization": f"bearer {TOKEN}"}),
        (
            f"/proxy/fred/fred/series/observations?series_id=DGS10&file_type=json&api_key={TOKEN}",
            {},
        ),
        (f"/proxy/exchange_rate/v6/{TOKEN}/latest/USD", {}),
        ("/proxy/polygon/v2/aggs/ticker/AAPL/prev", {"Authorization": f"Bearer {TOKEN}"}),
    ],
)
def test_the_token_lets_in_as_bearer_or_as_a_clients_key(guarded, target, headers):
    assert guarded.ask(target, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"]
)
def test_anything_but_the_token_lets_nobody_in(guarded, given):
    guarded.problem(QUOTE, 401, "unauthorized", headers={"Authorization": given})
    guarded.problem(f"{QUOTE}?apikey={TOKEN}", 401, "unauthorized")
    assert guarded.engine.asked == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gateway.example"])
def test_beyond_loopback_a_token_is_a_must(host):
    assert not is_loopback(host)
    with pytest.raises(ConfigurationError, match="HEALING_GATEWAY_TOKEN"):
        token_for(host, {})
    assert token_for(host, {"HEALING_GATEWAY_TOKEN": TOKEN}) == TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_a_token_is_needed_only_when_one_is_set(host):
    assert token_for(host, {}) is None
    assert token_for(host, {"HEALING_GATEWAY_TOKEN": TOKEN}) == TOKEN


def test_a_short_token_is_refused_with_a_way_to_make_a_longer_one():
    with pytest.raises(ConfigurationError, match="openssl rand"):
        token_for("127.0.0.1", {"HEALING_GATEWAY_TOKEN": "secret"})


def test_a_port_in_use_names_the_cure():
    with bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"--port {port + 1}"):
            bound("127.0.0.1", port)


def test_an_address_of_another_machine_names_the_cure():
    with pytest.raises(ConfigurationError, match="--host"):
        bound("192.0.2.1", 0)
