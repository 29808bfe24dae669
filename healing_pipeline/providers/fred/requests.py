"""What FRED is asked, and how to ask it for less."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.providers.dates import iso_date, today
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.urls import asked, assembled, fraction, remembered

# How much a question without limit and without window is taken to ask for.
_ROWS_UNTOLD = 1000
_DAYS_UNTOLD = 3650

# Two rows tell the spacing of a series, and one of three may be a holiday's ".".
_LEAST_ROWS = 3
# GDP of a quarter carries the quarter's first day and is the newest one for up to 210 days after
# it. A later begin would cut the newest number off, and so short a window is not what is slow.
_LEAST_DAYS = 220


@remembered
def request(
    endpoint: Endpoint,
    host: Host,
    key: ApiKey | None,
    now: datetime,
    params: Mapping[str, str] | None = None,
) -> UpstreamRequest:
    """Build the GET with `api_key`; JSON unless the question says otherwise (FRED's own is XML)."""
    path, merged = asked(endpoint, params, now)
    merged.setdefault("file_type", "json")
    return assembled(
        endpoint,
        host,
        path,
        merged,
        key_name=key.name if key else None,
        key_params={"api_key": key.secret} if key else None,
    )


def smaller(
    endpoint: Endpoint, params: Mapping[str, str], factor: float, now: datetime
) -> tuple[str, Mapping[str, str]] | None:
    """A smaller `limit` where the newest come first, else a later `observation_start`.

    The order of the rows is never turned: a reader that takes the last row for the newest would
    take the oldest. So an ascending question is narrowed at its begin only, and not at all where
    its `limit` may already cut the newest rows off. A question with neither limit nor window is
    taken to ask for 1000 rows, or for ten years.
    """
    fraction(factor)
    path, merged = asked(endpoint, params, now)
    if not path.rstrip("/").endswith("/series/observations"):
        return None
    if merged.get("offset", "0") != "0":
        return None
    newest_first = merged.get("sort_order") == "desc"
    if newest_first and ("limit" in merged or "observation_start" not in merged):
        rows = _count(merged.get("limit", str(_ROWS_UNTOLD)))
        kept = None if rows is None else max(int(rows * factor), _LEAST_ROWS)
        if rows is None or kept is None or kept >= rows:
            return None
        return path, {**merged, "limit": str(kept)}
    begin = _later_begin(merged, factor, now)
    return None if begin is None else (path, {**merged, "observation_start": begin})


def _later_begin(params: Mapping[str, str], factor: float, now: datetime) -> str | None:
    end = today(now)
    if "observation_end" in params:
        stated = iso_date(params["observation_end"])
        if stated is None:
            return None
        end = min(end, stated)
    begin = iso_date(params.get("observation_start", ""))
    if begin is None:
        if "observation_start" in params:
            return None
        begin = end - timedelta(days=_DAYS_UNTOLD)
    days = (end - begin).days + 1
    if "limit" in params:
        rows = _count(params["limit"])
        # At most one row a day: with a smaller limit the newest rows may not be in the answer.
        if rows is None or rows < days or "observation_start" not in params:
            return None
    kept = max(int(days * factor), _LEAST_DAYS)
    return (end - timedelta(days=kept - 1)).isoformat() if kept < days else None


def _count(said: str) -> int | None:
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else None
