"""A plain answer of Polygon at a glance: bars that all have a price of each kind."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any

from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.bars import BAR_FIELDS, is_dated
from healing_pipeline.providers.bodies import EPOCH, LATEST, OLDEST_QUOTE
from healing_pipeline.providers.glancing import (
    Memo,
    Number,
    Sign,
    ascending,
    glancing,
    numbers,
    odd,
    seconds,
)
from healing_pipeline.providers.polygon.classification import DIALECT
from healing_pipeline.providers.polygon.reading import (
    bar_at,
    bars_asked,
    instrument_named,
)

_FRAME = frozenset(
    {
        "ticker",
        "queryCount",
        "resultsCount",
        "adjusted",
        "results",
        "status",
        "request_id",
        "count",
        "next_url",
    }
)
_ROW = itemgetter("t", "o", "h", "l", "c", "v")
_FIRST_MS, _END_MS = seconds(OLDEST_QUOTE) * 1000, seconds(LATEST) * 1000

_asked = lru_cache(maxsize=1024)(bars_asked)


@lru_cache(maxsize=64)
def _begins_s(interval: str) -> Memo[int, int]:
    """For each stamp of a bar that belongs to a date, that bar's begin."""
    return Memo(lambda stamp: seconds(bar_at(EPOCH + timedelta(milliseconds=stamp), interval)))


def _look(value: Any, line: RequestLine) -> tuple[str, Reading] | None:
    asked = _asked(line.path)
    if asked is None or not value.keys() <= _FRAME or value["status"] not in ("OK", "DELAYED"):
        return None
    ticker, interval = asked
    rows = value["results"]
    if type(rows) is not list or set(map(type, rows)) != {dict}:
        return None
    stamps, *said = zip(*map(_ROW, rows), strict=True)
    if set(map(type, stamps)) != {int} or min(stamps) < _FIRST_MS or max(stamps) >= _END_MS:
        return None
    if is_dated(interval):
        at_s: list[Number] = list(map(_begins_s(interval).__getitem__, stamps))
    else:
        at_s = [stamp // 1000 for stamp in stamps]
        if any(stamp % 1000 for stamp in stamps):
            raise odd("bars that begin within a second")
    columns = {
        name: numbers(column, Sign.POSITIVE)
        for name, column in zip(BAR_FIELDS, said[:4], strict=False)
    }
    columns["volume"] = numbers(said[4], Sign.NOT_NEGATIVE)
    if None in columns["close"]:
        return None
    at_s_ordered, ordered = ascending(at_s, columns)
    instrument = instrument_named(value.get("ticker"), ticker)
    as_of = EPOCH + timedelta(seconds=at_s_ordered[-1])
    reading = Reading.of_columns(instrument, interval, at_s_ordered, ordered, as_of)
    return f"{len(rows)} bars", reading


glance = glancing(DIALECT.name, _look)
