"""A glance tells what the careful look tells, or nothing; and plain bodies are told at a glance."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_bodies import (
    AGGREGATES,
    CASES,
    CHART,
    DAILY,
    LINES,
    QUOTE,
    SERIES,
    TABLE,
    daily_bars,
    intraday_bars,
    render_alpha_vantage,
    render_polygon,
    render_yahoo,
)
from test_provider_hostile_bodies import anything, places, with_change
from test_provider_readings import RECORDED, recorded

from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import NoAnswer, RequestLine, Response, Verdict
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.providers.spoken import Spoken, no_glance

BEGIN = datetime(2024, 3, 7, tzinfo=UTC)
PRICES = {"open": 1.5, "high": 2, "low": 1.25, "close": 1.75}
# A week over the beginning of summer time in New York.
BARS = {BEGIN + timedelta(days=n): {**PRICES, "volume": 100 + n} for n in range(6)}
WEEKS = {BEGIN + timedelta(days=7 * n): dict(bar) for n, bar in enumerate(BARS.values())}
MINUTES = {
    BEGIN + timedelta(hours=15, minutes=5 * n): dict(bar) for n, bar in enumerate(BARS.values())
}
FRED_ROWS = [
    {"realtime_start": "x", "realtime_end": "x", "date": f"2024-01-{n:02d}", "value": value}
    for n, value in ((5, "4.05"), (4, "."), (3, "-4.1"), (2, "4"), (1, "0.5"))
]
META = {"1. Information": "x", "2. Symbol": "AAPL", "3. Last Refreshed": "2024-03-17"}
RATE = {
    "1. From_Currency Code": "USD", "3. To_Currency Code": "EUR", "5. Exchange Rate": "0.9",
    "6. Last Refreshed": "2024-01-05 12:00:00", "7. Time Zone": "UTC",
}  # fmt: skip
FRAME = {"result": "success", "base_code": "USD", "time_last_update_unix": 1704488400}


def chart(bars, interval="1d", live=None, symbol="AAPL", **changes):
    """Bars as Yahoo writes them, with a live row and columns changed."""
    value = json.loads(render_yahoo(bars, interval, regularMarketTime=1_710_700_000, symbol=symbol))
    (result,) = value["chart"]["result"]
    quote = result["indicators"]["quote"][0]
    if live is not None:
        result["timestamp"].append(result["timestamp"][-1] + 3600)
        for name, column in quote.items():
            column.append(live.get(name))
    quote.update({name: change(quote[name]) for name, change in changes.items()})
    return json.dumps(value).encode()


def with_gaps(column):
    return [None if n in (1, 3) else each for n, each in enumerate(column)]


def query(function, **params):
    return RequestLine("/query", {"function": function, **params})


PLAIN = {
    "chart": ("yahoo", CHART, chart(BARS)),
    "chart with a live row": ("yahoo", CHART, chart(BARS, live={**PRICES, "close": 1.9})),
    "chart with gaps": (
        "yahoo", CHART, chart(BARS, **dict.fromkeys([*PRICES, "volume"], with_gaps))
    ),
    "chart with a half gap": ("yahoo", CHART, chart(BARS, high=with_gaps)),
    "chart without volumes": ("yahoo", CHART, chart(BARS, volume=lambda column: [None] * 6)),
    "chart of weeks": ("yahoo", CHART, chart(WEEKS, "1wk")),
    "chart within the day": ("yahoo", CHART, chart(MINUTES, "5m")),
    "chart below zero": (
        "yahoo", RequestLine("/v8/finance/chart/CL=F"),
        chart(BARS, symbol="CL=F", low=lambda column: [-37.63, *column[1:]]),
    ),
    "quotes": (
        "yahoo", RequestLine("/v7/finance/quote", {"symbols": "AAPL,MSFT"}),
        b'{"quoteResponse": {"error": null, "result": [{"symbol": "AAPL", "regularMarketPrice":'
        b' 1.5, "regularMarketTime": 1704488400}, {"symbol": "MSFT", "regularMarketPrice": 2,'
        b' "regularMarketTime": 1704488401}]}}',
    ),
    "observations": ("fred", SERIES, json.dumps({"count": 5, "observations": FRED_ROWS}).encode()),
    "observations from the oldest": (
        "fred", SERIES, json.dumps({"observations": FRED_ROWS[::-1]}).encode()
    ),
    "observations of two members": (
        "fred", SERIES, b'{"observations": [{"date": "2024-01-05", "value": "4.05"}]}'
    ),
    "bars": ("polygon", AGGREGATES, render_polygon(BARS)),
    "bars within the day": (
        "polygon", RequestLine("/v2/aggs/ticker/AAPL/range/5/minute/2024-01-01/2024-12-31"),
        render_polygon(MINUTES, "5m"),
    ),
    "bar of the day before": (
        "polygon", RequestLine("/v2/aggs/ticker/AAPL/prev"), render_polygon({BEGIN: BARS[BEGIN]})
    ),
    "daily series": ("alpha_vantage", DAILY, render_alpha_vantage(BARS)),
    "series within the day": ("alpha_vantage", DAILY, render_alpha_vantage(MINUTES, "5m")),
    "currencies": (
        "alpha_vantage", query("FX_DAILY", from_symbol="EUR", to_symbol="USD"),
        json.dumps({
            "Meta Data": {"2. From Symbol": "EUR", "3. To Symbol": "USD",
                          "5. Last Refreshed": "2024-01-05 21:59:00", "6. Time Zone": "UTC"},
            "Time Series FX (Daily)": {
                day: {f"{n}. {name}": "1.5" for n, name in enumerate(PRICES, 1)}
                for day in ("2024-01-05", "2024-01-04")
            },
        }).encode(),
    ),
    "refreshed series": (
        "alpha_vantage", DAILY,
        json.dumps(json.loads(render_alpha_vantage(BARS)) | {"Meta Data": META}).encode(),
    ),
    "global quote": (
        "alpha_vantage", query("GLOBAL_QUOTE", symbol="AAPL"),
        b'{"Global Quote": {"01. symbol": "AAPL", "05. price": "1.5",'
        b' "07. latest trading day": "2024-01-05"}}',
    ),
    "rate": (
        "alpha_vantage",
        query("CURRENCY_EXCHANGE_RATE", from_currency="USD", to_currency="EUR"),
        json.dumps({"Realtime Currency Exchange Rate": RATE}).encode(),
    ),
    "table": (
        "exchange_rate", TABLE,
        json.dumps({**FRAME, "conversion_rates": {"USD": 1, "EUR": 0.9, "JPY": 144}}).encode(),
    ),
    "open table": (
        "exchange_rate", TABLE, json.dumps({**FRAME, "rates": {"USD": 1, "EUR": 0.9}}).encode()
    ),
    "pair": (
        "exchange_rate", RequestLine("/v6/pair/USD/EUR"),
        json.dumps({**FRAME, "target_code": "EUR", "conversion_rate": 0.9}).encode(),
    ),
}  # fmt: skip


def spoken(name: str) -> Spoken:
    provider = PROVIDERS[name]
    assert isinstance(provider, Spoken)
    return provider


def carefully(name: str, response: Response, line: RequestLine) -> tuple[Verdict, Reading | None]:
    return replace(spoken(name), glance=no_glance).examine(response, line)


def assert_told_alike(name: str, response: Response, line: RequestLine) -> None:
    found, wanted = spoken(name).examine(response, line), carefully(name, response, line)
    assert found == wanted
    if found[1] is not None:
        # And of the same kind: the integer 2 equals 2.0, and is stored and shown as another.
        assert all(type(point.value) is float for point in found[1].points)
        assert found[1]._columns == wanted[1]._columns


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_body_is_told_at_a_glance_as_the_careful_look_tells_it(kind):
    name, line, body = PLAIN[kind]
    response = Response(200, {}, body)
    assert spoken(name).glance(response, line) is not None
    assert_told_alike(name, response, line)


# Before 1900 and after 2200 no bar is believed.
MOMENTS = st.integers(-3_000_000_000, 8_000_000_000) | st.sampled_from(
    [-2_208_988_801, -2_208_988_800, -1, 0, 7_258_118_399, 7_258_118_400, 1_710_000_000]
)

# What a body can hold that is nearly what it should hold.
NEARLY = [
    0, -1, 1, 1.5, True, False, None, "", " ", ".", "-", "None", "1.5", "-1.5", " 1.5",
    ".5", "5.", "-0", "0", "1,5", "[1", "2]", "1]", "null", "true", "01", "1_0",
    "1e5", "nan", "+1.5", "1.5.", "9" * 63, "9" * 64, "9" * 400, 2**63, 2**64, 2**70, 10**400,
    1e300, 1.7e308, 5e-324, -0.0, float("nan"), float("inf"), [], {}, [1.5], {"raw": 1.5},
    "2024-01-05", "2024-01-04", "9999-12-31", "2200-01-01", "2024-03-10 02:30:00", "1d", "1wk",
    "1mo", "5m", "error", "OK", "ERROR", "NOT_AUTHORIZED", "AAPL", "MSFT", "usd", "USD",
    1704488400, 1704488400000, -3_000_000_000, 9_999_999_999, "America/New_York", "UTC",
    "Nowhere/Land", "\u0661", "\ud800", "K" * 80,
]  # fmt: skip
nearly = st.sampled_from(NEARLY)
KEYS = [
    "error", "errors", "Error Message", "Information", "Note", "message", "status", "success",
    "code", "count", "rates", "data", "results", "open", "close", "5. volume", "value", "date",
    "realtime_start", "GDP_2020", "chart", "finance", "quoteResponse", "EUR", "eur", "x",
]  # fmt: skip
keys = st.sampled_from(KEYS)


def kinds_of_places(value) -> list[tuple]:
    """A place of each kind: of members of like rows one in the middle stands for all."""
    found: dict[tuple, list[tuple]] = {}
    for place in places(value):
        kind = tuple(0 if isinstance(key, int) or key[:2] == "20" else key for key in place)
        found.setdefault(kind, []).append(place)
    return [like[len(like) // 2] for like in found.values()]


@pytest.mark.parametrize("kind", PLAIN)
def test_whatever_stands_anywhere_in_a_plain_body_the_glance_tells_it_as_the_careful_look(kind):
    name, line, body = PLAIN[kind]
    value = json.loads(body)
    for place in kinds_of_places(value):
        for new in NEARLY:
            other = json.dumps(with_change(value, place, new)).encode()
            assert_told_alike(name, Response(200, {}, other), line)


def with_member(value, place, key, new):
    """A member more in the object at a place; the value itself where there is no object."""
    inner = value
    for step in place:
        inner = inner[step]
    return with_change(value, place, {**inner, key: new}) if isinstance(inner, dict) else value


@pytest.mark.parametrize("kind", PLAIN)
def test_whatever_an_object_holds_besides_the_glance_tells_it_as_the_careful_look(kind):
    name, line, body = PLAIN[kind]
    value = json.loads(body)
    for place in kinds_of_places(value):
        if with_member(value, place, "x", 0) is value:
            continue
        for key in KEYS:
            for new in ("no such symbol", 404, [{"message": "x"}], {"code": "limit reached"}):
                other = json.dumps(with_member(value, place, key, new)).encode()
                assert_told_alike(name, Response(200, {}, other), line)


def without(value, place):
    *outer, last = place
    inner = value
    for step in outer:
        inner = inner[step]
    left = [*inner] if isinstance(inner, list) else dict(inner)
    del left[last]
    return with_change(value, tuple(outer), left)


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, RequestLine, bytes]:
    """A plain body with one to three changes that a provider, or an enemy, might make."""
    name, line, body = draw(st.sampled_from(list(PLAIN.values())))
    value = json.loads(body)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(value)))
        how = draw(st.sampled_from(["change", "add", "drop", "double"]))
        new = draw(nearly | anything)
        if how == "add":
            value = with_member(value, place, draw(keys), new)
        elif how == "drop" and place:
            value = without(value, place)
        elif how == "double" and place and isinstance(place[-1], int) and place[-1] > 0:
            *outer, last = place
            before = value
            for step in [*outer, last - 1]:
                before = before[step]
            value = with_change(value, place, before)
        else:
            value = with_change(value, place, new)
    other = draw(st.booleans() if name == "yahoo" else st.just(False))
    line = draw(st.sampled_from(LINES[name])) if other else line
    return name, line, json.dumps(value).encode()


@settings(max_examples=400, deadline=None)
@given(case=changed())
def test_whatever_is_changed_in_a_plain_body_the_glance_tells_it_as_the_careful_look(case):
    name, line, body = case
    assert_told_alike(name, Response(200, {}, body), line)


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(list(PLAIN)), data=st.data())
def test_whatever_bytes_are_changed_the_glance_tells_it_as_the_careful_look(kind, data):
    name, line, body = PLAIN[kind]
    begin = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(begin, min(len(body), begin + 40)))
    new = data.draw(st.binary(max_size=4) | st.sampled_from([b"{", b"}", b",", b"9", b"NaN", b"-"]))
    assert_told_alike(name, Response(200, {}, body[:begin] + new + body[end:]), line)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_other_good_body_is_told_alike(case):
    name, body = case
    for line in LINES[name]:
        assert_told_alike(name, Response(200, {}, body), line)


@pytest.mark.parametrize("status", [None, 100, 201, 204, 206, 301, 304, 400, 401, 404, 429, 500])
def test_a_glance_is_for_a_200_alone(status):
    for name, line, body in PLAIN.values():
        assert spoken(name).glance(Response(status, {}, body), line) is None
        assert_told_alike(name, Response(status, {}, body), line)
    cut = Response(200, {}, body, no_answer=NoAnswer.TIMEOUT)
    assert spoken(name).glance(cut, line) is None


@given(bars=daily_bars, intraday=intraday_bars())
def test_bars_of_any_days_are_told_alike_by_every_provider(bars, intraday):
    interval, minutes = intraday
    for rows, said in ((bars, "1d"), (minutes, interval)):
        assert_told_alike("yahoo", Response(200, {}, render_yahoo(rows, said)), CHART)
        assert_told_alike("polygon", Response(200, {}, render_polygon(rows, said)), AGGREGATES)
        body = render_alpha_vantage(rows, said)
        assert_told_alike("alpha_vantage", Response(200, {}, body), DAILY)


@given(
    stamps=st.lists(MOMENTS, min_size=1, max_size=6),
    interval=st.sampled_from(["1d", "5d", "1wk", "1mo", "3mo", "1m", "1h"]),
    order=st.sampled_from([sorted, list]),
)
def test_a_chart_of_any_moments_is_told_alike(stamps, interval, order):
    """Out of order, two in one bar, before 1900 or after 2200: all of it is some chart."""
    value = json.loads(render_yahoo(BARS, interval))
    (result,) = value["chart"]["result"]
    result["timestamp"] = order(stamps)
    (quote,) = result["indicators"]["quote"]
    for name, column in quote.items():
        quote[name] = column[: len(stamps)]
    assert_told_alike("yahoo", Response(200, {}, json.dumps(value).encode()), CHART)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded responses are not beside us")
def test_every_recorded_response_is_told_alike_and_many_at_a_glance():
    glanced: Counter[str] = Counter()
    for entry, line, body in recorded():
        for status in {entry["status"], 200}:
            response = Response(status, {}, body)
            assert_told_alike(entry["source"], response, line)
            glanced[entry["source"]] += spoken(entry["source"]).glance(response, line) is not None
    print("\n", dict(glanced))
    # A JSON API is whatever a configuration says: nobody has recorded it.
    assert set(glanced) == set(PROVIDERS) - {"json_api"}
    assert all(glanced.values())


def test_a_body_of_a_quote_asked_for_under_another_path_is_not_told_at_a_glance():
    name, _, body = PLAIN["quotes"]
    for path in ("/v8/finance/chart/AAPL", "/v8/finance/chart/getcrumb", "/v1/test/getcrumb"):
        assert spoken(name).glance(Response(200, {}, body), RequestLine(path)) is None
    assert spoken(name).glance(Response(200, {}, PLAIN["chart"][2]), QUOTE) is None
