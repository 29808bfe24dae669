"""What ExchangeRate-API is asked; there is no asking it for less."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.urls import asked, assembled, fraction, remembered

_VERSION = "/v6/"
# open.er-api.com serves the same tables without a key, under the same path.
_HOST_WITHOUT_KEY = "open"


@remembered
def request(
    endpoint: Endpoint,
    host: Host,
    key: ApiKey | None,
    now: datetime,
    params: Mapping[str, str] | None = None,
) -> UpstreamRequest:
    """Build the GET with the key as path segment: ``/v6/<KEY>/latest/USD``.

    None is sent to the open host, nor under any path but ``/v6/``: a sibling such as
    Frankfurter takes no key and must not be told ours.
    """
    path, merged = asked(endpoint, params, now)
    if key is None or host.name == _HOST_WITHOUT_KEY or not path.startswith(_VERSION):
        return assembled(endpoint, host, path, merged)
    rest = quote(path.removeprefix(_VERSION))
    return assembled(
        endpoint,
        host,
        path,
        merged,
        key_name=key.name,
        path_with_key=f"{_VERSION}{quote(key.secret, safe='')}/{rest}",
    )


def smaller(
    endpoint: Endpoint,  # noqa: ARG001 - the protocol's
    params: Mapping[str, str],  # noqa: ARG001
    factor: float,
    now: datetime,  # noqa: ARG001
) -> tuple[str, Mapping[str, str]] | None:
    """None: a table of rates has neither limit nor window."""
    fraction(factor)
    return None
