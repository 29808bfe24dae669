"""A plain answer of FRED at a glance: observations of one vintage, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import compress
from operator import itemgetter, sub
from typing import Any

from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.bars import bar_start
from healing_pipeline.providers.bodies import EPOCH, LATEST
from healing_pipeline.providers.dates import iso_date
from healing_pipeline.providers.fred.classification import DIALECT
from healing_pipeline.providers.fred.reading import FREQUENCIES, MISSING, interval_spaced
from healing_pipeline.providers.glancing import Memo, Sign, ascending, glancing, numerals, odd

_PATH = "/fred/series/observations"
_FRAME = frozenset(
    {
        "realtime_start",
        "realtime_end",
        "observation_start",
        "observation_end",
        "units",
        "output_type",
        "file_type",
        "order_by",
        "sort_order",
        "count",
        "offset",
        "limit",
        "observations",
    }
)
_ROWS = {
    2: itemgetter("date", "value"),
    4: itemgetter("date", "value", "realtime_start", "realtime_end"),
}
_DAY_S = 86_400


def _begin_s(said: str) -> int:
    day = iso_date(said)
    if day is None or day.year >= LATEST.year:
        raise odd("no plausible date")
    return (bar_start(day, "1d") - EPOCH).days * _DAY_S


_BEGINS_S: Memo[str, int] = Memo(_begin_s)


def _look(value: Any, line: RequestLine) -> tuple[str, Reading] | None:
    series = line.params.get("series_id", "").strip().upper()
    if line.path != _PATH or not series or not value.keys() <= _FRAME:
        return None
    rows = value["observations"]
    (size,) = set(map(len, rows))
    if type(rows) is not list or set(map(type, rows)) != {dict}:
        return None
    dates, said, *_ = zip(*map(_ROWS[size], rows), strict=True)
    if None in said:
        return None
    at_s, columns = ascending(list(map(_BEGINS_S.__getitem__, dates)), {"value": said})
    frequency = FREQUENCIES.get(line.params.get("frequency", "").lower())
    interval = frequency or _interval(at_s)
    texts: Sequence[Any] = columns["value"]
    if MISSING in texts:
        known = [each != MISSING for each in texts]
        at_s, texts = list(compress(at_s, known)), list(compress(texts, known))
    found = numerals(texts, Sign.ANY)
    as_of = EPOCH + timedelta(seconds=at_s[-1])
    reading = Reading.of_columns(series, interval, at_s, {"value": found}, as_of)
    return f"{len(rows)} observations", reading


def _interval(at_s: Sequence[int | float]) -> str:
    """As `reading` tells it from the dates, of gaps that are at hand already."""
    gaps = sorted(map(sub, at_s[1:], at_s))
    if not gaps:
        return "1d"
    middle = len(gaps) // 2
    median_s = gaps[middle] if len(gaps) % 2 else (gaps[middle - 1] + gaps[middle]) / 2
    return interval_spaced(median_s / _DAY_S)


glance = glancing(DIALECT.name, _look)
