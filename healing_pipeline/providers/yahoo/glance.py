"""A plain answer of Yahoo at a glance: a chart of bars, or quotes."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.bars import (
    PRICES,
    as_of,
    bar_start,
    interval_named,
    is_dated,
    zone_named,
)
from healing_pipeline.providers.bodies import EPOCH, LATEST, OLDEST_BAR, OLDEST_QUOTE
from healing_pipeline.providers.glancing import (
    Column,
    Memo,
    Number,
    Sign,
    ascending,
    glancing,
    numbers,
    seconds,
)
from healing_pipeline.providers.instruments import confirmed, from_yahoo
from healing_pipeline.providers.yahoo.classification import DIALECT
from healing_pipeline.providers.yahoo.reading import asked_symbol, may_be_negative, read_quotes

_CHART_PATH = "/v8/finance/chart/"
_QUOTE_PATH = "/v7/finance/quote"
_ENVELOPE = frozenset({"result", "error"})
_FIRST_S, _FIRST_QUOTE_S, _END_S = map(seconds, (OLDEST_BAR, OLDEST_QUOTE, LATEST))


@lru_cache(maxsize=64)
def _begins_s(zone_name: str, interval: str) -> Memo[int, int]:
    """For each stamp of a bar that belongs to a date, that bar's begin."""
    zone = zone_named(zone_name)

    def begin_s(stamp: int) -> int:
        day = (EPOCH + timedelta(seconds=stamp)).astimezone(zone).date()
        return seconds(bar_start(day, interval))

    return Memo(begin_s)


def _look(value: Any, line: RequestLine) -> tuple[str, Reading] | None:
    ((name, envelope),) = value.items()
    if envelope.keys() != _ENVELOPE or envelope["error"] is not None:
        return None
    results = envelope["result"]
    if type(results) is not list:
        return None
    if name == "quoteResponse" and line.path == _QUOTE_PATH:
        return f"{name} with a result of {len(results)}", read_quotes(envelope, line)
    symbol = line.path.removeprefix(_CHART_PATH)
    if name != "chart" or symbol == line.path or "/" in symbol or symbol.lower() == "getcrumb":
        return None
    (result,) = results
    return _chart(result, line)


def _chart(result: dict[str, Any], line: RequestLine) -> tuple[str, Reading] | None:
    meta, stamps = result["meta"], result["timestamp"]
    said = meta.get("dataGranularity") or line.params["interval"]
    name, zone_name = meta["symbol"].strip(), meta["exchangeTimezoneName"]
    if not name or not isinstance(zone_name, str) or len(said) > 12 or len(zone_name) > 64:
        return None
    instrument, interval = confirmed(from_yahoo(name), asked_symbol(line)), interval_named(said)
    if type(stamps) is not list or set(map(type, stamps)) != {int}:
        return None
    if min(stamps) < _FIRST_S or max(stamps) >= _END_S:
        return None
    columns = _columns(result, len(stamps), instrument)
    at_s: list[Number] = stamps
    if is_dated(interval):
        at_s = list(map(_begins_s(zone_name, interval).__getitem__, stamps))
        if len(at_s) > 1 and at_s[-1] == at_s[-2]:
            if interval != "1d":
                return None
            at_s, columns = at_s[:-1], {each: _joined(columns[each]) for each in columns}
    if at_s[0] > at_s[-1]:
        return None
    rows_s, filled = ascending(at_s, columns)
    newest_at = EPOCH + timedelta(seconds=rows_s[-1])
    traded_s = meta.get("regularMarketTime")
    if traded_s is not None and (
        type(traded_s) is not int or not _FIRST_QUOTE_S <= traded_s < _END_S
    ):
        return None
    traded_at = None if traded_s is None else EPOCH + timedelta(seconds=traded_s)
    spoken_of = as_of(newest_at, interval, traded_at, zone_named(zone_name))
    reading = Reading.of_columns(instrument, interval, rows_s, filled, spoken_of)
    return f"chart with {len(stamps)} rows", reading


def _columns(result: dict[str, Any], rows: int, instrument: str) -> dict[str, Column]:
    (quote,) = result["indicators"]["quote"]
    sign = Sign.ANY if may_be_negative(instrument) else Sign.POSITIVE
    columns = {each: numbers(quote[each], sign) for each in PRICES}
    volume = quote["volume"]
    if volume.count(None) < rows:
        columns["volume"] = numbers(volume, Sign.NOT_NEGATIVE)
    if any(
        type(quote[each]) is not list or len(quote[each]) != rows for each in (*PRICES, "volume")
    ):
        raise ValueError("columns of another length than the timestamps")
    return columns


def _joined(column: Column) -> Column:
    """A column with the running session's row made a part of the day's, as `reading` does."""
    live = column[-1]
    return column[:-1] if live is None else [*column[:-2], live]


glance = glancing(DIALECT.name, _look)
