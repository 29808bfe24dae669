"""Yahoo Finance: chart (v8), quote (v7), CSV download (v7), crumb."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from healing_pipeline.simulator.eastern import (
    DAY_S,
    HOUR_S,
    day_of,
    day_start_s,
    midnight_s,
    offset_s,
)
from healing_pipeline.simulator.market import FIRST_DAY, Market, currency_pair, is_known, seconds_of
from healing_pipeline.simulator.questions import Bars, Fact, Question, Quotes, aligned_starts
from healing_pipeline.simulator.upstreams.contract import (
    TEXT,
    Answer,
    Ask,
    json_answer,
    text_answer,
    with_renamed_keys,
)
from healing_pipeline.simulator.upstreams.yahoo_crumb import CRUMB_PATH, crumb_of
from healing_pipeline.simulator.upstreams.yahoo_refusals import (
    ATS,
    CHART,
    DOWNLOAD,
    QUOTE,
    error,
    no_symbol,
    refusal,
)

LENGTHS: Mapping[str, int] = {
    "1m": 60, "2m": 120, "5m": 300, "15m": 900, "30m": 1800, "60m": HOUR_S, "1h": HOUR_S,
    "1d": DAY_S,
}  # fmt: skip
_RANGE_DAYS: Mapping[str, int] = {
    "1d": 1, "5d": 5, "1mo": 30, "3mo": 91, "6mo": 182, "1y": 365, "2y": 730, "5y": 1826,
    "10y": 3652,
}  # fmt: skip
_VALID_RANGES = [*_RANGE_DAYS, "ytd", "max"]


def _reach_days(length_s: int) -> int:
    """How far back Yahoo keeps bars of a length."""
    return 30 if length_s == 60 else 60 if length_s < HOUR_S else 730


def question(ask: Ask, now: datetime) -> Question | Answer:
    """What a request asks for, or Yahoo's refusal."""
    if ask.path.startswith(CHART):
        return _bars_asked(ask, ask.path.removeprefix(CHART).upper(), now)
    if ask.path.startswith(DOWNLOAD):
        return _bars_asked(ask, ask.path.removeprefix(DOWNLOAD).upper(), now)
    if ask.path == QUOTE:
        names = [name for name in ask.params.get("symbols", "").upper().split(",") if name]
        if not names:
            return error(ask, 400, "Bad Request", "Missing required query parameter=symbols")
        return Quotes(tuple(names))
    if ask.path == CRUMB_PATH:
        return Fact("crumb")
    return error(ask, 404, "Not Found", "HTTP 404 Not Found")


def _bars_asked(ask: Ask, symbol: str, now: datetime) -> Question | Answer:
    if not is_known(symbol):
        return no_symbol(ask)
    interval = ask.params.get("interval", "1d")
    if interval not in LENGTHS:
        valid = "[1m, 2m, 5m, 15m, 30m, 60m, 90m, 1h, 4h, 1d, 5d, 1wk, 1mo, 3mo]"
        said = f"Invalid input - interval={interval} is not supported. Valid intervals: {valid}"
        return error(ask, 422, "Unprocessable Entity", said)
    length_s, now_s = LENGTHS[interval], seconds_of(now)
    window = _window_s(ask.params, length_s, now)
    if isinstance(window, str):
        return error(ask, 400, "Bad Request", window)
    first_s, last_s = window
    if length_s < DAY_S and first_s < now_s - (_reach_days(length_s) + 1) * DAY_S:
        said = (
            f"{interval} data not available for startTime={first_s} and endTime={last_s}. "
            f"The requested range must be within the last {_reach_days(length_s)} days."
        )
        return error(ask, 422, "Unprocessable Entity", said)
    starts = aligned_starts(max(first_s, day_start_s(FIRST_DAY)), min(last_s, now_s), length_s)
    return Bars(symbol, length_s, starts, max(1, (last_s - first_s) // length_s + 1))


def _window_s(params: Mapping[str, str], length_s: int, now: datetime) -> tuple[int, int] | str:
    """First and last second asked for, or what is wrong with the request."""
    now_s = seconds_of(now)
    if "period1" in params:
        try:
            first_s, last_s = int(params["period1"]), int(params.get("period2", now_s)) - 1
        except ValueError:
            return "Invalid input - period1 and period2 must be integers"
        if first_s > last_s:
            return "Invalid input - start date cannot be after end date."
        return first_s - first_s % length_s, last_s
    asked = params.get("range", "1d")
    if asked == "max":
        return day_start_s(FIRST_DAY), now_s
    if asked == "ytd":
        return day_start_s(date(now.year, 1, 1)), now_s
    if asked not in _RANGE_DAYS:
        valid = ", ".join(_VALID_RANGES)
        return f"Invalid input - range={asked} is not supported. Valid ranges: [{valid}]"
    # A day that never closes: its window rolls, so that no minute of the day has an empty chart.
    return now_s - now_s % length_s - _RANGE_DAYS[asked] * DAY_S + length_s, now_s


def render(ask: Ask, question: Question, market: Market, now: datetime) -> Answer:
    """The healthy body as of `now`."""
    if isinstance(question, Bars):
        if ask.path.startswith(DOWNLOAD):
            return _csv(question, market, now)
        return _chart(ask, question, market, now)
    if isinstance(question, Quotes):
        known = [_quote(name, market, now) for name in question.symbols if is_known(name)]
        return json_answer(200, {"quoteResponse": {"result": known, "error": None}}, headers=ATS)
    return text_answer(200, crumb_of(market.seed, seconds_of(now)), TEXT, ATS)


def stamp_s(start_s: int, length_s: int) -> int:
    """Yahoo's timestamp of a bar: for a day the opening bell of that date in New York."""
    if length_s < DAY_S:
        return start_s
    return midnight_s(day_of(start_s)) + 9 * HOUR_S + 1800


def _meta(question: Bars, ask: Ask, market: Market, now: datetime) -> dict[str, object]:
    now_s, symbol = seconds_of(now), question.symbol
    today = market.day_bar(symbol, now.date(), now)
    yesterday = market.bar(symbol, today.start_s - DAY_S, DAY_S, now_s)
    opens_s = stamp_s(today.start_s, DAY_S)
    zone = {"timezone": _zone(now_s), "gmtoffset": offset_s(now_s)}
    return {
        "currency": _currency(symbol),
        "symbol": symbol,
        "exchangeName": "NMS",
        "fullExchangeName": "NasdaqGS",
        "instrumentType": "CURRENCY" if currency_pair(symbol) else "EQUITY",
        "firstTradeDate": stamp_s(day_start_s(FIRST_DAY), DAY_S),
        "regularMarketTime": now_s,
        "hasPrePostMarketData": True,
        **zone,
        "exchangeTimezoneName": "America/New_York",
        "regularMarketPrice": today.close,
        "regularMarketDayHigh": today.high,
        "regularMarketDayLow": today.low,
        "regularMarketVolume": today.volume,
        "longName": f"{symbol} Simulated",
        "shortName": f"{symbol} Simulated",
        "chartPreviousClose": yesterday.close,
        "previousClose": yesterday.close,
        "scale": 3,
        "priceHint": 2,
        "currentTradingPeriod": {
            name: {**zone, "start": opens_s + begin, "end": opens_s + end}
            for name, begin, end in (
                ("pre", -19800, 0),
                ("regular", 0, 23400),
                ("post", 23400, 37800),
            )
        },
        "dataGranularity": ask.params.get("interval", "1d"),
        "range": "" if "period1" in ask.params else ask.params.get("range", "1d"),
        "validRanges": _VALID_RANGES,
    }


def _chart(ask: Ask, question: Bars, market: Market, now: datetime) -> Answer:
    meta = _meta(question, ask, market, now)
    now_s, length_s = seconds_of(now), question.length_s
    bars = [market.bar(question.symbol, at_s, length_s, now_s) for at_s in question.starts_s]
    if not bars:
        indicators: dict[str, object] = {"quote": [{}]}
        return _chart_body({"meta": meta, "indicators": indicators})
    closes = [bar.close for bar in bars]
    indicators = {
        "quote": [
            {
                "open": [bar.open for bar in bars],
                "high": [bar.high for bar in bars],
                "low": [bar.low for bar in bars],
                "close": closes,
                "volume": [bar.volume for bar in bars],
            }
        ]
    }
    if question.is_daily:
        indicators["adjclose"] = [{"adjclose": closes}]
    stamps = [stamp_s(bar.start_s, length_s) for bar in bars]
    return _chart_body({"meta": meta, "timestamp": stamps, "indicators": indicators})


def _chart_body(result: dict[str, object]) -> Answer:
    return json_answer(200, {"chart": {"result": [result], "error": None}}, headers=ATS)


def _quote(symbol: str, market: Market, now: datetime) -> dict[str, object]:
    now_s = seconds_of(now)
    today = market.day_bar(symbol, now.date(), now)
    before = market.bar(symbol, today.start_s - DAY_S, DAY_S, now_s).close
    return {
        "language": "en-US",
        "region": "US",
        "quoteType": "CURRENCY" if currency_pair(symbol) else "EQUITY",
        "quoteSourceName": "Delayed Quote",
        "triggerable": True,
        "marketState": "REGULAR",
        "currency": _currency(symbol),
        "exchange": "NMS",
        "shortName": f"{symbol} Simulated",
        "exchangeTimezoneName": "America/New_York",
        "exchangeTimezoneShortName": _zone(now_s),
        "gmtOffSetMilliseconds": offset_s(now_s) * 1000,
        "regularMarketChangePercent": round((today.close / before - 1) * 100, 6),
        "regularMarketPrice": today.close,
        "regularMarketChange": round(today.close - before, 4),
        "regularMarketTime": now_s,
        "regularMarketOpen": today.open,
        "regularMarketDayHigh": today.high,
        "regularMarketDayLow": today.low,
        "regularMarketVolume": today.volume,
        "regularMarketPreviousClose": before,
        "sourceInterval": 15,
        "exchangeDataDelayedBy": 0,
        "tradeable": False,
        "priceHint": 2,
        "symbol": symbol,
    }


def _csv(question: Bars, market: Market, now: datetime) -> Answer:
    lines = ["Date,Open,High,Low,Close,Adj Close,Volume"]
    now_s = seconds_of(now)
    for at_s in question.starts_s:
        bar = market.bar(question.symbol, at_s, question.length_s, now_s)
        prices = ",".join(
            f"{each:.6f}" for each in (bar.open, bar.high, bar.low, bar.close, bar.close)
        )
        lines.append(f"{day_of(at_s).isoformat()},{prices},{bar.volume}")
    return text_answer(200, "\n".join(lines), "text/csv", ATS)


def _zone(at_s: int) -> str:
    return "EDT" if offset_s(at_s) == -4 * HOUR_S else "EST"


def _currency(symbol: str) -> str:
    pair = currency_pair(symbol)
    return pair[1] if pair else "USD"


def _empty(ask: Ask, now: datetime) -> Answer:
    if ask.path.startswith(DOWNLOAD):
        return text_answer(200, "Date,Open,High,Low,Close,Adj Close,Volume", "text/csv", ATS)
    if ask.path == QUOTE:
        return json_answer(200, {"quoteResponse": {"result": [], "error": None}}, headers=ATS)
    symbol = ask.path.removeprefix(CHART).upper()
    return _chart(ask, Bars(symbol, DAY_S, (), 1), Market(0), now)


def failure(kind: str, ask: Ask, now: datetime, variant: int) -> Answer:
    """Yahoo's form of a failure; its quote endpoint answers nothing for a symbol it lost."""
    if kind == "empty" or (kind == "not_found" and ask.path == QUOTE):
        return _empty(ask, now)
    return refusal(kind, ask, variant)


def wrong_schema(answer: Answer) -> Answer:
    """A redesign: parallel arrays and quote fields under other names."""
    names = {
        "timestamp": "time", "quote": "ohlc", "adjclose": "", "regularMarketPrice": "lastPrice",
        "regularMarketTime": "lastTime", "close": "c", "open": "o", "high": "h", "low": "l",
        "regularMarketOpen": "", "regularMarketPreviousClose": "",
    }  # fmt: skip
    return with_renamed_keys(answer, names)
