"""Alpha Vantage: one path, many functions, errors with status 200."""

from __future__ import annotations

from datetime import datetime

from healing_pipeline.simulator.eastern import (
    DAY_S,
    day_of,
    day_start_s,
    is_repeated_hour,
    offset_s,
)
from healing_pipeline.simulator.market import (
    CURRENCIES,
    FIRST_DAY,
    Bar,
    Market,
    is_known,
    moment,
    seconds_of,
)
from healing_pipeline.simulator.questions import Bars, Question, Quotes, Rates, aligned_starts
from healing_pipeline.simulator.upstreams.alpha_vantage_refusals import failure, invalid_call, said
from healing_pipeline.simulator.upstreams.contract import (
    HTML,
    Answer,
    Ask,
    text_answer,
    with_renamed_keys,
)

_INTERVALS_S = {"1min": 60, "5min": 300, "15min": 900, "30min": 1800, "60min": 3600}
_COMPACT = 100


def question(ask: Ask, now: datetime) -> Question | Answer:
    """What a request asks for, or Alpha Vantage's refusal."""
    if ask.path != "/query":
        return text_answer(404, "<h1>Not Found</h1>", HTML)
    function = ask.params.get("function", "")
    symbol = ask.params.get("symbol", "").upper()
    if function == "TIME_SERIES_DAILY" and is_known(symbol):
        return _bars(ask, symbol, DAY_S, now)
    if function == "TIME_SERIES_INTRADAY" and is_known(symbol):
        length_s = _INTERVALS_S.get(ask.params.get("interval", ""))
        return invalid_call(function) if length_s is None else _bars(ask, symbol, length_s, now)
    if function == "GLOBAL_QUOTE" and symbol:
        return Quotes((symbol,)) if is_known(symbol) else said({"Global Quote": {}})
    if function in ("FX_DAILY", "CURRENCY_EXCHANGE_RATE"):
        return _pair_asked(ask, function, now)
    if function in ("TIME_SERIES_DAILY_ADJUSTED", "FX_INTRADAY"):
        return failure("plan_limit", ask, now, 0)
    if function in ("TIME_SERIES_DAILY", "TIME_SERIES_INTRADAY", "GLOBAL_QUOTE"):
        return invalid_call(function)
    return said({"Error Message": f"This API function ({function}) does not exist."})


def _bars(ask: Ask, symbol: str, length_s: int, now: datetime) -> Bars:
    now_s = seconds_of(now)
    compact = ask.params.get("outputsize", "compact") != "full"
    if length_s == DAY_S:
        rows = _COMPACT if compact else (now.date() - FIRST_DAY).days + 1
    else:
        rows = _COMPACT if compact else 30 * DAY_S // length_s
    first_s = max(now_s - now_s % length_s - (rows - 1) * length_s, day_start_s(FIRST_DAY))
    starts = [
        at_s
        for at_s in aligned_starts(first_s, now_s, length_s)
        # Rows are keyed by wall clock, so the hour that the clock shows twice cannot be told apart.
        if length_s == DAY_S or not is_repeated_hour(at_s)
    ]
    return Bars(symbol, length_s, tuple(reversed(starts)), rows)


def _pair_asked(ask: Ask, function: str, now: datetime) -> Question | Answer:
    daily = function == "FX_DAILY"
    names = ("from_symbol", "to_symbol") if daily else ("from_currency", "to_currency")
    base, quote = (ask.params.get(name, "").upper() for name in names)
    if base not in CURRENCIES or quote not in CURRENCIES:
        return invalid_call(function)
    return _bars(ask, f"C:{base}{quote}", DAY_S, now) if daily else Rates(base, (quote,))


def render(ask: Ask, question: Question, market: Market, now: datetime) -> Answer:
    """The healthy body as of `now`."""
    if isinstance(question, Quotes):
        return _global_quote(question.symbols[0], market, now)
    if isinstance(question, Rates):
        return _exchange_rate(question, market, now)
    assert isinstance(question, Bars)
    now_s = seconds_of(now)
    bars = [
        market.bar(question.symbol, at_s, question.length_s, now_s) for at_s in question.starts_s
    ]
    if ask.params.get("function") == "FX_DAILY":
        return _fx_daily(ask, bars, now)
    if question.is_daily:
        return _daily(ask, question.symbol, bars)
    return _intraday(ask, question.symbol, bars)


def _numbers(bar: Bar) -> dict[str, str]:
    prices = {"1. open": bar.open, "2. high": bar.high, "3. low": bar.low, "4. close": bar.close}
    return {name: f"{price:.4f}" for name, price in prices.items()}


def _with_volume(bar: Bar) -> dict[str, str]:
    return {**_numbers(bar), "5. volume": str(bar.volume)}


def _daily(ask: Ask, symbol: str, bars: list[Bar]) -> Answer:
    rows = {day_of(bar.start_s).isoformat(): _with_volume(bar) for bar in bars}
    meta = {
        "1. Information": "Daily Prices (open, high, low, close) and Volumes",
        "2. Symbol": symbol,
        "3. Last Refreshed": next(iter(rows)),
        "4. Output Size": _output_size(ask),
        "5. Time Zone": "US/Eastern",
    }
    return said({"Meta Data": meta, "Time Series (Daily)": rows})


def _intraday(ask: Ask, symbol: str, bars: list[Bar]) -> Answer:
    rows = {_eastern(bar.start_s): _with_volume(bar) for bar in bars}
    interval = ask.params["interval"]
    meta = {
        "1. Information": f"Intraday ({interval}) open, high, low, close prices and volume",
        "2. Symbol": symbol,
        "3. Last Refreshed": next(iter(rows), ""),
        "4. Interval": interval,
        "5. Output Size": _output_size(ask),
        "6. Time Zone": "US/Eastern",
    }
    return said({"Meta Data": meta, f"Time Series ({interval})": rows})


def _fx_daily(ask: Ask, bars: list[Bar], now: datetime) -> Answer:
    rows = {
        day_of(bar.start_s).isoformat(): {
            "1. open": rate_text(bar.open),
            "2. high": rate_text(bar.high),
            "3. low": rate_text(bar.low),
            "4. close": rate_text(bar.close),
        }
        for bar in bars
    }
    meta = {
        "1. Information": "Forex Daily Prices (open, high, low, close)",
        "2. From Symbol": ask.params["from_symbol"].upper(),
        "3. To Symbol": ask.params["to_symbol"].upper(),
        "4. Output Size": _output_size(ask),
        "5. Last Refreshed": f"{now:%Y-%m-%d %H:%M:%S}",
        "6. Time Zone": "UTC",
    }
    return said({"Meta Data": meta, "Time Series FX (Daily)": rows})


def _global_quote(symbol: str, market: Market, now: datetime) -> Answer:
    today = market.day_bar(symbol, now.date(), now)
    before = market.bar(symbol, today.start_s - DAY_S, DAY_S, seconds_of(now)).close
    quote = {
        "01. symbol": symbol,
        "02. open": f"{today.open:.4f}",
        "03. high": f"{today.high:.4f}",
        "04. low": f"{today.low:.4f}",
        "05. price": f"{today.close:.4f}",
        "06. volume": str(today.volume),
        "07. latest trading day": now.date().isoformat(),
        "08. previous close": f"{before:.4f}",
        "09. change": f"{today.close - before:.4f}",
        "10. change percent": f"{(today.close / before - 1) * 100:.4f}%",
    }
    return said({"Global Quote": quote})


def _exchange_rate(question: Rates, market: Market, now: datetime) -> Answer:
    base, quote = question.base, question.quotes[0]
    rate = rate_text(market.rate(base, quote, now), 8)
    fields = {
        "1. From_Currency Code": base,
        "2. From_Currency Name": f"{base} Currency",
        "3. To_Currency Code": quote,
        "4. To_Currency Name": f"{quote} Currency",
        "5. Exchange Rate": rate,
        "6. Last Refreshed": f"{now:%Y-%m-%d %H:%M:%S}",
        "7. Time Zone": "UTC",
        "8. Bid Price": rate,
        "9. Ask Price": rate,
    }
    return said({"Realtime Currency Exchange Rate": fields})


def rate_text(rate: float, at_least: int = 5) -> str:
    """A rate as Alpha Vantage writes it: 5 decimals or more, enough for 6 digits that count."""
    places = at_least
    while places < 12 and rate * 10**places < 100_000:
        places += 1
    return f"{rate:.{places}f}"


def _eastern(at_s: int) -> str:
    return f"{moment(at_s + offset_s(at_s)):%Y-%m-%d %H:%M:%S}"


def _output_size(ask: Ask) -> str:
    return "Full size" if ask.params.get("outputsize") == "full" else "Compact"


def wrong_schema(answer: Answer) -> Answer:
    """A redesign: names without their numbers."""
    names = {
        "Time Series (Daily)": "daily", "Time Series FX (Daily)": "fx_daily",
        **{f"Time Series ({name})": "intraday" for name in _INTERVALS_S},
        "1. open": "open", "2. high": "high", "3. low": "low", "4. close": "close",
        "5. volume": "volume", "Global Quote": "quote", "05. price": "price",
        "Realtime Currency Exchange Rate": "rate", "5. Exchange Rate": "exchange_rate",
    }  # fmt: skip
    return with_renamed_keys(answer, names)


__all__ = ["failure", "question", "render", "wrong_schema"]
