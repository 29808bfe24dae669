"""Putting a request together: parameters laid over each other, quoting, and what stays secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import wraps
from types import MappingProxyType
from urllib.parse import quote, unquote, urlencode, urlsplit

from healing_pipeline import __version__
from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.dates import filled, filled_all, today
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.spoken import BuildRequest

USER_AGENT = f"healing-pipeline/{__version__}"

# Parameters that carry a key or a session at one provider or another, in lower case. They never
# reach a `RequestLine`, even when somebody wrote one into the catalogue.
SECRET_PARAMS = frozenset({"api_key", "apikey", "access_key", "app_id", "token", "crumb"})

# What RFC 3986 lets a path segment hold as it is; `EURUSD=X` and `C:EURUSD` stay readable.
_PATH_SAFE = "/:@!$&'()*+,;=-._~"


# A large catalog's questions, at each of their hosts.
_MOST_REMEMBERED = 20_000

Asking = tuple[
    str, str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], Host, ApiKey | None, date
]


def remembered(build: BuildRequest) -> BuildRequest:
    """`build`, doing the same work once: for one that looks at nothing of `now` but its date.

    Nor may it look at more of the endpoint than its source, path and parameters. What it builds is
    handed out again and again, so its mappings have to be read-only.
    """
    known: dict[Asking, UpstreamRequest] = {}

    @wraps(build)
    def request(
        endpoint: Endpoint,
        host: Host,
        key: ApiKey | None,
        now: datetime,
        params: Mapping[str, str] | None = None,
    ) -> UpstreamRequest:
        own, laid_over = tuple(endpoint.params.items()), tuple(params.items()) if params else ()
        asking = (endpoint.source, endpoint.path, own, laid_over, host, key, today(now))
        found = known.get(asking)
        if found is None:
            found = build(endpoint, host, key, now, params)
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            known[asking] = found
        return found

    return request


def asked(
    endpoint: Endpoint, params: Mapping[str, str] | None, now: datetime
) -> tuple[str, dict[str, str]]:
    """Path and parameters of the question: `params` over the endpoint's own, date marks filled.

    The order is the endpoint's, with overrides in place and additions at the end, so that the
    same question is always the same URL.
    """
    merged = {**endpoint.params, **(params or {})}
    return unquote(filled(endpoint.path, now)), filled_all(merged, now)


def assembled(
    endpoint: Endpoint,
    host: Host,
    path: str,
    params: Mapping[str, str],
    *,
    key_name: str | None = None,
    path_with_key: str | None = None,
    key_params: Mapping[str, str] | None = None,
    key_headers: Mapping[str, str] | None = None,
) -> UpstreamRequest:
    """Build the GET from its public part and from wherever this provider wants the key.

    Parameters
    ----------
    path, params
        The question without its key, unquoted.
    key_name : str or None
        Name of the key that is spent; None when none is sent.
    path_with_key : str or None
        The path to send where the key is a part of it, already quoted.
    key_params, key_headers : Mapping[str, str] or None
        The key as query parameter or as header.
    """
    quoted = quote(path, safe=_PATH_SAFE) if path_with_key is None else path_with_key
    query = urlencode({**params, **(key_params or {})}, quote_via=quote, safe=",")
    return UpstreamRequest(
        source=endpoint.source,
        host_name=host.name,
        key_name=key_name,
        url=host.base_url.rstrip("/") + quoted + (f"?{query}" if query else ""),
        headers=MappingProxyType({"User-Agent": USER_AGENT, **(key_headers or {})}),
        line=RequestLine(
            path=path,
            params=MappingProxyType(
                {k: v for k, v in params.items() if k.lower() not in SECRET_PARAMS}
            ),
            host=urlsplit(host.base_url).hostname or "",
        ),
    )


def fraction(factor: float) -> float:
    """`factor` itself, if it lies strictly between 0 and 1.

    Raises
    ------
    ValueError
        Otherwise: such a request would ask for nothing, or for no less than before.
    """
    if not 0.0 < factor < 1.0:
        raise ValueError(f"factor is {factor}; it must lie between 0 and 1, both excluded")
    return factor
