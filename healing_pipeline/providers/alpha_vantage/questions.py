"""What Alpha Vantage's questions are about, and how bars within the day become daily ones.

Its one question about several symbols, REALTIME_BULK_QUOTES, is of the premium plans and answers
with other fields than GLOBAL_QUOTE; so nothing is merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from healing_pipeline.providers.bars import interval_named
from healing_pipeline.providers.bodies import NotReadableError
from healing_pipeline.providers.instruments import coin, currency_pair, from_ticker
from healing_pipeline.providers.provider import Asked
from healing_pipeline.providers.subjects import counted

QUERY_PATH = "/query"

_PAIRED = (("from_symbol", "to_symbol"), ("from_currency", "to_currency"))
_WINDOW = frozenset({"outputsize"})
# What Alpha Vantage assumes when it is not told, as its Python client tells it anyway. A `month`
# counts: its rows are of that month alone, never the newest.
_DEFAULTS = {"datatype": "json", "adjusted": "true", "extended_hours": "true"}
_DAILY = {
    "TIME_SERIES_INTRADAY": "TIME_SERIES_DAILY",
    "FX_INTRADAY": "FX_DAILY",
    "CRYPTO_INTRADAY": "DIGITAL_CURRENCY_DAILY",
}
_ONLY_WITHIN_THE_DAY = frozenset({"interval", "month", "extended_hours", "adjusted"})


def subject(path: str, params: Mapping[str, str]) -> tuple[str, ...]:
    """``("TIME_SERIES_DAILY", "IBM")``, ``("CURRENCY_EXCHANGE_RATE", "USD", "EUR")``.

    Then the interval, where one is asked for, and whatever else changes the numbers.
    ``datatype=csv`` counts, since CSV cannot be read here.
    """
    function = params.get("function", "").upper()
    if path.rstrip("/") != QUERY_PATH or not function:
        return path, *counted(params)
    instrument, named_by = _instrument(params)
    interval = _interval(params.get("interval", ""))
    placed = {"function", *named_by, *_WINDOW, *(["interval"] if interval else [])}
    rest = counted(params, placed, _DEFAULTS)
    return function, *instrument, *([interval] if interval else []), *rest


def _instrument(params: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a question is about, and the parameters that say so."""
    for names in _PAIRED:
        if all(name in params for name in names):
            return tuple(params[name].upper() for name in names), names
    if "symbol" in params and "market" in params:
        return (coin(params["symbol"], params["market"]),), ("symbol", "market")
    return ((from_ticker(params["symbol"]),), ("symbol",)) if "symbol" in params else ((), ())


def asked_instrument(params: Mapping[str, str]) -> str:
    """The instrument of a reading that answers a question for bars or a quote."""
    if all(name in params for name in _PAIRED[0]):
        return currency_pair(params["from_symbol"], params["to_symbol"])
    return "".join(_instrument(params)[0][:1])


def _interval(said: str) -> str | None:
    try:
        return interval_named(said)
    except NotReadableError:
        return None


def daily(path: str, params: Mapping[str, str], now: datetime) -> Asked | None:  # noqa: ARG001 (no dates)
    """The series by days; its newest hundred rows always hold the newest day."""
    by_days = _DAILY.get(params.get("function", "").upper())
    if path.rstrip("/") != QUERY_PATH or by_days is None:
        return None
    kept = {name: said for name, said in params.items() if name not in _ONLY_WITHIN_THE_DAY}
    return path, {**kept, "function": by_days}
