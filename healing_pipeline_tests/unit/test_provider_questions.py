"""What a question is about, and the questions that can stand in for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from healing_pipeline.catalog.load import load
from healing_pipeline.catalog.values import Endpoint, Host
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import RequestLine, Response
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.providers.renderings import line_of
from healing_pipeline.providers.urls import SECRET_PARAMS
from healing_pipeline.simulator.market import Market
from healing_pipeline.simulator.upstreams import UPSTREAMS
from healing_pipeline.simulator.upstreams.contract import Answer, Ask

NOW = datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)
QUERY = "/query"
OBSERVATIONS = "/fred/series/observations"
CHART = "/v8/finance/chart/AAPL"
QUOTE = "/v7/finance/quote"
BARS = "/v2/aggs/ticker/AAPL/range/1/day/{today-90d}/{today}"
MARKET = Market(7)
CONFIG = Path(__file__).parents[2] / "config" / "healing_config.yaml"


def subject(provider: str, path: str, /, **params: str) -> tuple[str, ...]:
    return PROVIDERS[provider].subject(path, params)


def default_endpoints() -> list[Endpoint]:
    sources = ("FRED", "POLYGON", "ALPHA_VANTAGE", "EXCHANGE_RATE")
    environ = {"HEALING_UPSTREAMS": "real", **{f"{name}_API_KEY": "made-up" for name in sources}}
    catalog = load(CONFIG, environ=environ, providers=set(PROVIDERS))
    return list(catalog.endpoints.values())


def simulated_body(provider: str, line: RequestLine, now: datetime = NOW) -> bytes:
    """What the simulator, which knows the truth, answers when nothing is wrong with it."""
    upstream = UPSTREAMS[provider]
    ask = Ask("v6", line.path, line.params)
    asked = upstream.question(ask, now)
    answer = asked if isinstance(asked, Answer) else upstream.render(ask, asked, MARKET, now)
    assert answer.status == 200, answer.body[:200]
    return answer.body


def read(provider: str, path: str, params: dict[str, str]) -> Reading | Unreadable:
    line = line_of(path, params, NOW)
    return PROVIDERS[provider].read(simulated_body(provider, line), line)


DEFAULTS = default_endpoints()
BY_ID = {each.id: each for each in DEFAULTS}


def test_every_default_endpoint_has_a_subject_of_its_own():
    subjects = [(each.source, PROVIDERS[each.source].subject(*asked(each))) for each in DEFAULTS]
    assert len(set(subjects)) == len(subjects) >= 52


def asked(endpoint: Endpoint) -> tuple[str, dict[str, str]]:
    return endpoint.path, dict(endpoint.params)


@pytest.mark.parametrize("endpoint", DEFAULTS, ids=lambda each: each.id)
def test_a_subject_is_the_same_with_its_dates_filled_in(endpoint):
    path, params = asked(endpoint)
    provider = PROVIDERS[endpoint.source]
    line = line_of(path, params, NOW)
    assert provider.subject(line.path, line.params) == provider.subject(path, params)


@pytest.mark.parametrize(
    ("provider", "path", "params", "expected"),
    [
        ("yahoo", CHART, {"interval": "1d", "range": "3mo"}, ("chart", "AAPL", "1d")),
        ("yahoo", "/v8/finance/chart/%5EGSPC", {"interval": "60m"}, ("chart", "^GSPC", "1h")),
        ("yahoo", "/v8/finance/chart/JPY=X", {"interval": "1d"}, ("chart", "USDJPY=X", "1d")),
        ("yahoo", QUOTE, {"symbols": "msft,AAPL"}, ("quote", "AAPL", "MSFT")),
        ("yahoo", "/v7/finance/download/AAPL", {}, ("download", "AAPL", "1d")),
        ("fred", OBSERVATIONS, {"series_id": "dgs10"}, ("observations", "DGS10")),
        (
            "fred",
            OBSERVATIONS,
            {"series_id": "GDP", "units": "pch", "frequency": "a"},
            ("observations", "GDP", "frequency=a", "units=pch"),
        ),
        ("polygon", BARS, {}, ("aggs", "AAPL", "1d", "adjusted")),
        (
            "polygon",
            "/v2/aggs/ticker/C:EURUSD/range/60/minute/1767225600000/1772463845000",
            {"adjusted": "false"},
            ("aggs", "EURUSD=X", "1h", "unadjusted"),
        ),
        ("polygon", "/v2/aggs/ticker/BRK.B/prev", {}, ("prev", "BRK-B", "adjusted")),
        (
            "alpha_vantage",
            QUERY,
            {"function": "TIME_SERIES_INTRADAY", "symbol": "ibm", "interval": "5min"},
            ("TIME_SERIES_INTRADAY", "IBM", "5m"),
        ),
        (
            "alpha_vantage",
            QUERY,
            {"function": "FX_DAILY", "from_symbol": "eur", "to_symbol": "USD"},
            ("FX_DAILY", "EUR", "USD"),
        ),
        ("exchange_rate", "/v6/latest/USD", {}, ("latest", "USD")),
        ("exchange_rate", "/v6/KEYOFOURS/latest/usd", {}, ("latest", "USD")),
        ("exchange_rate", "/v6/KEYOFOURS/pair/USD/EUR", {}, ("pair", "USD", "EUR")),
        ("exchange_rate", "/v6/pair/USD/EUR/5", {}, ("pair", "USD", "EUR", "amount=5")),
        ("exchange_rate", "/v6/KEYOFOURS/codes", {}, ("/v6/codes",)),
    ],
)
def test_what_a_question_is_about(provider, path, params, expected):
    assert PROVIDERS[provider].subject(path, params) == expected


# Endpoint, and parameters that a reader may lay over its own: another window, another look.
WINDOWS = {
    "yahoo/chart-aapl-1d": [
        {"range": "5y"},
        {"period1": "1767225600", "period2": "1772463845"},
        {"includePrePost": "true"},
        {"includePrePost": "False", "events": "div,splits,capitalGains", "crumb": "x.8"},
        {"lang": "en-US", "region": "US", "corsDomain": "finance.yahoo.com", ".tsrc": "finance"},
    ],
    "yahoo/chart-aapl-5m": [{"range": "5d"}, {"includePrePost": "False"}],
    "yahoo/quote-tech": [
        {"symbols": "NVDA,AMZN,GOOGL,MSFT,AAPL"},
        {"formatted": "false", "fields": "regularMarketPrice", "crumb": "y"},
    ],
    "fred/dgs10": [
        {"limit": "5", "sort_order": "asc", "offset": "3"},
        {"observation_start": "2020-01-01", "observation_end": "2021-01-01"},
        {"units": "lin", "file_type": "json", "api_key": "0" * 32},
    ],
    "polygon/aggs-aapl-1d": [{"limit": "10", "sort": "desc"}, {"apiKey": "k"}],
    "alpha_vantage/daily-ibm": [{"outputsize": "full"}, {"datatype": "json", "apikey": "k"}],
}
# Endpoint, and parameters that would make it ask for other numbers, or in a form not read here.
OTHERS = {
    "yahoo/chart-aapl-1d": [{"interval": "1wk"}, {"adjusted": "no"}],
    "yahoo/chart-aapl-5m": [{"includePrePost": "true"}],
    "yahoo/quote-aapl": [{"symbols": "AAPL,MSFT"}, {"symbols": "MSFT"}],
    "fred/dgs10": [
        {"series_id": "DGS2"},
        {"units": "chg"},
        {"frequency": "m"},
        {"frequency": "m", "aggregation_method": "eop"},
        {"vintage_dates": "2020-01-01"},
        {"realtime_start": "2020-01-01"},
        {"output_type": "2"},
        {"file_type": "xml"},
    ],
    "polygon/aggs-aapl-1d": [{"adjusted": "false"}, {"cursor": "abc"}],
    "polygon/prev-aapl": [{"adjusted": "false"}],
    "alpha_vantage/daily-ibm": [
        {"symbol": "AAPL"},
        {"function": "TIME_SERIES_WEEKLY"},
        {"datatype": "csv"},
        {"entitlement": "delayed"},
        {"month": "2009-01"},
    ],
    "alpha_vantage/fx-daily-eurusd": [{"from_symbol": "GBP"}, {"to_symbol": "JPY"}],
    "alpha_vantage/rate-usd-eur": [{"to_currency": "GBP"}],
    "exchange_rate/latest-usd": [{"when": "then"}],
}


def over(endpoint_id: str, params: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    endpoint = BY_ID[endpoint_id]
    provider, (path, own) = PROVIDERS[endpoint.source], asked(endpoint)
    return provider.subject(path, own), provider.subject(path, {**own, **params})


@pytest.mark.parametrize(
    ("endpoint_id", "params"), [(name, each) for name, found in WINDOWS.items() for each in found]
)
def test_another_window_or_look_is_the_same_subject(endpoint_id, params):
    before, after = over(endpoint_id, params)
    assert before == after


@pytest.mark.parametrize(
    ("endpoint_id", "params"), [(name, each) for name, found in OTHERS.items() for each in found]
)
def test_what_changes_the_numbers_is_another_subject(endpoint_id, params):
    before, after = over(endpoint_id, params)
    assert before != after


@given(
    endpoint=st.sampled_from(DEFAULTS),
    name=st.text("abcxyz_", min_size=8, max_size=12),
    said=st.text("abc123", min_size=1, max_size=4),
)
def test_a_parameter_nobody_knows_is_another_subject(endpoint, name, said):
    path, own = asked(endpoint)
    subject_of = PROVIDERS[endpoint.source].subject
    assume(name not in SECRET_PARAMS)
    assert subject_of(path, own) != subject_of(path, {**own, name: said})


@given(
    endpoint=st.sampled_from(DEFAULTS),
    name=st.sampled_from(sorted(SECRET_PARAMS)).flatmap(
        lambda name: st.sampled_from([name, name.upper(), name.title()])
    ),
)
def test_a_secret_is_never_in_a_subject(endpoint, name):
    path, own = asked(endpoint)
    for each in (path, "/unknown/path"):
        found = PROVIDERS[endpoint.source].subject(each, {**own, name: "s3cr3t"})
        assert not any("s3cr3t" in part for part in found)


@pytest.mark.parametrize(
    ("provider", "path", "first", "second"),
    [
        ("polygon", "/v2/aggs/ticker/{}/range/1/day/2026-01-01/2026-03-01", "AAPL", "MSFT"),
        ("polygon", "/v2/aggs/ticker/AAPL/range/{}/2026-01-01/2026-03-01", "1/day", "5/minute"),
        ("polygon", "/v2/aggs/ticker/AAPL/range/1/day/{}/2026-03-01", "2026-01-01", None),
        ("polygon", "/v2/aggs/ticker/AAPL/range/1/day/2020-01-01/{}", "1772463845000", None),
        ("yahoo", "/v8/finance/chart/{}", "AAPL", "MSFT"),
        ("exchange_rate", "/v6/latest/{}", "USD", "EUR"),
        ("exchange_rate", "/v6/pair/USD/{}", "GBP", "EUR"),
    ],
)
def test_the_path_names_the_instrument_and_the_interval_but_no_window(
    provider, path, first, second
):
    subjects = {
        subject(provider, path.format(each), interval="1d")
        for each in (first, second or "2026-02-02")
    }
    assert len(subjects) == (2 if second else 1)


CLIENTS = {
    # yfinance 1.x: Ticker("AAPL").history(period="3mo"), its look for the time zone, and .info
    "yahoo/chart-aapl-1d": [
        "/v8/finance/chart/AAPL?range=3mo&interval=1d&includePrePost=False"
        "&events=div%2Csplits%2CcapitalGains&crumb=abc",
        "/v8/finance/chart/AAPL?range=1d&interval=1d",
        "/v8/finance/chart/AAPL?period1=1767225600&period2=1772463845&interval=1d"
        "&includePrePost=False&events=div%2Csplits%2CcapitalGains",
    ],
    "yahoo/chart-aapl-5m": [
        "/v8/finance/chart/AAPL?range=1d&interval=5m&includePrePost=False"
        "&events=div%2Csplits%2CcapitalGains&crumb=abc"
    ],
    "yahoo/quote-aapl": [
        "/v7/finance/quote?symbols=AAPL&formatted=false&lang=en-US&region=US&crumb=abc"
    ],
    # fredapi: Fred(key).get_series("DGS10", observation_start=...); without file_type
    "fred/dgs10": [
        "/fred/series/observations?series_id=DGS10&api_key=k",
        "/fred/series/observations?series_id=DGS10&observation_start=2026-01-01"
        "&observation_end=2026-02-01&api_key=k",
    ],
    # polygon-api-client: get_aggs, list_aggs, get_previous_close_agg
    "polygon/aggs-aapl-1d": [
        "/v2/aggs/ticker/AAPL/range/1/day/2026-01-02/2026-02-02",
        "/v2/aggs/ticker/AAPL/range/1/day/1767225600000/1772463845000"
        "?adjusted=true&sort=asc&limit=50000",
    ],
    "polygon/prev-aapl": ["/v2/aggs/ticker/AAPL/prev", "/v2/aggs/ticker/AAPL/prev?adjusted=true"],
    # alpha_vantage: TimeSeries(key).get_daily("IBM"), .get_quote_endpoint; ForeignExchange
    "alpha_vantage/daily-ibm": [
        "/query?function=TIME_SERIES_DAILY&symbol=IBM&outputsize=compact&apikey=k&datatype=json"
    ],
    "alpha_vantage/quote-ibm": [
        "/query?function=GLOBAL_QUOTE&symbol=IBM&apikey=k&datatype=json",
    ],
    "alpha_vantage/fx-daily-eurusd": [
        "/query?function=FX_DAILY&from_symbol=EUR&to_symbol=USD&outputsize=full"
        "&apikey=k&datatype=json"
    ],
    "alpha_vantage/rate-usd-eur": [
        "/query?function=CURRENCY_EXCHANGE_RATE&from_currency=USD&to_currency=EUR&apikey=k"
    ],
    "exchange_rate/latest-usd": ["/v6/k/latest/USD", "/v6/latest/USD"],
    "exchange_rate/pair-usd-eur": ["/v6/k/pair/USD/EUR"],
}


@pytest.mark.parametrize(
    ("endpoint_id", "url"), [(name, each) for name, urls in CLIENTS.items() for each in urls]
)
def test_the_ordinary_calls_of_real_clients_are_the_default_endpoints(endpoint_id, url):
    endpoint = BY_ID[endpoint_id]
    provider = PROVIDERS[endpoint.source]
    address = urlsplit(url)
    params = dict(parse_qsl(address.query))
    assert provider.subject(address.path, params) == provider.subject(*asked(endpoint))


def test_the_intraday_defaults_of_the_alpha_vantage_client_say_nothing_new():
    plain = {"function": "TIME_SERIES_INTRADAY", "symbol": "IBM", "interval": "15min"}
    told = {**plain, "outputsize": "compact", "extended_hours": "true", "adjusted": "true"}
    assert subject("alpha_vantage", QUERY, **plain) == subject("alpha_vantage", QUERY, **told)
    for raw in ({"adjusted": "false"}, {"extended_hours": "false"}):
        assert subject("alpha_vantage", QUERY, **plain) != subject(
            "alpha_vantage", QUERY, **{**told, **raw}
        )


def test_a_chart_without_an_interval_is_its_window_too():
    """Yahoo then picks the interval by the range, so another range is other bars."""
    assert subject("yahoo", CHART, range="1d") != subject("yahoo", CHART, range="1y")


def test_dividends_are_not_prices():
    download = "/v7/finance/download/AAPL"
    assert subject("yahoo", download, events="history") == subject("yahoo", download)
    assert subject("yahoo", download, events="div") != subject("yahoo", download)


@pytest.mark.parametrize(
    ("provider", "path", "params", "instrument", "expected"),
    [
        ("yahoo", CHART, {"range": "1y"}, "XLK", ("/v8/finance/chart/XLK", {"range": "1y"})),
        ("yahoo", QUOTE, {"symbols": "AAPL"}, "XLK", (QUOTE, {"symbols": "XLK"})),
        ("yahoo", QUOTE, {"symbols": "AAPL,MSFT"}, "XLK", None),
        (
            "fred",
            OBSERVATIONS,
            {"series_id": "DGS10", "limit": "9"},
            "GS10",
            (OBSERVATIONS, {"series_id": "GS10", "limit": "9"}),
        ),
        ("fred", "/fred/releases", {}, "GS10", None),
        ("polygon", BARS, {}, "XLK", None),
        ("alpha_vantage", QUERY, {"function": "GLOBAL_QUOTE", "symbol": "IBM"}, "XLK", None),
        ("exchange_rate", "/v6/latest/USD", {}, "EUR", None),
    ],
)
def test_the_same_question_about_another_instrument(provider, path, params, instrument, expected):
    assert PROVIDERS[provider].substituted(path, params, instrument) == expected


@pytest.mark.parametrize("endpoint", DEFAULTS, ids=lambda each: each.id)
def test_only_bars_within_the_day_have_a_daily_question_and_it_is_answered(endpoint):
    provider = PROVIDERS[endpoint.source]
    found = provider.daily(*asked(endpoint), NOW)
    assert (found is not None) == endpoint.id.endswith("-5m")
    if found is None:
        return
    reading = read(endpoint.source, *found)
    assert isinstance(reading, Reading)
    assert reading.interval == "1d"
    assert reading.points[-1].at.date() == NOW.date()
    assert provider.daily(*found, NOW) is None


@given(begin=st.dates(date(2024, 1, 1), date(2026, 3, 2)), days=st.integers(0, 40))
def test_polygons_daily_window_keeps_its_end_and_is_a_week_at_least(begin, days):
    end = begin + timedelta(days=days)
    path = "/v2/aggs/ticker/AAPL/range/5/minute/{}/{}"
    for first, last, week in (
        (begin.isoformat(), end.isoformat(), 6),
        (str(milliseconds(begin)), str(milliseconds(end)), 7),
    ):
        found = PROVIDERS["polygon"].daily(path.format(first, last), {"limit": "2"}, NOW)
        assert found is not None
        *_, ours, kept = found[0].split("/")
        assert kept == last
        assert "/range/1/day/" in found[0]
        assert "limit" not in found[1]
        least = end - timedelta(days=week)
        expected = min(begin, least)
        assert ours in (expected.isoformat(), str(milliseconds(expected)))


def milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"range": "1d"}, {"range": "5d"}),
        ({}, {"range": "5d"}),
        ({"range": "1mo"}, {"range": "1mo"}),
        ({"period1": "1772400000", "period2": "1772463845"}, {"period1": "1771859045"}),
        ({"period1": "1700000000", "period2": "1772463845"}, {"period1": "1700000000"}),
    ],
)
def test_yahoos_daily_window_is_a_week_at_least(params, expected):
    found = PROVIDERS["yahoo"].daily(CHART, {"interval": "5m", **params}, NOW)
    assert found == (CHART, {**params, "interval": "1d", **expected})


def test_yahoos_daily_window_is_the_readers_and_no_range_of_the_endpoints():
    period = {"period1": "1700000000", "period2": "1772463845"}
    found = PROVIDERS["yahoo"].daily(CHART, {"interval": "5m", "range": "1d", **period}, NOW)
    assert found == (CHART, {"interval": "1d", **period})


def test_alpha_vantages_daily_question_drops_what_only_the_day_has():
    intraday = {"symbol": "IBM", "interval": "5min", "month": "2026-01", "extended_hours": "true"}
    found = PROVIDERS["alpha_vantage"].daily(
        QUERY, {"function": "TIME_SERIES_INTRADAY", **intraday}, NOW
    )
    assert found == (QUERY, {"function": "TIME_SERIES_DAILY", "symbol": "IBM"})


known = st.sampled_from(["AAPL", "MSFT", "SPY", "EURUSD=X", "JPY=X", "BTC-USD", "ZZUNKNOWN1"])
quote_questions = st.lists(
    st.lists(known, min_size=1, max_size=3).map(
        lambda symbols: (QUOTE, {"symbols": ",".join(symbols), "lang": "en-US"})
    ),
    min_size=1,
    max_size=5,
)
codes = st.sampled_from(["USD", "EUR", "GBP", "JPY", "CHF"])
rate_questions = st.tuples(
    codes, st.lists(st.one_of(st.none(), codes), min_size=1, max_size=5)
).map(
    lambda asked: [
        (f"/v6/latest/{asked[0]}" if quote is None else f"/v6/pair/{asked[0]}/{quote}", {})
        for quote in asked[1]
    ]
)


@given(
    found=st.one_of(
        st.tuples(st.just("yahoo"), quote_questions),
        st.tuples(st.just("exchange_rate"), rate_questions),
    )
)
def test_the_part_of_a_merged_answer_is_what_the_question_alone_is_answered(found):
    name, questions = found
    provider = PROVIDERS[name]
    merged = provider.merged(questions)
    assert merged is not None
    together = read(name, *merged)
    for path, params in questions:
        alone = read(name, path, params)
        if isinstance(together, Unreadable) or isinstance(alone, Unreadable):
            assert isinstance(alone, Unreadable)
            assert isinstance(together, Unreadable) or provider.part(together, path, params) is None
        else:
            assert provider.part(together, path, params) == alone


@pytest.mark.parametrize(
    ("provider", "questions"),
    [
        ("yahoo", []),
        ("yahoo", [(QUOTE, {"symbols": "AAPL"}), (QUOTE, {"symbols": "MSFT", "lang": "de"})]),
        ("yahoo", [(QUOTE, {"symbols": "AAPL"}), (QUOTE, {})]),
        ("yahoo", [(CHART, {"interval": "1d"}), (CHART, {"interval": "1d"})]),
        ("yahoo", [(QUOTE, {"symbols": ",".join(f"A{n}" for n in range(201))})]),
        ("exchange_rate", [("/v6/pair/USD/EUR", {}), ("/v6/pair/GBP/EUR", {})]),
        ("exchange_rate", [("/v6/pair/USD/EUR/5", {}), ("/v6/pair/USD/GBP", {})]),
        ("exchange_rate", [("/v6/pair/USD/EUR", {}), ("/v6/quota", {})]),
        ("fred", [(OBSERVATIONS, {"series_id": "GS10"}), (OBSERVATIONS, {"series_id": "DGS10"})]),
        ("polygon", [(BARS, {}), (BARS, {})]),
        ("alpha_vantage", [(QUERY, {"function": "GLOBAL_QUOTE", "symbol": "IBM"})] * 2),
    ],
)
def test_what_cannot_be_asked_together_is_not_merged(provider, questions):
    assert PROVIDERS[provider].merged(questions) is None


def test_a_part_that_is_not_in_the_answer_is_none():
    together = read("yahoo", QUOTE, {"symbols": "AAPL,MSFT"})
    part = PROVIDERS["yahoo"].part
    assert part(together, QUOTE, {"symbols": "NVDA"}) is None
    assert part(together, CHART, {"interval": "1d"}) is None
    table = read("exchange_rate", "/v6/latest/USD", {})
    assert PROVIDERS["exchange_rate"].part(table, "/v6/pair/GBP/EUR", {}) is None
    assert PROVIDERS["exchange_rate"].part(table, "/v6/pair/USD/XXX", {}) is None


SESSION = PROVIDERS["yahoo"].session
HOST = Host("query1", "https://query1.example.org")


def test_only_yahoo_has_sessions():
    assert [name for name in PROVIDERS if PROVIDERS[name].session is not None] == ["yahoo"]


def test_a_crumb_is_asked_for_and_goes_into_the_url_and_nowhere_else():
    assert SESSION is not None
    asking = SESSION.ask("yahoo", HOST)
    assert asking.url == "https://query1.example.org/v1/test/getcrumb"
    crumb = simulated_body("yahoo", asking.line)
    token = SESSION.token(Response(status=200, body=crumb))
    assert token == crumb.decode()
    endpoint = BY_ID["yahoo/quote-tech"]
    plain = PROVIDERS["yahoo"].request(endpoint, HOST, None, NOW)
    with_crumb = SESSION.applied(plain, token)
    assert with_crumb.url == f"{plain.url}&crumb={token}"
    assert with_crumb.line == plain.line
    assert with_crumb.headers == plain.headers
    assert token not in repr(with_crumb)
    assert SESSION.applied(with_crumb, "Other/1=2").url == f"{plain.url}&crumb=Other%2F1%3D2"


def test_the_cookies_of_a_crumb_go_back_with_it():
    assert SESSION is not None
    set_cookie = (
        "A1=d=AQ&S=AQAAAo; Expires=Tue, 2 Mar 2027 15:04:05 GMT; Domain=.yahoo.com; Path=/, "
        "A3=d=AQ&S=AQAAAo; Max-Age=31557600; HttpOnly, gone=; Max-Age=0"
    )
    token = SESSION.token(Response(200, {"set-cookie": set_cookie}, b"kX9a/b.Cd1e"))
    assert token is not None
    request = SESSION.applied(PROVIDERS["yahoo"].request(DEFAULTS[0], HOST, None, NOW), token)
    assert request.headers["Cookie"] == "A1=d=AQ&S=AQAAAo; A3=d=AQ&S=AQAAAo"
    assert request.url.endswith("&crumb=kX9a%2Fb.Cd1e")
    assert "AQAAAo" not in repr(request)


@given(said=st.text(max_size=60))
def test_a_cookie_cannot_smuggle_a_header(said):
    assert SESSION is not None
    token = SESSION.token(Response(200, {"set-cookie": f"A3={said}"}, b"kX9a/b.Cd1e"))
    assert token is not None
    plain = PROVIDERS["yahoo"].request(DEFAULTS[0], HOST, None, NOW)
    cookie = SESSION.applied(plain, token).headers.get("Cookie", "")
    assert cookie.isascii()
    assert cookie.isprintable() or cookie == ""


@pytest.mark.parametrize(
    "response",
    [
        Response(429, {}, b"Too Many Requests\r\n"),
        Response(200, {}, b"Too Many Requests"),
        Response(200, {}, b"<html>consent</html>"),
        Response(401, {}, b'{"finance":{"result":null,"error":{"code":"Unauthorized"}}}'),
        Response(200, {}, b""),
    ],
)
def test_a_refusal_is_never_taken_for_a_crumb(response):
    assert SESSION is not None
    assert SESSION.token(response) is None
