"""Clients that people use, behind the gateway: healthy, and while the provider fails.

Each changes one setting, its base URL. What they parse is compared with what the simulator says to
anybody who asks it directly.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from test_gateway_process import running_gateway

from healing_pipeline.simulator.control import running_simulator

pytestmark = pytest.mark.processes

# The simulated exchange never closes; its newest bar grows while it is looked at.
LIVE_TOLERANCE = 0.02


@pytest.fixture(scope="module")
def simulator():
    with running_simulator(seed=8, quotas="off") as running:
        yield running


@pytest.fixture(scope="module")
def gateway(simulator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients")
    # Unmetered: with Polygon's five calls a minute most of the time would go by waiting.
    with running_gateway(simulator, folder, metered=False) as running:
        yield running


@pytest.fixture(autouse=True)
def calm(simulator, gateway):
    simulator.control.clear_faults()
    yield
    simulator.control.clear_faults()
    # What a test tripped (a breaker) is closed again before the next begins.
    until = time.monotonic() + 60
    for endpoint in (
        "yahoo/chart-aapl-1d",
        "fred/dgs10",
        "polygon/prev-aapl",
        "alpha_vantage/daily-ibm",
    ):
        while (
            httpx.get(f"{gateway.url}/v1/{endpoint}").headers.get("x-healing-strategy") != "plain"
        ):
            assert time.monotonic() < until, f"{endpoint} does not get well"
            time.sleep(0.25)


@contextmanager
def third_partys_warnings() -> Iterator[None]:
    """Old habits of pandas in a client's own code are no fault of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def direct(simulator, source: str, host: str, target: str, **headers: str):
    answer = httpx.get(simulator.addresses[source, host] + target, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def labels(gateway, target: str) -> httpx.Headers:
    return httpx.get(gateway.url + target).headers


# polygon-api-client -----------------------------------------------------------------------------


def polygon(gateway):
    from polygon import RESTClient

    return RESTClient(api_key="a key of their own", base=f"{gateway.url}/proxy/polygon", retries=0)


def polygon_bars(gateway):
    today = datetime.now(UTC).date()
    return polygon(gateway).get_aggs(
        "AAPL", 1, "day", str(today - timedelta(days=90)), str(today), sort="asc", limit=5000
    )


def test_polygons_client_reads_bars_and_yesterday(gateway, simulator):
    bars = polygon_bars(gateway)
    assert len(bars) > 60
    assert [each.timestamp for each in bars] == sorted(each.timestamp for each in bars)
    said = direct(
        simulator,
        "polygon",
        "polygon",
        "/v2/aggs/ticker/AAPL/prev?adjusted=true&apiKey=" + simulated_key("polygon"),
    )
    (yesterday,) = polygon(gateway).get_previous_close_agg("AAPL")
    assert yesterday.close == said["results"][0]["c"]


def test_polygons_client_is_healed_by_another_provider_in_polygons_own_form(gateway, simulator):
    before = polygon_bars(gateway)
    simulator.control.add_fault({"match": {"source": "polygon"}, "fault": "server_error"})
    after = polygon_bars(gateway)
    assert [each.timestamp for each in after[-30:]] == [each.timestamp for each in before[-30:]]
    for old, new in zip(before[-30:-1], after[-30:-1], strict=True):
        assert new.close == pytest.approx(old.close, rel=LIVE_TOLERANCE)
    said = labels(gateway, "/v1/polygon/aggs-aapl-1d")
    assert said["x-healing-strategy"] != "plain"
    assert said["x-healing-fidelity"] in {"exact", "stale", "coarser"}


# fredapi ----------------------------------------------------------------------------------------


@pytest.fixture
def fred(gateway, monkeypatch):
    from fredapi import Fred

    monkeypatch.setattr(Fred, "root_url", f"{gateway.url}/proxy/fred/fred")
    return Fred(api_key="a" * 32)


def test_fredapi_reads_a_whole_series_in_its_own_order(fred, simulator):
    series = fred.get_series("DGS10")
    assert len(series) > 1000
    assert series.index.is_monotonic_increasing
    said = direct(
        simulator,
        "fred",
        "api",
        "/fred/series/observations?series_id=DGS10&file_type=json&limit=5&sort_order=desc"
        "&api_key=" + simulated_key("fred"),
    )
    newest = next(each for each in said["observations"] if each["value"] != ".")
    assert str(series.index[-1].date()) == newest["date"]
    assert series.iloc[-1] == float(newest["value"])


def test_fredapi_reads_a_window(fred):
    begin = datetime.now(UTC).date() - timedelta(days=120)
    series = fred.get_series("DGS10", observation_start=begin)
    assert 60 < len(series) < 125
    assert series.index[0].date() >= begin


def test_fredapi_is_healed_with_the_window_it_read_before(fred, simulator):
    before = fred.get_series("UNRATE")
    simulator.control.add_fault({"match": {"source": "fred"}, "fault": "server_error"})
    after = fred.get_series("UNRATE")
    assert after.equals(before)


def test_fredapi_shows_the_message_where_there_is_no_data(fred):
    with pytest.raises(ValueError, match="To have it healed, add it to `endpoints`"):
        fred.get_series("NOBODYS")


# alpha_vantage ----------------------------------------------------------------------------------


@pytest.fixture
def alpha_vantage(gateway, monkeypatch):
    from alpha_vantage.alphavantage import AlphaVantage

    url = f"{gateway.url}/proxy/alpha_vantage/query?"
    monkeypatch.setattr(AlphaVantage, "_ALPHA_VANTAGE_API_URL", url)
    return "A KEY OF THEIR OWN"


def alpha_vantage_daily(key):
    from alpha_vantage.timeseries import TimeSeries

    client = TimeSeries(key=key, output_format="pandas", treat_info_as_error=True)
    with third_partys_warnings():
        frame, about = client.get_daily("IBM", outputsize="compact")
    return frame, about


def test_alpha_vantages_client_reads_bars_a_quote_and_a_rate(alpha_vantage):
    from alpha_vantage.foreignexchange import ForeignExchange
    from alpha_vantage.timeseries import TimeSeries

    frame, about = alpha_vantage_daily(alpha_vantage)
    assert len(frame) == 100
    assert about["2. Symbol"] == "IBM"
    quote, _ = TimeSeries(key=alpha_vantage, treat_info_as_error=True).get_quote_endpoint("IBM")
    assert float(quote["05. price"]) == pytest.approx(frame["4. close"].iloc[0], rel=LIVE_TOLERANCE)
    rate, _ = ForeignExchange(key=alpha_vantage).get_currency_exchange_rate("USD", "EUR")
    assert 0.2 < float(rate["5. Exchange Rate"]) < 5


def test_alpha_vantages_client_never_meets_an_error_in_a_200(alpha_vantage, simulator):
    """It raises on `Information` only when told to; behind the gateway there is none to meet."""
    before, _ = alpha_vantage_daily(alpha_vantage)
    simulator.control.add_fault({"match": {"source": "alpha_vantage"}, "fault": "quota_exhausted"})
    after, _ = alpha_vantage_daily(alpha_vantage)
    assert list(after.columns) == list(before.columns)
    assert list(after.index[:50]) == list(before.index[:50])
    closes = after["4. close"].iloc[1:50].to_numpy()
    assert closes == pytest.approx(before["4. close"].iloc[1:50].to_numpy(), rel=LIVE_TOLERANCE)


# yfinance ---------------------------------------------------------------------------------------


@pytest.fixture
def yfinance(gateway, monkeypatch, tmp_path):
    """yfinance with the gateway for a host; it has no setting for that, only module constants."""
    with third_partys_warnings():
        import yfinance
        import yfinance.base
        import yfinance.data
        import yfinance.scrapers.history

    yfinance.set_tz_cache_location(str(tmp_path / "yfinance"))
    for module in (yfinance.base, yfinance.scrapers.history):
        monkeypatch.setattr(module, "_BASE_URL_", f"{gateway.url}/proxy/yahoo")
    # Sessions are the gateway's business: no cookie and no crumb of its own.
    monkeypatch.setattr(
        yfinance.data.YfData, "_get_cookie_and_crumb", lambda self, timeout=30: (None, "basic")
    )
    hidden, yfinance.config.debug.hide_exceptions = yfinance.config.debug.hide_exceptions, False
    yield yfinance
    yfinance.config.debug.hide_exceptions = hidden


def history(yfinance, symbol: str, **window: str):
    with third_partys_warnings():
        return yfinance.Ticker(symbol).history(interval="1d", **window)


def test_yfinance_reads_history(yfinance, simulator):
    frame = history(yfinance, "AAPL", period="3mo")
    assert len(frame) > 60
    assert {"Open", "High", "Low", "Close", "Volume"} <= set(frame.columns)
    said = direct(simulator, "yahoo", "query1", "/v8/finance/chart/AAPL?interval=1d&range=3mo")[
        "chart"
    ]["result"][0]
    closes = said["indicators"]["quote"][0]["close"]
    assert frame["Close"].iloc[-2] == pytest.approx(closes[-2], rel=1e-9)


def test_yfinance_is_healed_where_it_would_have_been_given_an_empty_frame(yfinance, simulator):
    before = history(yfinance, "MSFT", period="3mo")
    simulator.control.add_fault({"match": {"source": "yahoo"}, "fault": "bot_block"})
    after = history(yfinance, "MSFT", period="3mo")
    assert len(after) == len(before) > 60
    assert after["Close"].iloc[-2] == pytest.approx(before["Close"].iloc[-2], rel=1e-9)


def test_yfinance_reads_the_window_between_two_dates(yfinance, simulator):
    today = datetime.now(UTC).date()
    start, end = today - timedelta(days=60), today - timedelta(days=30)
    window = {"start": str(start), "end": str(end)}
    before = history(yfinance, "AAPL", **window)
    days = [each.date() for each in before.index]
    assert start <= days[0] < start + timedelta(days=5)
    assert end - timedelta(days=5) < days[-1] < end
    # The endpoint's own `range` did not go along: Yahoo lets it win.
    sent = simulator.control.log()[-1]
    assert sent["path"] == "/v8/finance/chart/AAPL"
    assert {"period1", "period2"} <= sent["params"].keys()
    assert "range" not in sent["params"]
    simulator.control.add_fault({"match": {"source": "yahoo"}, "fault": "bot_block"})
    after = history(yfinance, "AAPL", **window)
    assert list(after.index) == list(before.index)
    assert after["Close"].to_numpy() == pytest.approx(before["Close"].to_numpy(), rel=1e-9)


def test_yfinance_reads_from_a_date_to_now(yfinance):
    start = datetime.now(UTC).date() - timedelta(days=20)
    days = [each.date() for each in history(yfinance, "MSFT", start=str(start)).index]
    assert start <= days[0] < start + timedelta(days=5)
    assert days[-1] >= start + timedelta(days=15)


def simulated_key(source: str) -> str:
    from healing_pipeline.simulator.keys import default_keys

    return default_keys()[source, "primary"]
