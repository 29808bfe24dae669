"""Aggregates in Polygon's form, of numbers that came from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta

from healing_pipeline.probing.reading import Reading
from healing_pipeline.providers.bars import is_dated, zone_named
from healing_pipeline.providers.dates import today
from healing_pipeline.providers.polygon.questions import PREVIOUS_PATH
from healing_pipeline.providers.polygon.reading import read
from healing_pipeline.providers.polygon.requests import RANGE_PATH
from healing_pipeline.providers.renderings import compact, line_of, read_back, rows_of, whole

_LETTERS = {"volume": "v", "open": "o", "close": "c", "high": "h", "low": "l"}
_CLOSING_BELL = time(16)


def rendered(reading: Reading, path: str, params: Mapping[str, str], now: datetime) -> bytes | None:
    """Bars that say what `reading` says, in the order asked for.

    None for trades, for a reading of another ticker or interval, for ``adjusted=false`` (other
    providers adjust for splits), and as the previous day's bar for anything but one bar of a
    day before today.

    Notes
    -----
    Volume-weighted prices and numbers of trades are left out: a reading has none. Bars say no
    more than when they begin, so the answer's `as_of` is the begin of the newest one.
    """
    line = line_of(path, params, now)
    previous = PREVIOUS_PATH.fullmatch(line.path)
    found = previous or RANGE_PATH.fullmatch(line.path)
    if found is None or line.params.get("adjusted", "true").lower() != "true":
        return None
    rows = rows_of(reading.points)
    if previous and (len(rows) != 1 or next(iter(rows)).date() >= today(now)):
        return None
    ticker = found["ticker"].upper()
    results = [
        {
            **({"T": ticker} if previous else {}),
            **{_LETTERS[name]: whole(row[name]) for name in _LETTERS if name in row},
            "t": _stamp_ms(at, reading.interval, ticker, closing=previous is not None),
        }
        for at, row in rows.items()
    ]
    if line.params.get("sort") == "desc":
        results.reverse()
    body = compact(
        {
            "ticker": ticker,
            "queryCount": len(results),
            "resultsCount": len(results),
            "adjusted": True,
            "results": results,
            "status": "OK",
            "count": len(results),
        }
    )
    return read_back(body, line, read, reading, reading.points)


def _stamp_ms(at: datetime, interval: str, ticker: str, *, closing: bool) -> int:
    """Polygon's ``t``: a share's day begins at midnight in New York, a week on its Sunday."""
    if is_dated(interval):
        if interval == "1w":
            at -= timedelta(days=1)
        if not ticker.startswith(("C:", "X:")):
            bell = _CLOSING_BELL if closing else time(0)
            at = datetime.combine(at.date(), bell, zone_named("America/New_York"))
    return int(at.timestamp()) * 1000 + at.microsecond // 1000
