"""Asking for less: never for more, and always for the newest end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.providers.alpha_vantage import requests as alpha_vantage
from healing_pipeline.providers.exchange_rate import requests as exchange_rate
from healing_pipeline.providers.fred import requests as fred
from healing_pipeline.providers.polygon import requests as polygon
from healing_pipeline.providers.yahoo import requests as yahoo

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
CHART = "/v8/finance/chart/AAPL"
OBSERVATIONS = "/fred/series/observations"
ALL = {
    "yahoo": yahoo,
    "fred": fred,
    "polygon": polygon,
    "alpha_vantage": alpha_vantage,
    "exchange_rate": exchange_rate,
}


def less(provider: str, path: str, params=None, factor=0.5, over=None):
    endpoint = Endpoint(f"{provider}/x", provider, path, params or {})
    return ALL[provider].smaller(endpoint, over or {}, factor, NOW)


factors = st.floats(0.01, 0.99)
days = st.dates(date(2000, 1, 1), date(2025, 3, 1))


@given(name=st.sampled_from([*yahoo.RANGE_DAYS, "ytd"]), factor=factors)
def test_a_yahoo_range_only_shrinks_and_ends_now_as_before(name, factor):
    found = less("yahoo", CHART, {"range": name, "interval": "1d"}, factor)
    span = {**yahoo.RANGE_DAYS, "ytd": 60}
    if found is None:
        assert name == "1d"
        return
    path, params = found
    assert path == CHART
    assert params.keys() == {"range", "interval"}
    assert span[params["range"]] < span[name]
    longer = [
        d for d in yahoo.RANGE_DAYS.values() if span[params["range"]] < d <= factor * span[name]
    ]
    assert not longer


@given(begin=st.integers(0, NOW_S), end=st.integers(0, 2 * NOW_S), factor=factors)
def test_a_yahoo_period_keeps_its_end(begin, end, factor):
    found = less("yahoo", CHART, {"period1": str(begin), "period2": str(end)}, factor)
    window = min(end, NOW_S) - begin
    if found is None:
        assert window * factor <= 5 * 86_400 + 1
        return
    params = found[1]
    assert params["period2"] == str(end)
    kept = min(end, NOW_S) - int(params["period1"])
    assert kept < window
    assert kept == max(int(window * factor), 5 * 86_400)


@given(begin=days, length=st.integers(0, 4000), factor=factors)
def test_a_polygon_range_keeps_its_end_and_about_the_factor_of_its_days(begin, length, factor):
    end = begin + timedelta(days=length)
    path = f"/v2/aggs/ticker/AAPL/range/1/day/{begin}/{end}"
    found = less("polygon", path, {"adjusted": "true"}, factor)
    asked_days = (min(end, NOW.date()) - begin).days + 1
    if found is None:
        assert asked_days * factor < 6
        return
    *_, new_begin, new_end = found[0].split("/")
    assert new_end == str(end)
    kept = (min(end, NOW.date()) - date.fromisoformat(new_begin)).days + 1
    assert kept < asked_days
    assert kept == max(int(asked_days * factor), 5)
    assert found[1] == {"adjusted": "true"}


@given(rows=st.integers(1, 100_000), factor=factors)
def test_a_fred_limit_only_shrinks_where_the_newest_come_first(rows, factor):
    params = {"series_id": "DGS10", "sort_order": "desc", "limit": str(rows)}
    found = less("fred", OBSERVATIONS, params, factor)
    if found is None:
        assert rows <= 3
        return
    assert int(found[1]["limit"]) == max(int(rows * factor), 3) < rows
    assert {**found[1], "limit": str(rows)} == params


@given(begin=days, end=st.none() | days, limit=st.none() | st.integers(1, 100_000), factor=factors)
def test_a_fred_window_keeps_its_end_its_order_and_its_limit(begin, end, limit, factor):
    params = {"series_id": "GDP", "observation_start": str(begin)}
    params |= {} if end is None else {"observation_end": str(end)}
    params |= {} if limit is None else {"limit": str(limit)}
    found = less("fred", OBSERVATIONS, params, factor)
    last = min(end or NOW.date(), NOW.date())
    window = (last - begin).days + 1
    if found is None:
        assert max(int(window * factor), 220) >= window or (limit or window) < window
        return
    new_begin = date.fromisoformat(found[1]["observation_start"])
    assert begin < new_begin <= last
    assert {**found[1], "observation_start": str(begin)} == params
    # An ascending answer cut by its limit would have lost the newest rows.
    assert limit is None or limit >= window


@given(factor=factors, provider=st.sampled_from(sorted(ALL)), path=st.text(max_size=30))
def test_a_question_without_limit_or_window_is_not_reduced(factor, provider, path):
    assume("observations" not in path and "{today" not in path)
    assert less(provider, path, {"symbols": "AAPL,MSFT"}, factor) is None


@pytest.mark.parametrize("provider", sorted(ALL))
@pytest.mark.parametrize("factor", [0.0, 1.0, -1.0, 2.0, float("nan")])
def test_a_factor_that_reduces_nothing_is_refused(provider, factor):
    with pytest.raises(ValueError, match="between 0 and 1"):
        less(provider, CHART, {"range": "1y"}, factor)


@pytest.mark.parametrize(
    ("provider", "path", "params", "changed"),
    [
        # Half of a year is half a year, half of five days is two and a half: one.
        ("yahoo", CHART, {"range": "1y"}, {"range": "6mo"}),
        ("yahoo", CHART, {"range": "6mo"}, {"range": "3mo"}),
        ("yahoo", CHART, {"range": "3mo"}, {"range": "1mo"}),
        ("yahoo", CHART, {"range": "1mo"}, {"range": "5d"}),
        ("yahoo", CHART, {"range": "5d"}, {"range": "1d"}),
        ("yahoo", CHART, {"range": "ytd"}, {"range": "1mo"}),  # 60 days on 1 March
        # A month of weekly bars reduced to five days might hold none.
        ("yahoo", CHART, {"range": "1mo", "interval": "1wk"}, None),
        ("yahoo", CHART, {"range": "1d"}, None),
        ("yahoo", CHART, {}, None),
        ("yahoo", CHART, {"period1": "x", "period2": "y"}, None),
        ("yahoo", "/v7/finance/quote", {"symbols": "AAPL,MSFT", "range": "1y"}, None),
        # Neither limit nor window: ten years, or a thousand rows where the newest come first.
        ("fred", OBSERVATIONS, {}, {"observation_start": "2020-03-03"}),
        ("fred", OBSERVATIONS, {"sort_order": "desc"}, {"limit": "500"}),
        ("fred", OBSERVATIONS, {"limit": "100"}, None),
        ("fred", OBSERVATIONS, {"observation_start": "{today-90d}"}, None),
        ("fred", OBSERVATIONS, {"observation_start": "soon"}, None),
        ("fred", OBSERVATIONS, {"sort_order": "desc", "limit": "many"}, None),
        ("fred", "/fred/series", {"limit": "100", "sort_order": "desc"}, None),
        ("alpha_vantage", "/query", {"outputsize": "full"}, {"outputsize": "compact"}),
        ("alpha_vantage", "/query", {"outputsize": "compact"}, None),
        ("alpha_vantage", "/query", {}, None),
        ("exchange_rate", "/v6/latest/USD", {}, None),
        ("polygon", "/v2/aggs/ticker/AAPL/prev", {"limit": "10", "sort": "desc"}, None),
    ],
)
def test_what_half_of_a_question_is(provider, path, params, changed):
    found = less(provider, path, params)
    assert found == (None if changed is None else (path, {**params, **changed}))


@pytest.mark.parametrize(
    ("window", "params", "expected"),
    [
        # 31 days from 2025-01-30 to 2025-03-01; int(15.5) stay: from 2025-02-15.
        ("{today-30d}/{today}", {}, ("2025-02-15/2025-03-01", {})),
        ("2025-02-27/2025-03-01", {}, None),
        ("2025-03-01/2025-03-01", {"sort": "desc", "limit": "9"}, ("2025-03-01/2025-03-01", "4")),
        ("2025-03-01/2025-03-01", {"sort": "asc", "limit": "9"}, None),
        ("1735689600000/1738368000000", {}, ("1737028800000/1738368000000", {})),
    ],
)
def test_what_half_of_a_polygon_range_is(window, params, expected):
    begin = "/v2/aggs/ticker/AAPL/range/5/minute/"
    found = less("polygon", begin + window, params)
    if expected is None:
        assert found is None
        return
    path, limit = expected
    assert found == (begin + path, {**params, "limit": limit} if limit else params)


def test_the_readers_own_parameters_count_and_not_only_the_endpoints():
    found = less("yahoo", CHART, {"range": "1d", "interval": "1d"}, over={"range": "1y"})
    assert found == (CHART, {"range": "6mo", "interval": "1d"})


def test_less_of_a_yahoo_period_is_no_range_of_the_endpoints():
    begin, end = NOW_S - 40 * 86_400, NOW_S - 20 * 86_400
    period = {"period1": str(begin), "period2": str(end)}
    found = less("yahoo", CHART, {"range": "1y", "interval": "1d"}, over=period)
    later = str(end - 10 * 86_400)
    assert found == (CHART, {"interval": "1d", "period1": later, "period2": str(end)})
