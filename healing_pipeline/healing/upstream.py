"""Asking an upstream under a deadline, and judging what comes back.

`Asking` is what strategies see as `Upstream`: it counts calls and seconds, cuts every wait at the
deadline, asks the guard before each call, and passes each response through the provider's rules
and the last gate (`validation`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from healing_pipeline.catalog.values import Endpoint, Host
from healing_pipeline.healing.account import Question
from healing_pipeline.healing.parts import Parts
from healing_pipeline.healing.strategy import Alternate, Observation, Situation
from healing_pipeline.healing.validation import judge
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import Response, Verdict
from healing_pipeline.providers.provider import Asked, Provider, UpstreamRequest

# A plain call, a race of two and one last try: more would be load on an upstream that has trouble
# as it is. The mean is far lower, because breakers and stored data come in between.
MOST_CALLS = 4

# Longer bodies take milliseconds and more to read, in which nobody else would be served.
READ_AT_ONCE = 256 * 1024

NOTHING_SENT = Response()


class Asking:
    """One reader's dealings with upstreams, metered against one deadline.

    Attributes
    ----------
    calls : int
        Upstream calls made.
    latest : Observation or None
        The last of them.
    refused : Observation or None
        The last call that was not let through: its quota is spent, or its way is closed.
    met : Verdict or None
        What the request is being healed of.
    waited_s : float
        Seconds that strategies let pass, all together.
    held_back : bool
        Whether the retry budget refused a call since this was last set to False.
    """

    __slots__ = (
        "_deadline_at",
        "_parts",
        "_question",
        "calls",
        "held_back",
        "latest",
        "met",
        "refused",
        "waited_s",
    )

    def __init__(self, question: Question, parts: Parts, deadline_at: float) -> None:
        self._question = question
        self._parts = parts
        self._deadline_at = deadline_at
        self.calls = 0
        self.latest: Observation | None = None
        self.refused: Observation | None = None
        self.met: Verdict | None = None
        self.waited_s = 0.0
        self.held_back = False

    @property
    def remaining_s(self) -> float:
        """Seconds to the deadline, never negative."""
        return max(0.0, self._deadline_at - self._parts.clock.monotonic())

    async def plain(self, request: UpstreamRequest, timeout_s: float, *, last: bool) -> Observation:
        """Send the question itself; with `last`, even where a breaker would keep it back."""
        question = self._question
        return await self._ask(
            request,
            timeout_s,
            question.endpoint,
            question.provider,
            own=True,
            healing=False,
            last=last,
        )

    async def ask(
        self, request: UpstreamRequest, timeout_s: float, by: Alternate | None = None
    ) -> Observation:
        """Send once, judge once."""
        if self.calls >= MOST_CALLS:
            return self._refused(request, f"{MOST_CALLS} calls were made for this request already")
        if by is not None:
            # To the other source this is a first call, no repetition of one that failed there.
            return await self._ask(
                request, timeout_s, by.endpoint, by.provider, own=False, healing=False
            )
        question, own = self._question, self._is_own(request)
        return await self._ask(request, timeout_s, question.endpoint, question.provider, own=own)

    async def ask_merged(self, situation: Situation, window_s: float, size: int) -> Observation:
        """Send one question for several readers."""

        async def ask(asked: Asked) -> Observation:
            request = situation.request(path=asked[0], params=asked[1])
            return await self.ask(request, situation.attempt_timeout_s)

        clock = self._parts.clock
        seen, led = await self._parts.batches.ask(situation, ask, clock.sleep, window_s, size)
        if not led:
            self.latest = seen
        if seen.reading is None or self._is_own(seen.request):
            return seen
        # The merged answer was judged as a whole; its part has to pass the gate of this question.
        objection = self._objection(seen.reading, situation.endpoint, own=True)
        return seen if objection is None else replace(seen, verdict=objection, reading=None)

    async def wait(self, seconds: float) -> None:
        """Wait, but not past the deadline."""
        seconds = min(seconds, self.remaining_s)
        self.waited_s += seconds
        await self._parts.clock.sleep(seconds)

    def now(self) -> datetime:
        """The wall time."""
        return self._parts.clock.now()

    def jitter(self) -> float:
        """A number in [0, 1)."""
        return self._parts.random()

    def session(self, host: Host) -> str | None:
        """The session token last learned for a host."""
        return self._parts.sessions.get((self._question.endpoint.source, host.name))

    def learn_session(self, host: Host, token: str) -> None:
        """Keep a session token."""
        self._parts.sessions[self._question.endpoint.source, host.name] = token

    async def _ask(
        self,
        request: UpstreamRequest,
        timeout_s: float,
        endpoint: Endpoint,
        provider: Provider,
        *,
        own: bool,
        healing: bool = True,
        last: bool = False,
    ) -> Observation:
        parts, clock = self._parts, self._parts.clock
        way = parts.guard.way_of(request)
        began = clock.monotonic()
        refusal = parts.guard.admit(
            request.source,
            way,
            origin=self._question.origin,
            healing=healing,
            now=began,
            wall_now=self._question.began_at,
            last=last,
        )
        if refusal is not None:
            if healing and not parts.guard.bears_healing(request.source):
                self.held_back = True
            return self._refused(request, refusal)
        self.calls += 1
        seen: Observation | None = None
        headers: Mapping[str, str] = {}
        try:
            response = await parts.send(request, min(timeout_s, self._deadline_at - began))
            headers = response.headers
            verdict, reading = await self._examined(provider, request, response)
            if reading is not None:
                verdict = self._objection(reading, endpoint, own=own) or verdict
            seen = Observation(request, response, verdict, reading if verdict.is_ok else None)
            self.latest = seen
            return seen
        finally:
            # Without a verdict the call was given up by us (a race that another won, a reader who
            # left): that says nothing about the way.
            now = clock.monotonic()
            parts.guard.done(
                request.source,
                way,
                verdict_class=None if seen is None else seen.verdict.failure_class,
                headers=headers,
                seconds=now - began,
                now=now,
                wall_now=self._question.began_at,
                healing=healing,
            )

    async def _examined(
        self, provider: Provider, request: UpstreamRequest, response: Response
    ) -> tuple[Verdict, Reading | None]:
        """What the provider's rules say; a long body is read beside the event loop, not in it."""
        if len(response.body) <= READ_AT_ONCE:
            return provider.examine(response, request.line)
        try:
            async with asyncio.timeout(self.remaining_s):
                return await asyncio.to_thread(provider.examine, response, request.line)
        except TimeoutError:
            evidence = f"{len(response.body):,} bytes came, too many to read in the time left"
            return Verdict(FailureClass.TIMEOUT, evidence), None

    def _objection(self, reading: Reading, endpoint: Endpoint, *, own: bool) -> Verdict | None:
        """What the last gate says of a reading, held against the last good one of its kind."""
        parts, question = self._parts, self._question
        mine = endpoint is question.endpoint
        key = (endpoint.id, question.key if mine else "")
        snapshot = parts.snapshots.get(*key)
        if mine and not own and (snapshot is None or not _are_alike(reading, snapshot.reading)):
            # Another instrument or other bars: an account of its own, and no claim on how old the
            # newest number may be.
            key = (endpoint.id, f"{question.key}|{reading.instrument}|{reading.interval}")
            endpoint, snapshot = replace(endpoint, max_age_s=None), None
        elif mine and question.key and endpoint.max_age_s is not None:
            # A window of the reader's own may have ended long ago.
            endpoint = replace(endpoint, max_age_s=None)
        now = parts.clock.now()
        last = None if snapshot is None else snapshot.reading
        objection = judge(reading, endpoint, last, now) or parts.scrutiny.examine(
            key, reading, endpoint, snapshot, now
        )
        if objection is None and not mine:
            parts.scrutiny.corroborate((question.endpoint.id, question.key), reading, now)
        return objection

    def _is_own(self, request: UpstreamRequest) -> bool:
        """Whether a request asks this very question, by whichever way."""
        line = self._question.line
        return request.line.path == line.path and request.line.params == line.params

    def _refused(self, request: UpstreamRequest, why: str) -> Observation:
        known = FailureClass.RATE_LIMIT if self.met is None else self.met.failure_class
        self.refused = Observation(request, NOTHING_SENT, Verdict(known, why), None, sent=False)
        return self.refused


def _are_alike(reading: Reading, last: Reading) -> bool:
    return reading.instrument == last.instrument and reading.interval == last.interval
