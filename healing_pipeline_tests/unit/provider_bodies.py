"""Bodies as the five providers write them, for tests of what reads them."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.alpha_vantage import reading as alpha_vantage
from healing_pipeline.providers.exchange_rate import reading as exchange_rate
from healing_pipeline.providers.fred import reading as fred
from healing_pipeline.providers.polygon import reading as polygon
from healing_pipeline.providers.yahoo import reading as yahoo

NEW_YORK = ZoneInfo("America/New_York")
READ = {
    "yahoo": yahoo.read,
    "fred": fred.read,
    "polygon": polygon.read,
    "alpha_vantage": alpha_vantage.read,
    "exchange_rate": exchange_rate.read,
}
SHORT = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
Bars = dict[datetime, dict[str, float]]

CHART = RequestLine("/v8/finance/chart/AAPL", {"interval": "1d"})
QUOTE = RequestLine("/v7/finance/quote", {"symbols": "AAPL"})
SERIES = RequestLine("/fred/series/observations", {"series_id": "DGS10"})
AGGREGATES = RequestLine("/v2/aggs/ticker/AAPL/range/1/day/2024-01-01/2024-12-31")
DAILY = RequestLine("/query", {"function": "TIME_SERIES_DAILY", "symbol": "AAPL"})
TABLE = RequestLine("/v6/latest/USD")
LINES = {
    "yahoo": [CHART, QUOTE, RequestLine("/v7/finance/download/AAPL")],
    "fred": [SERIES],
    "polygon": [
        AGGREGATES,
        RequestLine("/v2/aggs/ticker/AAPL/prev"),
        RequestLine("/v1/open-close/AAPL/2024-01-05"),
        RequestLine("/v2/last/trade/AAPL"),
        RequestLine("/v1/last/stocks/AAPL"),
    ],
    "alpha_vantage": [DAILY, RequestLine("/query")],
    "exchange_rate": [TABLE, RequestLine("/v6/pair/USD/EUR"), RequestLine("/v1/latest")],
}


def render_yahoo(bars: Bars, interval: str = "1d", **meta: object) -> bytes:
    """Bars as Yahoo writes them: daily ones begin with the bell at 9:30 in New York."""
    quote = {name: [bar.get(name) for bar in bars.values()] for name in SHORT}
    meta = {
        "symbol": "AAPL",
        "dataGranularity": interval,
        "exchangeTimezoneName": "America/New_York",
        "gmtoffset": -18000,
        **meta,
    }
    result = {
        "meta": meta,
        "timestamp": [seconds(at, interval, time(9, 30)) for at in bars],
        "indicators": {"quote": [quote]},
    }
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


def render_polygon(bars: Bars, interval: str = "1d") -> bytes:
    """Bars as Polygon writes them: daily ones begin at midnight in New York."""
    rows = [
        {"t": 1000 * seconds(at, interval, time(0)), **{SHORT[k]: v for k, v in bar.items()}}
        for at, bar in bars.items()
    ]
    return json.dumps({"ticker": "AAPL", "status": "DELAYED", "results": rows}).encode()


def render_alpha_vantage(bars: Bars, interval: str = "1d") -> bytes:
    """Bars as Alpha Vantage writes them: newest first, as text, intraday in New York's time."""
    said = "Daily" if interval == "1d" else interval.replace("m", "min").replace("1h", "60min")
    rows = {
        f"{at:%Y-%m-%d}" if interval == "1d" else f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}": {
            f"{number}. {name}": repr(bar[name])
            for number, name in enumerate(SHORT, start=1)
            if name in bar
        }
        for at, bar in reversed(bars.items())
    }
    meta = {"1. Information": "x", "2. Symbol": "AAPL", "5. Time Zone": "US/Eastern"}
    return json.dumps({"Meta Data": meta, f"Time Series ({said})": rows}).encode()


def seconds(at: datetime, interval: str, begin: time) -> int:
    if interval == "1d":
        at = datetime.combine(at.date(), begin, tzinfo=NEW_YORK)
    return int(at.timestamp())


prices = st.floats(1e-4, 1e7, allow_subnormal=False)
bar = st.fixed_dictionaries(
    {"open": prices, "high": prices, "low": prices, "close": prices},
    optional={"volume": st.floats(0, 1e12, allow_subnormal=False)},
)
daily_bars = st.dictionaries(st.dates(date(2004, 1, 1), date(2030, 1, 1)), bar, min_size=1).map(
    lambda found: {datetime.combine(day, time(0), UTC): found[day] for day in sorted(found)}
)


@st.composite
def intraday_bars(draw: st.DrawFn) -> tuple[str, Bars]:
    """Bars within one session: 9:30 to 16:00 in New York, so that no local time is ambiguous."""
    minutes = draw(st.sampled_from([1, 5, 15, 30, 60]))
    day = draw(st.dates(date(2004, 1, 1), date(2030, 1, 1)))
    begin = datetime.combine(day, time(9, 30), NEW_YORK).astimezone(UTC)
    found = draw(st.dictionaries(st.integers(0, 390 // minutes - 1), bar, min_size=1, max_size=8))
    interval = "1h" if minutes == 60 else f"{minutes}m"
    return interval, {begin + timedelta(minutes=minutes * n): found[n] for n in sorted(found)}


DAY = datetime(2024, 1, 5, tzinfo=UTC)
ONE_BAR: Bars = {DAY: {"open": 1.5, "high": 2.0, "low": 1.0, "close": 1.75, "volume": 100.0}}
GOOD = {
    "yahoo": [
        render_yahoo(ONE_BAR, regularMarketTime=1704488400),
        b'{"quoteResponse": {"error": null, "result": [{"symbol": "AAPL",'
        b' "regularMarketPrice": 1.5, "regularMarketTime": 1704488400}]}}',
    ],
    "fred": [b'{"observations": [{"date": "2024-01-05", "value": "4.05"}]}'],
    "polygon": [
        render_polygon(ONE_BAR),
        b'{"status": "OK", "symbol": "AAPL", "from": "2024-01-05", "open": 1, "close": 2,'
        b' "last": {"price": 1.5, "timestamp": 1704488400000},'
        b' "results": {"T": "AAPL", "p": 1.5, "t": 1704488400000000000}}',
    ],
    "alpha_vantage": [
        render_alpha_vantage(ONE_BAR),
        b'{"Global Quote": {"01. symbol": "AAPL", "05. price": "1.5",'
        b' "07. latest trading day": "2024-01-05"}}',
        b'{"Realtime Currency Exchange Rate": {"1. From_Currency Code": "USD",'
        b' "3. To_Currency Code": "EUR", "5. Exchange Rate": "0.9",'
        b' "6. Last Refreshed": "2024-01-05 12:00:00", "7. Time Zone": "UTC"}}',
    ],
    "exchange_rate": [
        b'{"result": "success", "base_code": "USD", "time_last_update_unix": 1704488400,'
        b' "conversion_rates": {"USD": 1, "EUR": 0.9}}',
        b'{"result": "success", "base_code": "USD", "target_code": "EUR",'
        b' "time_last_update_unix": 1704488400, "conversion_rate": 0.9}',
        b'{"amount": 1, "base": "USD", "date": "2024-01-05", "rates": {"EUR": 0.9}}',
    ],
}
CASES = [(name, body) for name, bodies in GOOD.items() for body in bodies]


def assert_usable_or_said_why(found: object) -> None:
    if isinstance(found, Unreadable):
        assert found.evidence
        assert found.evidence.isprintable()
        return
    assert isinstance(found, Reading)
    assert found.points == tuple(sorted(found.points))
    assert len({(each.at, each.field) for each in found.points}) == len(found.points) > 0
    for each in found.points:
        assert math.isfinite(each.value)
        assert each.at.tzinfo is UTC
        assert each.value > 0 or each.field in {"value", "volume"}
    assert found.as_of.tzinfo is UTC
    assert found.instrument
    assert found.interval
