"""Alpha Vantage as a `Provider`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.providers.alpha_vantage.classification import classify
from healing_pipeline.providers.alpha_vantage.reading import read
from healing_pipeline.providers.alpha_vantage.requests import request, smaller
from healing_pipeline.providers.provider import UpstreamRequest


class AlphaVantage:
    """Alpha Vantage: series, quotes and exchange rates, all under /query."""

    __slots__ = ()  # nothing to change: a provider is its functions
    name: str = "alpha_vantage"

    def request(
        self,
        endpoint: Endpoint,
        host: Host,
        key: ApiKey | None,
        now: datetime,
        params: Mapping[str, str] | None = None,
    ) -> UpstreamRequest:
        """Build the GET for `endpoint`."""
        return request(endpoint, host, key, now, params)

    def classify(self, response: Response, line: RequestLine) -> Verdict:
        """Judge a response by what Alpha Vantage is known to say."""
        return classify(response, line)

    def read(self, body: bytes, line: RequestLine) -> Reading | Unreadable:
        """Read the numbers out of a good body."""
        return read(body, line)

    def smaller(
        self, endpoint: Endpoint, params: Mapping[str, str], factor: float, now: datetime
    ) -> tuple[str, Mapping[str, str]] | None:
        """Path and params that ask for about `factor` of the rows, the newest ones."""
        return smaller(endpoint, params, factor, now)
