"""What Polygon is asked, and how to ask it for less."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.providers.dates import iso_date, today
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.urls import asked, assembled, fraction, remembered

RANGE_PATH = re.compile(
    r"/v2/aggs/ticker/(?P<ticker>[^/]+)/range/(?P<count>\d+)/(?P<unit>[a-z]+)"
    r"/(?P<begin>[^/]+)/(?P<end>[^/]+)/?",
    re.ASCII,
)
# A long weekend has four days without a bar; longer bars need a window that holds one.
_LEAST_DAYS = {"week": 14, "month": 62, "quarter": 184, "year": 732}
_LEAST_DAYS_OF_THE_REST = 5
_DAY_MS = 86_400_000


@remembered
def request(
    endpoint: Endpoint,
    host: Host,
    key: ApiKey | None,
    now: datetime,
    params: Mapping[str, str] | None = None,
) -> UpstreamRequest:
    """Build the GET with the key in `Authorization`, where no log of URLs will find it."""
    path, merged = asked(endpoint, params, now)
    return assembled(
        endpoint,
        host,
        path,
        merged,
        key_name=key.name if key else None,
        key_headers={"Authorization": f"Bearer {key.secret}"} if key else None,
    )


def smaller(
    endpoint: Endpoint, params: Mapping[str, str], factor: float, now: datetime
) -> tuple[str, Mapping[str, str]] | None:
    """A later begin of a range, else a smaller `limit` where the newest come first."""
    fraction(factor)
    path, merged = asked(endpoint, params, now)
    found = RANGE_PATH.fullmatch(path)
    if found is None:
        return None
    begin = _later_begin(found["begin"], found["end"], found["unit"], factor, now)
    if begin is not None:
        return f"{path[: found.start('begin')]}{begin}{path[found.end('begin') :]}", merged
    limit = merged.get("limit", "")
    if merged.get("sort") == "desc" and limit.isascii() and limit.isdigit() and len(limit) < 10:
        kept = max(int(int(limit) * factor), 1)
        if kept < int(limit):
            return path, {**merged, "limit": str(kept)}
    return None


def _later_begin(begin: str, end: str, unit: str, factor: float, now: datetime) -> str | None:
    """The begin of the newest `factor` of the window, written as the old one was."""
    least_days = _LEAST_DAYS.get(unit, _LEAST_DAYS_OF_THE_REST)
    first, last = iso_date(begin), iso_date(end)
    if first is not None and last is not None:
        last = min(last, today(now))
        days = (last - first).days + 1
        kept = max(int(days * factor), least_days)
        return (last - timedelta(days=kept - 1)).isoformat() if kept < days else None
    if all(each.isascii() and each.isdigit() and len(each) < 15 for each in (begin, end)):
        first_ms = int(begin)
        last_ms = min(int(end), int(now.astimezone(UTC).timestamp() * 1000))
        kept_ms = max(int((last_ms - first_ms) * factor), least_days * _DAY_MS)
        return str(last_ms - kept_ms) if kept_ms < last_ms - first_ms else None
    return None
