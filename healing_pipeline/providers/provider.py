"""What a provider's folder has to offer: requests out, verdicts and readings in.

A provider is pure: it opens no socket, reads no clock and no environment. Everything it needs comes
as an argument, so that a recorded body, a simulated one and a live one take the same path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


Asked = tuple[str, Mapping[str, str]]
"""A question without host and key: path and parameters, as `Provider.request` takes them."""


class SessionRules(Protocol):
    """How a provider hands out a session that some of its questions need (Yahoo's crumb)."""

    def ask(self, source: str, host: Host) -> UpstreamRequest:
        """The GET whose answer holds a new session."""
        ...

    def token(self, response: Response) -> str | None:
        """The session in that answer; None where there is none. Never raises."""
        ...

    def applied(self, request: UpstreamRequest, token: str) -> UpstreamRequest:
        """The request with the session in it."""
        ...


class Provider(Protocol):
    """One provider's language.

    `spoken.Spoken` builds one from functions, with an honest default ("cannot") for each that a
    provider has nothing to say to.
    """

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

    def examine(self, response: Response, line: RequestLine) -> tuple[Verdict, Reading | None]:
        """`classify` and `read` in one go, the body parsed once; a reading exactly when ok."""
        ...

    def subject(self, path: str, params: Mapping[str, str]) -> tuple[str, ...]:
        """What a question is about, its window left aside: function, instrument, interval.

        Two questions of one subject ask for the same numbers over other windows. A reader may
        change an endpoint's window, never its subject. Date marks may be filled in or not.
        """
        ...

    def substituted(self, path: str, params: Mapping[str, str], instrument: str) -> Asked | None:
        """The same question about another instrument or series; None where that makes no sense."""
        ...

    def daily(self, path: str, params: Mapping[str, str], now: datetime) -> Asked | None:
        """The same question by daily bars, for one that asks for bars within the day; else None."""
        ...

    def merged(self, questions: Sequence[Asked]) -> Asked | None:
        """One question whose answer holds the answers to all of these; None where there is none."""
        ...

    def part(self, reading: Reading, path: str, params: Mapping[str, str]) -> Reading | None:
        """The answer to one question out of the reading of a merged one; None when not in it."""
        ...

    def rendered(
        self, reading: Reading, path: str, params: Mapping[str, str], now: datetime
    ) -> bytes | None:
        """A body in this provider's own form that says what `reading` says; None where it cannot.

        ``read(rendered(reading), line)`` is `reading` again, so that a client of this provider can
        be answered with numbers that came from another one.
        """
        ...

    @property
    def session(self) -> SessionRules | None:
        """How sessions are had; None for a provider without them."""
        ...
