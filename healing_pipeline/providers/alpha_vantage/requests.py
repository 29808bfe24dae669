"""What Alpha Vantage is asked, and how to ask it for less."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.urls import asked, assembled, fraction, remembered


@remembered
def request(
    endpoint: Endpoint,
    host: Host,
    key: ApiKey | None,
    now: datetime,
    params: Mapping[str, str] | None = None,
) -> UpstreamRequest:
    """Build the GET with `apikey`, which Alpha Vantage takes in the query only."""
    path, merged = asked(endpoint, params, now)
    return assembled(
        endpoint,
        host,
        path,
        merged,
        key_name=key.name if key else None,
        key_params={"apikey": key.secret} if key else None,
    )


def smaller(
    endpoint: Endpoint, params: Mapping[str, str], factor: float, now: datetime
) -> tuple[str, Mapping[str, str]] | None:
    """The newest 100 rows instead of all: Alpha Vantage knows no size between the two."""
    fraction(factor)
    path, merged = asked(endpoint, params, now)
    if merged.get("outputsize", "").lower() != "full":
        return None
    return path, {**merged, "outputsize": "compact"}
