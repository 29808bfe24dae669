"""The shape of a strategy: what it is given, what it may spend, what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Protocol

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host, Source
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import Response, Verdict
from healing_pipeline.providers.provider import Asked, Provider, UpstreamRequest


@dataclass(frozen=True, slots=True)
class Cost:
    """A ceiling: a strategy that spends more breaks its word.

    Attributes
    ----------
    upstream_calls : int
        Sent at most.
    seconds : float
        Of its own waiting and of the time limits it sets on its calls.
    worst : Fidelity
        The worst label it may answer with.
    """

    upstream_calls: int
    seconds: float
    worst: Fidelity


@dataclass(frozen=True, slots=True)
class Applicability:
    """Whether a strategy fits a situation, and because of what; shown for those not tried too.

    Attributes
    ----------
    ok : bool
    because : str
        For a person, in a few words.
    """

    ok: bool
    because: str


# Clocks of several machines differ by some seconds. What is further ahead of ours was written
# before a clock was set back, and nobody knows how old it is.
MOST_AHEAD = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last good data of one question.

    Attributes
    ----------
    fetched_at : datetime
        When the provider gave it, aware UTC.
    reading, body
        The numbers, and the provider's own form of them.
    provider : str
        Name of the source that gave it.
    fidelity : Fidelity
        How close it was to what was asked then.
    """

    fetched_at: datetime
    reading: Reading
    body: bytes
    provider: str
    fidelity: Fidelity = Fidelity.EXACT


@dataclass(frozen=True, slots=True)
class Way:
    """One host and key by which a source can be asked.

    Attributes
    ----------
    is_open : bool
        Whether breaker, quota and token bucket let a call through now. A way that is not open may
        still be asked when it is the last one.
    why_closed : str
        For a person; empty when open.
    """

    host: Host
    key: ApiKey | None
    is_open: bool = True
    why_closed: str = ""


@dataclass(frozen=True, slots=True)
class Alternate:
    """Another endpoint of the catalog that carries the same data, and the way to ask it."""

    endpoint: Endpoint
    source: Source
    provider: Provider
    way: Way


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when a plan is made: the question, what it met, what is left.

    Attributes
    ----------
    host, key
        The way the plain attempt took.
    params : Mapping[str, str] or None
        The reader's own, laid over the endpoint's.
    failure : Verdict
        What the last plain attempt met.
    now : datetime
    remaining_s : float
        Seconds left of the reader's deadline.
    accepts : frozenset of Fidelity
    snapshot : Snapshot or None
    attempt_timeout_s : float
        The time limit of one upstream call.
    source : Source or None
        The endpoint's.
    path : str or None
        The reader's own path, in place of the endpoint's; of the same subject.
    ways : tuple of Way
        Every host and key of the source, in order of preference, the one taken included.
    alternates : tuple of Alternate
        In the catalog's order.
    """

    endpoint: Endpoint
    provider: Provider
    host: Host
    key: ApiKey | None
    params: Mapping[str, str] | None
    failure: Verdict
    now: datetime
    remaining_s: float
    accepts: frozenset[Fidelity]
    snapshot: Snapshot | None
    attempt_timeout_s: float
    source: Source | None = None
    path: str | None = None
    ways: tuple[Way, ...] = ()
    alternates: tuple[Alternate, ...] = ()

    @property
    def asked(self) -> Asked:
        """Path and parameters of the question, date marks not filled in."""
        path = self.endpoint.path if self.path is None else self.path
        return path, {**self.endpoint.params, **(self.params or {})}

    def request(
        self,
        *,
        path: str | None = None,
        params: Mapping[str, str] | None = None,
        host: Host | None = None,
        key: ApiKey | None = None,
    ) -> UpstreamRequest:
        """The question as a request; what is given replaces the plain attempt's.

        `params`, where given, replace the endpoint's parameters and the reader's altogether.
        """
        own_path, asked = self.asked
        endpoint = replace(
            self.endpoint,
            path=own_path if path is None else path,
            params=MappingProxyType(dict(asked if params is None else params)),
        )
        return self.provider.request(
            endpoint, host or self.host, self.key if key is None else key, self.now, None
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """One upstream call, judged.

    Attributes
    ----------
    reading : Reading or None
        Set exactly when `verdict` is ok.
    sent : bool
        False when nothing left the house: our own limits refused the call. `response` then holds
        nothing and `verdict` says which limit.
    """

    request: UpstreamRequest
    response: Response
    verdict: Verdict
    reading: Reading | None
    sent: bool = True


class Upstream(Protocol):
    """What a strategy may do to the world: ask, and wait. Both count against the deadline."""

    async def ask(
        self, request: UpstreamRequest, timeout_s: float, by: Alternate | None = None
    ) -> Observation:
        """Send one request and judge what comes back; never raises for the upstream's faults.

        `by` names the alternate that is asked, where it is not the endpoint's own source: its
        provider then judges the answer. Our own limits (breaker, retry budget, token bucket,
        ledger) may refuse; that is an `Observation` that was not sent.
        """
        ...

    async def ask_merged(self, situation: Situation, window_s: float, size: int) -> Observation:
        """Ask together with others who ask the like within `window_s`: one call for up to `size`.

        The observation's reading is the part that answers this question.
        """
        ...

    async def wait(self, seconds: float) -> None:
        """Let time pass, with jitter already in `seconds`."""
        ...

    def now(self) -> datetime:
        """The wall time, aware UTC."""
        ...

    def jitter(self) -> float:
        """A number in [0, 1) from the injected source of randomness."""
        ...

    def session(self, host: Host) -> str | None:
        """The session token last learned for a host of this source; None when there is none."""
        ...

    def learn_session(self, host: Host, token: str) -> None:
        """Keep a session token, for this request and those to come."""
        ...


@dataclass(frozen=True, slots=True)
class Healed:
    """Data of an honest label.

    Attributes
    ----------
    fidelity : Fidelity
        No better than the data is.
    reading : Reading
    body : bytes
        In the form of the provider that was asked for, whoever served it.
    fetched_at : datetime
        When the data came from whoever served it.
    provider : str
        Name of the source that served it.
    evidence : str
        What was done, for a person.
    """

    fidelity: Fidelity
    reading: Reading
    body: bytes
    fetched_at: datetime
    provider: str
    evidence: str


@dataclass(frozen=True, slots=True)
class NotHealed:
    """What stood in the way.

    Attributes
    ----------
    verdict : Verdict
        What was met last; the situation's own failure where nothing was asked.
    """

    verdict: Verdict


class Strategy(Protocol):
    """One remedy. Frozen; its fields are the parameters that learning may tune."""

    name: ClassVar[str]

    @property
    def cost(self) -> Cost:
        """The most it will spend."""
        ...

    def applies(self, situation: Situation) -> Applicability:
        """Whether it fits, with the reason. Pure."""
        ...

    async def heal(self, situation: Situation, upstream: Upstream) -> Healed | NotHealed:
        """Try it, within `cost` and `situation.remaining_s`."""
        ...
