"""What a provider's folder has to offer: requests out, verdicts and readings in.

A provider is pure: it opens no socket, reads no clock and no environment. Everything it needs comes
as an argument, so that a recorded body, a simulated one and a live one take the same path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import RequestLine, Response, Verdict


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One GET, ready to be sent.

    Attributes
    ----------
    source, host_name : str
    key_name : str or None
        Name of the key it spends, for budgets and records; the secret is only in `url`/`headers`.
    url : str
        Complete, with the secret where the provider wants it; never in `repr`, never stored.
    headers : Mapping[str, str]
    line : RequestLine
        The same request without secrets, for verdicts and records.
    """

    source: str
    host_name: str
    key_name: str | None
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    line: RequestLine


class Provider(Protocol):
    """One provider's language."""

    @property
    def name(self) -> str:
        """What configurations call it."""
        ...

    def request(
        self,
        endpoint: Endpoint,
        host: Host,
        key: ApiKey | None,
        now: datetime,
        params: Mapping[str, str] | None = None,
    ) -> UpstreamRequest:
        """Build the GET for `endpoint`; `params` are laid over the endpoint's own."""
        ...

    def classify(self, response: Response, line: RequestLine) -> Verdict:
        """Judge a response by everything this provider is known to say. Never raises."""
        ...

    def read(self, body: bytes, line: RequestLine) -> Reading | Unreadable:
        """Read the numbers out of a good body. Never raises for what a body holds."""
        ...

    def smaller(
        self, endpoint: Endpoint, params: Mapping[str, str], factor: float, now: datetime
    ) -> tuple[str, Mapping[str, str]] | None:
        """Path and params that ask for about `factor` (0..1) of the rows, the newest ones.

        None where this question has no limit or window to reduce.
        """
        ...
