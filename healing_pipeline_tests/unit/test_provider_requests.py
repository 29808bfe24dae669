"""What is sent upstream: quoting, order, where the key goes and where it never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, EntryPoints
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline import __version__
from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.providers import registry
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.registry import PROVIDERS, provider_named
from healing_pipeline.providers.spoken import Spoken

NOW = datetime(2025, 3, 1, 23, 30, tzinfo=UTC)
SECRET = "s3cr3t/+ &=?"
KEY = ApiKey("primary", "SOME_KEY", SECRET)
MAIN = Host("main", "https://api.example.org")
NAMES = sorted(PROVIDERS)


def get(provider: str, path: str, params=None, *, host=MAIN, key=KEY, over=None) -> UpstreamRequest:
    endpoint = Endpoint(f"{provider}/x", provider, path, params or {})
    return PROVIDERS[provider].request(endpoint, host, key, NOW, over)


def query(request: UpstreamRequest) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(request.url).query, keep_blank_values=True, strict_parsing=False)


texts = st.text(st.characters(codec="utf-8", exclude_characters="{}%"), min_size=1, max_size=12)
segments = texts.filter(lambda text: "/" not in text)
paths = st.lists(segments, min_size=1, max_size=4).map(lambda parts: "/v8/" + "/".join(parts))
names = st.sampled_from(["symbols", "range", "interval", "limit", "sort", "function", "x y", "é"])
param_maps = st.dictionaries(names, texts, max_size=4)


@given(provider=st.sampled_from(NAMES), path=paths, params=param_maps, over=param_maps)
def test_a_url_says_what_was_asked_and_in_the_same_order(provider, path, params, over):
    request = get(provider, path, params, over=over)
    assert unquote(urlsplit(request.url).path) == path == request.line.path
    wanted = list({**params, **over}.items())
    assert query(request)[: len(wanted)] == wanted
    assert request.url.isascii()
    assert not set(request.url) & set(' "<>^`|\\')


@given(provider=st.sampled_from(NAMES), params=param_maps, over=param_maps)
def test_no_secret_is_in_the_line_or_in_the_repr(provider, params, over):
    request = get(provider, "/v6/latest/USD", {**params, "apikey": SECRET}, over=over)
    assert SECRET not in repr(request)
    assert SECRET not in {*request.line.params, *request.line.params.values(), request.line.path}
    assert request.line.host == "api.example.org"


@pytest.mark.parametrize("provider", NAMES)
def test_the_same_question_is_always_the_same_request(provider):
    one, other = (get(provider, "/p", {"b": "2", "a": "1"}, over={"b": "3"}) for _ in range(2))
    assert one == other
    assert query(one)[:2] == [("b", "3"), ("a", "1")]
    assert one.headers["User-Agent"] == f"healing-pipeline/{__version__}"
    assert (one.source, one.host_name) == (provider, "main")


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v8/finance/chart/^RUT", "/v8/finance/chart/%5ERUT"),
        ("/v8/finance/chart/%5ERUT", "/v8/finance/chart/%5ERUT"),
        ("/v8/finance/chart/EURUSD=X", "/v8/finance/chart/EURUSD=X"),
        ("/v2/aggs/ticker/C:EURUSD/prev", "/v2/aggs/ticker/C:EURUSD/prev"),
    ],
)
def test_symbols_are_quoted_as_a_path_needs_it(path, sent):
    assert get("yahoo", path).url == f"https://api.example.org{sent}"


def test_a_base_url_may_hold_a_path_of_its_own():
    simulated = Host("query1", "http://127.0.0.1:8081/yahoo/")
    assert get("yahoo", "/v7/finance/quote", {"symbols": "AAPL,^RUT"}, host=simulated).url == (
        "http://127.0.0.1:8081/yahoo/v7/finance/quote?symbols=AAPL,%5ERUT"
    )


def test_yahoo_spends_no_key_and_keeps_its_crumb_to_itself():
    request = get("yahoo", "/v7/finance/quote", {"symbols": "A"}, over={"crumb": "c/1"})
    assert request.key_name is None
    assert ("crumb", "c/1") in query(request)
    assert request.line.params == {"symbols": "A"}


CHART = "/v8/finance/chart/AAPL"
SPAN = {"range": "3mo", "interval": "1d"}
PERIOD = {"period1": "1735689600", "period2": "1740787200"}


@pytest.mark.parametrize(
    ("own", "over", "sent"),
    [
        (SPAN, PERIOD, {"interval": "1d", **PERIOD}),
        (SPAN, {"period1": "1735689600"}, {"interval": "1d", "period1": "1735689600"}),
        (SPAN, {"range": "1y", **PERIOD}, {"interval": "1d", **PERIOD}),
        (SPAN, {"range": "1y"}, {"range": "1y", "interval": "1d"}),
        (PERIOD, {"range": "5d"}, {"range": "5d"}),
        (PERIOD, {"period1": "1738368000"}, {**PERIOD, "period1": "1738368000"}),
        (SPAN, {"period2": "1740787200"}, {**SPAN, "period2": "1740787200"}),
    ],
)
def test_yahoo_is_asked_for_one_window_the_readers(own, over, sent):
    """Of a `range` beside a `period1` Yahoo takes the `range`, and says nothing."""
    request = get("yahoo", CHART, own, over=over)
    assert dict(query(request)) == sent == dict(request.line.params)


def test_fred_wants_its_key_in_the_query_and_is_asked_for_json():
    request = get("fred", "/fred/series/observations", {"series_id": "DGS10"})
    assert query(request) == [("series_id", "DGS10"), ("file_type", "json"), ("api_key", SECRET)]
    assert request.line.params == {"series_id": "DGS10", "file_type": "json"}
    assert request.key_name == "primary"
    assert ("file_type", "xml") in query(get("fred", "/p", {"file_type": "xml"}))


def test_polygon_wants_its_key_in_a_header_only():
    request = get("polygon", "/v2/aggs/ticker/AAPL/prev")
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.url == "https://api.example.org/v2/aggs/ticker/AAPL/prev"


def test_alpha_vantage_wants_its_key_in_the_query():
    request = get("alpha_vantage", "/query", {"function": "GLOBAL_QUOTE", "symbol": "IBM"})
    assert query(request)[-1] == ("apikey", SECRET)
    assert "apikey" not in request.line.params


@pytest.mark.parametrize(
    ("host", "path", "sent", "key_name"),
    [
        ("main", "/v6/latest/USD", "/v6/s3cr3t%2F%2B%20%26%3D%3F/latest/USD", "primary"),
        ("main", "/v6/pair/USD/EUR", "/v6/s3cr3t%2F%2B%20%26%3D%3F/pair/USD/EUR", "primary"),
        ("open", "/v6/latest/USD", "/v6/latest/USD", None),
        ("frankfurter", "/v1/latest", "/v1/latest", None),
    ],
)
def test_exchange_rate_wants_its_key_in_the_path_of_its_own_host(host, path, sent, key_name):
    request = get("exchange_rate", path, host=Host(host, "https://x.example.org"))
    assert request.url == f"https://x.example.org{sent}"
    assert request.key_name == key_name
    assert request.line.path == path


@pytest.mark.parametrize("provider", NAMES)
def test_without_a_key_none_is_spent(provider):
    request = get(provider, "/v6/latest/USD", key=None)
    assert request.key_name is None
    assert "Authorization" not in request.headers


def test_date_marks_become_utc_dates_in_paths_and_parameters():
    path = "/v2/aggs/ticker/AAPL/range/1/day/{today-30d}/{today}"
    request = get("polygon", path, {"since": "{today-1d}"}, over={"until": "{today}"})
    assert request.line.path == "/v2/aggs/ticker/AAPL/range/1/day/2025-01-30/2025-03-01"
    assert request.line.params == {"since": "2025-02-28", "until": "2025-03-01"}


@pytest.mark.parametrize("mark", ["{today+1d}", "{today-30}", "{today - 3d}", "{todays}"])
def test_an_unknown_date_mark_names_the_cure(mark):
    with pytest.raises(ConfigurationError, match=r"\{today-30d\}"):
        get("fred", "/p", {"observation_start": mark})


def test_a_clock_without_a_time_zone_is_refused():
    naive = datetime(2025, 3, 1)  # noqa: DTZ001
    endpoint = Endpoint("yahoo/x", "yahoo", "/p/{today}")
    with pytest.raises(ValueError, match="time zone"):
        PROVIDERS["yahoo"].request(endpoint, MAIN, None, naive)


FRED = PROVIDERS["fred"]
ACME = Spoken("acme", FRED.request, FRED.classify, FRED.read, FRED.smaller)


class Acme(Spoken):
    def __init__(self) -> None:
        super().__init__("acme-class", FRED.request, FRED.classify, FRED.read, FRED.smaller)


class Incomplete:
    name = "incomplete"


class FourFunctions:
    name = "four"

    def request(self): ...
    def classify(self): ...
    def read(self): ...
    def smaller(self): ...


HALF_A_SESSION = replace(ACME, name="half", session=object())


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points as an installed package would announce them."""
    found = EntryPoints(
        EntryPoint(name, value, registry.GROUP)
        for name, value in {
            "acme": f"{__name__}:ACME",
            "acme-class": f"{__name__}:Acme",
            "alias": f"{__name__}:ACME",
            "incomplete": f"{__name__}:Incomplete",
            "four": f"{__name__}:FourFunctions",
            "half": f"{__name__}:HALF_A_SESSION",
            "gone": "no_such_module_at_all:Thing",
            "yahoo": "no_such_module_at_all:Thing",
        }.items()
    )
    monkeypatch.setattr(registry, "entry_points", lambda *, group: found.select(group=group))
    monkeypatch.setattr(registry, "_loaded", {})


def test_every_built_in_provider_goes_by_its_folders_name():
    assert NAMES == ["alpha_vantage", "exchange_rate", "fred", "json_api", "polygon", "yahoo"]
    for name in NAMES:
        provider = provider_named(name)
        assert provider.name == name
        # What an endpoint's own rules are bound to is a function of the folder all the same.
        classify = getattr(provider.classify, "func", provider.classify)
        assert classify.__module__.startswith(f"healing_pipeline.providers.{name}.")


def test_a_provider_cannot_be_changed():
    with pytest.raises(AttributeError):
        PROVIDERS["yahoo"].name = "other"


@pytest.mark.usefixtures("announced")
def test_another_package_adds_a_provider_by_an_entry_point():
    assert provider_named("acme") is ACME
    assert isinstance(provider_named("acme-class"), Acme)
    assert provider_named("acme-class") is provider_named("acme-class")


@pytest.mark.usefixtures("announced")
def test_an_announced_provider_never_replaces_a_built_in_one():
    assert provider_named("yahoo") is PROVIDERS["yahoo"]


@pytest.mark.usefixtures("announced")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "acme, acme-class, alias, alpha_vantage, exchange_rate, four, fred"),
        ("gone", "uninstall the package"),
        ("incomplete", r"has no request\(\).*spoken\.Spoken"),
        ("four", r"has no examine\(\).*spoken\.Spoken"),
        ("half", r"has no session\.ask\(\)"),
        ("alias", "another name"),
    ],
)
def test_a_provider_that_cannot_be_had_names_the_cure(name, said):
    with pytest.raises(ConfigurationError, match=said):
        provider_named(name)


def everything_about(request):
    return request, request.url, dict(request.headers)


# What json_api builds says when it was asked, so that none can be built from memory.
REMEMBERED = sorted({*PROVIDERS} - {"json_api"})


@given(data=st.data(), provider=st.sampled_from(REMEMBERED))
def test_a_request_that_is_built_from_memory_is_the_one_that_would_be_built(data, provider):
    """Whatever was asked before: nothing of one question, host, key or day is in another's."""
    build = PROVIDERS[provider].request
    words = st.sampled_from(["AAPL", "{today}", "{today-7d}", "1d", ""])
    params = st.dictionaries(st.sampled_from(["series_id", "range", "symbols"]), words)
    asked = st.builds(
        Endpoint,
        id=st.sampled_from(["one", "other"]),
        source=st.sampled_from(["one", "other"]),
        path=st.sampled_from(["/v6/latest/USD", "/a/{today}/b", "/a/{today-1d}/b"]),
        params=params,
    )
    for _ in range(data.draw(st.integers(1, 6))):
        question = (
            data.draw(asked),
            data.draw(st.sampled_from([Host("a", "http://a.test"), Host("open", "http://b.test")])),
            data.draw(st.sampled_from([None, ApiKey("k", "K", "one"), ApiKey("k", "K", "other")])),
            data.draw(st.integers(0, 99).map(lambda hours: NOW + timedelta(hours=hours))),
            data.draw(st.none() | params),
        )
        found = build(*question)
        assert everything_about(found) == everything_about(build.__wrapped__(*question))
        assert everything_about(build(*question)) == everything_about(found)


def test_nobody_can_change_a_request_for_those_who_ask_the_same_after_him():
    asked = Endpoint("yahoo/x", "yahoo", "/v7/finance/quote", {"symbols": "AAPL"})
    found = PROVIDERS["yahoo"].request(asked, Host("a", "http://a.test"), None, NOW)
    for mapping in (found.headers, found.line.params):
        with pytest.raises(TypeError):
            mapping["Authorization"] = "Bearer other"


def test_a_clock_without_a_time_zone_is_refused_before_it_dates_a_request():
    asked = Endpoint("yahoo/x", "yahoo", "/v7/finance/quote")
    with pytest.raises(ValueError, match="no time zone"):
        PROVIDERS["yahoo"].request(asked, Host("a", "http://a.test"), None, datetime(2024, 1, 1))  # noqa: DTZ001


def test_more_questions_than_are_remembered_are_answered_all_the_same():
    host = Host("a", "http://a.test")
    for number in range(3000):
        asked = Endpoint("yahoo/x", "yahoo", f"/v8/finance/chart/A{number}")
        assert PROVIDERS["yahoo"].request(asked, host, None, NOW).url.endswith(f"/A{number}")
