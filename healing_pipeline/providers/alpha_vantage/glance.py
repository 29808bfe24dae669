"""A plain answer of Alpha Vantage at a glance: a time series of like rows, a quote, a rate."""

from __future__ import annotations

from datetime import timedelta, tzinfo
from functools import lru_cache
from operator import itemgetter
from typing import Any

from healing_pipeline.probing.json_body import is_numeric
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.alpha_vantage.classification import DIALECT
from healing_pipeline.providers.alpha_vantage.reading import (
    asked_for,
    bar_of,
    by_words,
    instrument_of,
    interval_said,
    local_moment,
    read_quote,
    read_rate,
    stated_as_of,
    zone_of,
)
from healing_pipeline.providers.bars import bar_start, interval_named, is_dated
from healing_pipeline.providers.bodies import EPOCH
from healing_pipeline.providers.glancing import (
    Column,
    Memo,
    Sign,
    ascending,
    glancing,
    numerals,
    odd,
    seconds,
)
from healing_pipeline.providers.instruments import confirmed

_META = "Meta Data"
_SINGLES = {
    "GLOBAL_QUOTE": ("Global Quote", read_quote),
    "CURRENCY_EXCHANGE_RATE": ("Realtime Currency Exchange Rate", read_rate),
}
_LONGEST_NAME = 60


@lru_cache(maxsize=64)
def _begins_s(zone: tzinfo, interval: str) -> Memo[str, int]:
    """For each time that stands before a row, the begin of its bar."""

    def begin_s(said: str) -> int:
        at = local_moment(said, zone)
        if at is None:
            raise odd("no plausible time")
        if is_dated(interval):
            at = bar_start(at.astimezone(zone).date(), interval)
        return seconds(at)

    return Memo(begin_s)


def _look(value: Any, line: RequestLine) -> tuple[str, Reading] | None:
    if len(value) == 1:
        name, read = _SINGLES[line.params["function"]]
        said = value[name]
        if "error" in said or not any(map(is_numeric, said.values())):
            return None
        return f"{name!r} with {len(said)} fields", read(by_words(said), line)
    first, second = value
    name = second if first == _META else first
    if _META not in value or "Time Series" not in name or len(name) > _LONGEST_NAME:
        return None
    meta = by_words(value[_META])
    return _series(name, value[name], meta, line)


def _series(
    name: str, rows: dict[str, Any], meta: dict[str, object], line: RequestLine
) -> tuple[str, Reading] | None:
    instrument, market = instrument_of(meta)
    instrument = confirmed(instrument, asked_for(line))
    interval = interval_named(interval_said(name, meta))
    zone = zone_of(meta)
    at_s = list(map(_begins_s(zone, interval).__getitem__, rows))
    entries = list(rows.values())
    if set(map(type, entries)) != {dict} or len(set(map(len, entries))) != 1:
        return None
    keys = tuple(entries[0])
    if len(keys) < 2 or max(map(len, keys)) > _LONGEST_NAME:
        return None
    said = dict(zip(keys, zip(*map(itemgetter(*keys), entries), strict=True), strict=True))
    columns: dict[str, Column] = {}
    for field, key in bar_of({key: key for key in keys}, market).items():
        sign = Sign.NOT_NEGATIVE if field == "volume" else Sign.POSITIVE
        columns[field] = numerals(said[str(key)], sign)
    if "close" not in columns:
        return None
    ordered_s, ordered = ascending(at_s, columns)
    newest_at = EPOCH + timedelta(seconds=ordered_s[-1])
    spoken_of = stated_as_of(newest_at, interval, meta, zone)
    reading = Reading.of_columns(instrument, interval, ordered_s, ordered, spoken_of)
    return f"{name!r} with {len(rows)} rows", reading


glance = glancing(DIALECT.name, _look)
