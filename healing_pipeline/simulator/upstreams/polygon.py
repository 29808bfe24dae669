"""Polygon.io (now Massive): aggregates, previous close, last trade."""

from __future__ import annotations

import re
from datetime import date, datetime

from healing_pipeline.simulator.eastern import DAY_S, HOUR_S, day_of, day_start_s, midnight_s
from healing_pipeline.simulator.market import (
    FIRST_DAY,
    Bar,
    Market,
    is_known,
    seconds_of,
)
from healing_pipeline.simulator.noise import seed_of, unit
from healing_pipeline.simulator.questions import Bars, Question, Quotes, aligned_starts
from healing_pipeline.simulator.upstreams import pages
from healing_pipeline.simulator.upstreams.contract import (
    Answer,
    Ask,
    json_answer,
    request_id,
    whole_number,
    with_renamed_keys,
)

_RANGE = re.compile(r"/v2/aggs/ticker/([^/]+)/range/([^/]+)/([^/]+)/([^/]+)/([^/]+)")
_PREVIOUS = re.compile(r"/v2/aggs/ticker/([^/]+)/prev")
_TRADE = re.compile(r"/v2/last/trade/([^/]+)")
_UNITS_S = {"minute": 60, "hour": HOUR_S, "day": DAY_S}
_PRICING = "https://massive.com/pricing"


def question(ask: Ask, now: datetime) -> Question | Answer:
    """What a request asks for, or Polygon's refusal."""
    found = (
        _RANGE.fullmatch(ask.path) or _PREVIOUS.fullmatch(ask.path) or _TRADE.fullmatch(ask.path)
    )
    if found is None:
        return _plain(404, {"error": "404 page not found"})
    ticker = found[1]
    if not is_known(ticker):
        return _no_ticker(ask, now)
    if found.re is _TRADE:
        return Quotes((ticker,))
    if found.re is _PREVIOUS:
        yesterday = seconds_of(now) // DAY_S * DAY_S - DAY_S
        return Bars(ticker, DAY_S, (yesterday,), 1)
    return _range_asked(ask, found, now)


def _range_asked(ask: Ask, found: re.Match[str], now: datetime) -> Question | Answer:
    ticker, many, name = found[1], whole_number(found[2]), found[3]
    window = _moment_s(found[4], end=False), _moment_s(found[5], end=True)
    limit = whole_number(ask.params.get("limit", "5000"))
    first_s, last_s = window
    if not many or name not in _UNITS_S or first_s is None or last_s is None:
        return _bad_request(
            ask, now, "Could not parse the time parameters: multiplier, timespan, from, to"
        )
    if first_s > last_s:
        return _bad_request(ask, now, "'from' must be less than or equal to 'to'")
    if limit is None or not 1 <= limit <= 50_000:
        return _bad_request(ask, now, "'limit' must be between 1 and 50000")
    length_s = many * _UNITS_S[name]
    if DAY_S % length_s or (length_s == DAY_S and name != "day"):
        return _bad_request(ask, now, "aggregates of this multiplier are not simulated")
    known_s = max(first_s, day_start_s(FIRST_DAY)), min(last_s, seconds_of(now))
    starts = aligned_starts(*known_s, length_s)
    if ask.params.get("sort", "asc") == "desc":
        starts = starts[::-1]
    return Bars(ticker, length_s, starts[:limit], min(limit, (last_s - first_s) // length_s + 1))


def _moment_s(text: str, *, end: bool) -> int | None:
    """Seconds of a date or of milliseconds; the last second of a date for the end of a window."""
    milliseconds = whole_number(text)
    if milliseconds is not None:
        return milliseconds // 1000
    try:
        return day_start_s(date.fromisoformat(text)) + (DAY_S - 1 if end else 0)
    except ValueError:
        return None


def render(ask: Ask, question: Question, market: Market, now: datetime) -> Answer:
    """The healthy body as of `now`."""
    if isinstance(question, Quotes):
        return _last_trade(ask, question.symbols[0], market, now)
    assert isinstance(question, Bars)
    now_s, symbol = seconds_of(now), question.symbol
    bars = [market.bar(symbol, at_s, question.length_s, now_s) for at_s in question.starts_s]
    previous = ask.path.endswith("/prev")
    rows = [_row(bar, question, symbol, previous=previous) for bar in bars]
    return _aggregates(ask, symbol, rows, now)


def _aggregates(ask: Ask, ticker: str, rows: list[dict[str, object]], now: datetime) -> Answer:
    body: dict[str, object] = {
        "ticker": ticker,
        "queryCount": len(rows),
        "resultsCount": len(rows),
        "adjusted": ask.params.get("adjusted", "true") == "true",
    }
    if rows:
        body["results"] = rows
    # A free plan's data of today is marked as delayed; it is good data.
    body["status"] = "DELAYED" if _reaches_today(ask.path, now) else "OK"
    body["request_id"] = request_id(ask, now)
    body["count"] = len(rows)
    return json_answer(200, body)


def _reaches_today(path: str, now: datetime) -> bool:
    found = _RANGE.fullmatch(path)
    last_s = _moment_s(found[5], end=True) if found else None
    return last_s is not None and day_of(last_s) >= now.date()


def stamp_ms(ticker: str, start_s: int, length_s: int) -> int:
    """Polygon's ``t`` of a bar: a day of a share begins at midnight in New York."""
    in_utc = length_s != DAY_S or ticker.startswith(("C:", "X:"))
    return 1000 * (start_s if in_utc else midnight_s(day_of(start_s)))


def _row(bar: Bar, question: Bars, symbol: str, *, previous: bool) -> dict[str, object]:
    stamp = stamp_ms(symbol, bar.start_s, question.length_s)
    trades = 200 + int(9000 * unit(seed_of("trades", symbol), bar.start_s))
    # /prev is stamped with the close of a share's day.
    row: dict[str, object] = {
        "v": float(bar.volume),
        "vw": round((bar.high + bar.low + bar.close) / 3, 4),
        "o": bar.open,
        "c": bar.close,
        "h": bar.high,
        "l": bar.low,
        "t": stamp + 16 * HOUR_S * 1000 if previous and stamp % 86_400_000 else stamp,
        "n": trades,
    }
    return {"T": symbol, **row} if previous else row


def _last_trade(ask: Ask, ticker: str, market: Market, now: datetime) -> Answer:
    nanoseconds = seconds_of(now) * 1_000_000_000
    trade = {
        "c": [12, 37],
        "i": str(seconds_of(now) % 1_000_000),
        "p": market.price(ticker, now),
        "s": 100,
        "x": 4,
        "r": 202,
        "z": 3,
        "T": ticker,
        "t": nanoseconds,
        "y": nanoseconds,
        "f": nanoseconds,
        "q": seconds_of(now) % 10_000_000,
    }
    return json_answer(200, {"results": trade, "status": "OK", "request_id": request_id(ask, now)})


def _plain(status: int, value: dict[str, object]) -> Answer:
    return json_answer(status, value)


def _error(ask: Ask, now: datetime, status: int, said: str) -> Answer:
    return _plain(status, {"status": "ERROR", "request_id": request_id(ask, now), "error": said})


def _bad_request(ask: Ask, now: datetime, said: str) -> Answer:
    return _error(ask, now, 400, said)


def _no_ticker(ask: Ask, now: datetime) -> Answer:
    named = {"status": "NOT_FOUND", "request_id": request_id(ask, now)}
    return _plain(404, {**named, "message": "Ticker not found."})


def failure(kind: str, ask: Ask, now: datetime, variant: int) -> Answer:
    """Polygon's form of a failure; its only limit is per minute."""
    if kind in ("rate_limit", "quota_exhausted", "burst"):
        said = (
            "You've exceeded the maximum requests per minute, please wait or upgrade your "
            f"subscription to continue. {_PRICING}"
        )
        return _error(ask, now, 429, said)
    if kind == "missing_key":
        return _error(ask, now, 401, "API Key was not provided")
    if kind == "auth_error":
        return _error(ask, now, 401, "Unknown API Key")
    if kind == "bot_block":
        return pages.challenge("api.polygon.io")
    if kind == "plan_limit":
        said = f"You are not entitled to this data. Please upgrade your plan at {_PRICING}"
        named = {"status": "NOT_AUTHORIZED", "request_id": request_id(ask, now)}
        return _plain(403, {**named, "message": said})
    if kind == "not_found":
        return _no_ticker(ask, now)
    if kind == "bad_request":
        return _bad_request(ask, now, "Could not parse the time parameter: 'from'")
    if kind == "server_error":
        return pages.gateway(504, "Gateway Time-out") if variant % 2 == 0 else _internal(ask, now)
    if kind == "empty":
        found = _RANGE.fullmatch(ask.path) or _PREVIOUS.fullmatch(ask.path)
        if found is None:
            return _plain(200, {"results": [], "status": "OK", "request_id": request_id(ask, now)})
        return _aggregates(ask, found[1], [], now)
    if kind == "invalid_data" and variant % 2:
        return pages.proxy_text()
    return pages.maintenance("Massive")


def _internal(ask: Ask, now: datetime) -> Answer:
    return _error(ask, now, 500, "Internal Server Error")


def wrong_schema(answer: Answer) -> Answer:
    """A new version of the API: long names for the one-letter fields, `results` moved."""
    names = {
        "results": "data", "o": "open_price", "h": "high_price", "l": "low_price",
        "c": "close_price", "v": "shares", "t": "", "p": "trade_price",
    }  # fmt: skip
    return with_renamed_keys(answer, names)
