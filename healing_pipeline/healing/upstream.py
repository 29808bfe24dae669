"""Asking an upstream under a deadline, and judging what comes back.

`Asking` is what strategies see as `Upstream`: it counts calls and seconds, cuts every wait at the
deadline, and passes each response through the provider's rules and the last gate (`validation`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.healing.strategy import Observation
from healing_pipeline.healing.validation import judge
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import Response, Verdict
from healing_pipeline.providers.provider import Provider, UpstreamRequest

Send = Callable[[UpstreamRequest, float], Awaitable[Response]]
"""Sends one request within so many seconds; returns a `Response` whatever happens."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as an argument.

    Attributes
    ----------
    now : callable
        Aware UTC wall time.
    monotonic : callable
        Seconds that never go back.
    sleep : callable
        Awaits so many seconds.
    """

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


class Asking:
    """One reader's dealings with upstreams, metered against one deadline."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        provider: Provider,
        send: Send,
        clock: Clock,
        random: Callable[[], float],
        deadline_at: float,
        last: Reading | None,
    ) -> None:
        self._endpoint = endpoint
        self._provider = provider
        self._send = send
        self._clock = clock
        self._random = random
        self._deadline_at = deadline_at
        self._last = last
        self.calls = 0
        self.latest: Observation | None = None

    @property
    def remaining_s(self) -> float:
        """Seconds to the deadline, never negative."""
        return max(0.0, self._deadline_at - self._clock.monotonic())

    async def ask(self, request: UpstreamRequest, timeout_s: float) -> Observation:
        """Send once, judge once."""
        self.calls += 1
        response = await self._send(request, min(timeout_s, self.remaining_s))
        self.latest = self._judged(request, response)
        return self.latest

    async def wait(self, seconds: float) -> None:
        """Wait, but not past the deadline."""
        await self._clock.sleep(min(seconds, self.remaining_s))

    def now(self) -> datetime:
        """The wall time."""
        return self._clock.now()

    def jitter(self) -> float:
        """A number in [0, 1)."""
        return self._random()

    def _judged(self, request: UpstreamRequest, response: Response) -> Observation:
        verdict = self._provider.classify(response, request.line)
        if not verdict.is_ok:
            return Observation(request, response, verdict, None)
        read = self._provider.read(response.body, request.line)
        if isinstance(read, Unreadable):
            verdict = Verdict(FailureClass.INVALID_DATA, read.evidence)
            return Observation(request, response, verdict, None)
        objection = judge(read, self._endpoint, self._last, self._clock.now())
        if objection is not None:
            return Observation(request, response, objection, None)
        return Observation(request, response, verdict, read)
