"""What Polygon's questions are about, and how bars within the day become daily ones.

Polygon's aggregates are of one ticker each. The one question about several, the snapshot, holds the
running day and not the bars of a window: its answer is not ours, so nothing is merged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import unquote

from healing_pipeline.providers.bars import interval_named, is_dated
from healing_pipeline.providers.bodies import NotReadableError
from healing_pipeline.providers.dates import filled, iso_date
from healing_pipeline.providers.instruments import from_ticker
from healing_pipeline.providers.polygon.requests import RANGE_PATH
from healing_pipeline.providers.provider import Asked
from healing_pipeline.providers.subjects import counted

PREVIOUS_PATH = re.compile(r"/v2/aggs/ticker/(?P<ticker>[^/]+)/prev/?")

# Good Friday to Easter Monday, asked on Tuesday morning: the newest bar is six days old.
_LEAST_DAYS = 7
_DAY_MS = 86_400_000


def subject(path: str, params: Mapping[str, str]) -> tuple[str, ...]:
    """``("aggs", "AAPL", "1d", "adjusted")`` whatever its dates; ``("prev", "AAPL", "adjusted")``.

    Any other question is all of its path and parameters.
    """
    path = unquote(path)
    if found := RANGE_PATH.fullmatch(path):
        interval = _interval(found)
        if interval is not None:
            rest = counted(params, {"adjusted", "sort", "limit"})
            return "aggs", from_ticker(found["ticker"]), interval, _adjusted(params), *rest
    if found := PREVIOUS_PATH.fullmatch(path):
        rest = counted(params, {"adjusted"})
        return "prev", from_ticker(found["ticker"]), _adjusted(params), *rest
    return path, *counted(params)


def _interval(found: re.Match[str]) -> str | None:
    try:
        return interval_named(f"{found['count']}{found['unit']}")
    except NotReadableError:
        return None


def _adjusted(params: Mapping[str, str]) -> str:
    """Polygon adjusts for splits unless it is told not to."""
    said = params.get("adjusted", "true").lower()
    return {"true": "adjusted", "false": "unadjusted"}.get(said, f"adjusted={said}")


def daily(path: str, params: Mapping[str, str], now: datetime) -> Asked | None:
    """The range by days, begun early enough that the newest daily bar is in it.

    A `limit` is dropped where the oldest come first: meant for short bars, it may cut off the
    newest day.
    """
    path = filled(unquote(path), now)
    found = RANGE_PATH.fullmatch(path)
    interval = None if found is None else _interval(found)
    if found is None or interval is None or is_dated(interval):
        return None
    begin = _begin(found["begin"], found["end"])
    if begin is None:
        return None
    ticker = path[: found.start("count")]
    kept = {
        name: said
        for name, said in params.items()
        if name != "limit" or params.get("sort") == "desc"
    }
    return f"{ticker}1/day/{begin}/{found['end']}", kept


def _begin(begin: str, end: str) -> str | None:
    """The begin of a window of at least seven days, written as the old one was."""
    first, last = iso_date(begin), iso_date(end)
    if first is not None and last is not None:
        return min(first, last - timedelta(days=_LEAST_DAYS - 1)).isoformat()
    if all(each.isascii() and each.isdigit() and len(each) < 15 for each in (begin, end)):
        return str(min(int(begin), int(end) - _LEAST_DAYS * _DAY_MS))
    return None
