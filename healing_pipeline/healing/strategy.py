"""The shape of a strategy: what it is given, what it may spend, what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Protocol

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import Response, Verdict
from healing_pipeline.providers.provider import Provider, UpstreamRequest


@dataclass(frozen=True, slots=True)
class Cost:
    """A ceiling: a strategy that spends more breaks its word.

    Attributes
    ----------
    upstream_calls : int
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
    """Whether a strategy fits a situation, and because of what; shown for those not tried too."""

    ok: bool
    because: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last good data of one question.

    Attributes
    ----------
    fetched_at : datetime
        When the provider gave it, aware UTC.
    """

    fetched_at: datetime
    reading: Reading
    body: bytes
    provider: str
    fidelity: Fidelity = Fidelity.EXACT


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when a plan is made: the question, what it met, what is left.

    Attributes
    ----------
    failure : Verdict
        What the last plain attempt met.
    remaining_s : float
        Seconds left of the reader's deadline.
    accepts : frozenset of Fidelity
    snapshot : Snapshot or None
    attempt_timeout_s : float
        The time limit of one upstream call.
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

    def request(
        self, *, path: str | None = None, params: Mapping[str, str] | None = None
    ) -> UpstreamRequest:
        """The question as a request; `path` and `params` replace the reader's own."""
        endpoint = self.endpoint if path is None else replace(self.endpoint, path=path)
        asked = self.params if params is None else params
        return self.provider.request(endpoint, self.host, self.key, self.now, asked)


@dataclass(frozen=True, slots=True)
class Observation:
    """One upstream call, judged.

    Attributes
    ----------
    reading : Reading or None
        Set exactly when `verdict` is ok.
    """

    request: UpstreamRequest
    response: Response
    verdict: Verdict
    reading: Reading | None


class Upstream(Protocol):
    """What a strategy may do to the world: ask, and wait. Both count against the deadline."""

    async def ask(self, request: UpstreamRequest, timeout_s: float) -> Observation:
        """Send one request and judge what comes back; never raises for the upstream's faults."""
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


@dataclass(frozen=True, slots=True)
class Healed:
    """Data of an honest label."""

    fidelity: Fidelity
    reading: Reading
    body: bytes
    fetched_at: datetime
    provider: str
    evidence: str


@dataclass(frozen=True, slots=True)
class NotHealed:
    """What stood in the way."""

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
