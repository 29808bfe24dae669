"""Numbers out of bodies: the same ones from every provider, and none out of a broken body."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_bodies import (
    AGGREGATES,
    CHART,
    DAILY,
    READ,
    SERIES,
    TABLE,
    Bars,
    assert_usable_or_said_why,
    daily_bars,
    intraday_bars,
    prices,
    render_alpha_vantage,
    render_polygon,
    render_yahoo,
)

from healing_pipeline.probing.reading import Point, Reading, Unreadable
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.alpha_vantage import reading as alpha_vantage
from healing_pipeline.providers.bars import interval_named
from healing_pipeline.providers.bodies import NotReadableError
from healing_pipeline.providers.exchange_rate import reading as exchange_rate
from healing_pipeline.providers.fred import reading as fred
from healing_pipeline.providers.polygon import reading as polygon
from healing_pipeline.providers.yahoo import reading as yahoo

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded"


def expected(bars: Bars, interval: str) -> Reading:
    points = sorted(Point(at, name, v) for at, bar in bars.items() for name, v in bar.items())
    return Reading("AAPL", interval, tuple(points), max(bars))


@given(bars=daily_bars)
def test_a_day_is_the_same_day_at_every_provider(bars):
    wanted = expected(bars, "1d")
    assert yahoo.read(render_yahoo(bars), CHART) == wanted
    assert polygon.read(render_polygon(bars), AGGREGATES) == wanted
    assert alpha_vantage.read(render_alpha_vantage(bars), DAILY) == wanted


@given(intraday=intraday_bars())
def test_a_minute_is_the_same_minute_at_every_provider(intraday):
    interval, bars = intraday
    wanted = expected(bars, interval)
    count, unit = (1, "hour") if interval == "1h" else (interval[:-1], "minute")
    path = f"/v2/aggs/ticker/AAPL/range/{count}/{unit}/2004-01-01/2030-01-01"
    assert yahoo.read(render_yahoo(bars, interval), CHART) == wanted
    assert polygon.read(render_polygon(bars, interval), RequestLine(path)) == wanted
    assert alpha_vantage.read(render_alpha_vantage(bars, interval), DAILY) == wanted


@given(rates=st.dictionaries(st.sampled_from(["EUR", "JPY", "GBP", "CHF"]), prices, min_size=1))
def test_a_table_of_rates_is_the_same_table_under_its_three_envelopes(rates):
    at_s = 1_757_462_400  # 2025-09-10 00:00 UTC
    keyed = {"result": "success", "base_code": "USD", "time_last_update_unix": at_s}
    sibling = {"amount": 1, "base": "USD", "date": "2025-09-10", "rates": rates}
    found = [
        exchange_rate.read(json.dumps(body).encode(), line)
        for body, line in [
            ({**keyed, "conversion_rates": rates}, TABLE),
            ({**keyed, "rates": rates}, TABLE),
            (sibling, RequestLine("/v1/latest", {"base": "USD"})),
        ]
    ]
    at = datetime(2025, 9, 10, tzinfo=UTC)
    points = tuple(sorted(Point(at, code, rate) for code, rate in rates.items()))
    assert found == [Reading("USD", "now", points, at)] * 3


@given(values=st.dictionaries(st.dates(), st.none() | st.floats(-1e9, 1e9), max_size=20))
def test_fred_observations_are_read_back_without_the_missing_ones(values):
    known = {day: value for day, value in values.items() if value is not None}
    rows = [
        {"date": day.isoformat(), "value": "." if value is None else repr(value)}
        for day, value in values.items()
        if day.year < 2200
    ]
    wanted = {day: value for day, value in known.items() if day.year < 2200}
    found = fred.read(json.dumps({"observations": rows}).encode(), SERIES)
    if not wanted:
        assert isinstance(found, Unreadable)
        return
    assert {each.at.date(): each.value for each in found.points} == wanted
    assert found.as_of.date() == max(wanted)


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("5min", "5m"), ("60min", "1h"), ("90m", "90m"), ("1hour", "1h"), ("1day", "1d"),
        ("Daily", "1d"), ("1wk", "1w"), ("weekly", "1w"), ("1mo", "1mo"), ("Monthly", "1mo"),
        ("1quarter", "3mo"), ("12month", "1y"), ("30second", "30s"),
    ],
)  # fmt: skip
def test_an_interval_has_one_name_whoever_says_it(said, ours):
    assert interval_named(said) == ours


@pytest.mark.parametrize("said", ["", "0d", "d", "5", "1fortnight", "-1d", "1d1d", "99999m"])
def test_an_interval_without_a_known_name_is_refused(said):
    with pytest.raises(NotReadableError):
        interval_named(said)


SUPPORTED = {
    "yahoo": ("/v8/finance/chart/", "/v7/finance/quote", "/v7/finance/download/"),
    "fred": ("/fred/series/observations",),
    "polygon": ("/v2/aggs/ticker/", "/v2/last/trade/", "/v1/last/stocks/", "/v1/open-close/AAPL"),
    "alpha_vantage": (
        "TIME_SERIES_DAILY", "TIME_SERIES_WEEKLY", "TIME_SERIES_MONTHLY", "GLOBAL_QUOTE", "FX_",
        "CRYPTO_INTRADAY", "DIGITAL_CURRENCY_",
    ),
    "exchange_rate": ("/v6/", "/v1/", "/latest", "/api/", "/2000-01-03"),
}  # fmt: skip


def recorded():
    for text in (RECORDED / "index.jsonl").read_text().splitlines():
        entry = json.loads(text)
        asked = urlsplit(entry["endpoint"].split(" ", 1)[1])
        params = dict(parse_qsl(asked.query))
        if entry["source"] == "fred":  # fredr keeps only a hash of the query
            params.setdefault("series_id", "UNTOLD")
        line = RequestLine(asked.path, params, entry["host"] or "")
        yield entry, line, (RECORDED / entry["body_file"]).read_bytes()


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded responses are not beside us")
def test_every_recorded_good_body_of_a_supported_kind_is_read():
    counts: Counter[str] = Counter()
    for entry, line, body in recorded():
        if entry["kind"] != "ok":
            continue
        source = entry["source"]
        kind = line.params.get("function", "") if source == "alpha_vantage" else line.path
        supported = kind.startswith(SUPPORTED[source])
        counts[f"{source}: {'read' if supported else 'of no supported kind'}"] += 1
        if supported:
            found = READ[source](body, line)
            assert isinstance(found, Reading), (entry["body_file"], found)
            assert_usable_or_said_why(found)
    print("\n", "\n ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
    assert {source: counts[f"{source}: read"] > 0 for source in READ} == dict.fromkeys(READ, True)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded responses are not beside us")
def test_no_recorded_failure_is_read_as_numbers():
    for entry, line, body in recorded():
        if entry["kind"] != "ok":
            found = READ[entry["source"]](body, line)
            assert isinstance(found, Unreadable), (entry["body_file"], found)
