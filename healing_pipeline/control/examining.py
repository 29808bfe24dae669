"""Looking at one endpoint until it is clear what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.control.look import verdict_of
from healing_pipeline.control.own_connection import OwnConnection
from healing_pipeline.control.purse import Purse
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact, Origin, ProbeResult
from healing_pipeline.healing.parts import Clock
from healing_pipeline.incidents.detection import Begin, KnownIncident, LookAgain, Step, step_for
from healing_pipeline.incidents.own_network import LOST
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.storage.observations import ReaderEvidence

# Between a first look and the second.
SECOND_LOOK_AFTER_S = 0.25

# A second look that the budget bears only in the next minute is waited for; a later one is not.
LONGEST_WAIT_S = 61.0

PROBE_TIMEOUT_S = 2.0

# A reader's call is given up after a second: what is silent for longer is of no use to it. A probe
# that has had no answer by then is borne out by a second look beside it rather than after it, and a
# second look after a time-out has no longer.
SILENT_S = 1.0

# Probes under way at one host: half of the connections that the client keeps for a host, so that
# readers have the other half. One that hangs holds a place for two seconds; five hundred endpoints
# of a source, asked once a minute and more often once they fail, then want sixty places.
PROBES_PER_HOST = 96


@dataclass(frozen=True, slots=True)
class Finding:
    """What an examination came to.

    Attributes
    ----------
    verdict : Verdict or None
        None when the probes' share was spent.
    step : Step or None
        What is to be done; None when nothing is.
    by : Origin
        Who saw it.
    began_at : datetime or None
        Of the first bad observation.
    lag_s : float or None
        From when the probe was due to when it was sent; None for one that was not scheduled.
    """

    endpoint: Endpoint
    verdict: Verdict | None
    step: Step | None = None
    by: Origin = Origin.PROBE
    began_at: datetime | None = None
    lag_s: float | None = None

    @property
    def is_bad(self) -> bool:
        """Whether a failure was seen."""
        return self.verdict is not None and not self.verdict.is_ok


@dataclass(frozen=True, slots=True)
class _Probed:
    """One probe that was sent."""

    id: UUID
    at: datetime
    began: float
    verdict: Verdict


class Examiner:
    """Examines endpoints, many at once, within what each host is asked at the same time.

    Parameters
    ----------
    purses : Mapping[str, Purse]
        By source.
    own_connection : OwnConnection
        Asked before a lost call is anybody's fault.
    record : callable
        Takes probe results; must return at once.
    """

    def __init__(
        self,
        catalog: Catalog,
        engine: HealingEngine,
        clock: Clock,
        purses: Mapping[str, Purse],
        own_connection: OwnConnection,
        record: Callable[[Fact], None],
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._clock = clock
        self._purses = purses
        self._own_connection = own_connection
        self._record = record
        self._bulkheads: dict[str, asyncio.Semaphore] = {}
        self._hosts: dict[str, str] = {}

    async def examine(
        self,
        endpoint: Endpoint,
        incident: KnownIncident | None,
        heard: ReaderEvidence | None,
        due_at: datetime | None,
    ) -> Finding:
        """Ask until it is clear what to do.

        Parameters
        ----------
        incident : KnownIncident or None
            The endpoint's open incident.
        heard : ReaderEvidence or None
            What readers met lately.
        due_at : datetime or None
            Since when a probe is due; it is paid for. None where only readers have news.
        """
        beside: asyncio.Task[_Probed | None] | None = None
        told = verdict_of(heard, has_incident=incident is not None)
        if told is not None and heard is not None:
            # Readers asked often enough to be their own second look.
            often = (heard.good_since if told.is_ok else heard.failures) >= 2
            step = step_for(told, incident, second_look=often, now=self._clock.now())
            first, began_at = None, heard.first_at
            seen, by, began = told, Origin.READER, self._clock.monotonic() - SECOND_LOOK_AFTER_S
            lag_s = None
        else:
            first, beside = await self._first_look(endpoint, incident is None)
            if first is None:
                return Finding(endpoint, None)
            seen, by, began, began_at = first.verdict, Origin.PROBE, first.began, first.at
            lag_s = None if due_at is None else (first.at - due_at).total_seconds()
            step = step_for(seen, incident, second_look=False, now=self._clock.now())
        if not isinstance(step, LookAgain) and beside is not None:
            beside.cancel()
        elif isinstance(step, LookAgain):
            again = None
            if beside is not None:
                again = await beside
            else:
                await self._clock.sleep(SECOND_LOOK_AFTER_S)
                limit_s = SILENT_S if seen.failure_class is FailureClass.TIMEOUT else None
                # What readers told costs no first probe: the one claimed for it is unspent.
                if (told is not None and due_at is not None) or await self._paid(endpoint):
                    again = await self._probe(
                        endpoint, None if first is None else first.id, limit_s or PROBE_TIMEOUT_S
                    )
            if again is None:
                return Finding(endpoint, seen, None, by, began_at, lag_s)
            same = again.verdict.is_ok == seen.is_ok
            seen, by, began = again.verdict, Origin.PROBE, again.began
            step = step_for(seen, incident, second_look=same, now=self._clock.now())
            if isinstance(step, LookAgain):
                step = None
        if isinstance(step, Begin) and seen.failure_class in LOST:
            why = await self._own_connection.is_ours(self._host(endpoint), began)
            step = None if why else step
        return Finding(endpoint, seen, step, by, began_at, lag_s)

    async def _first_look(
        self, endpoint: Endpoint, may_begin: bool
    ) -> tuple[_Probed | None, asyncio.Task[_Probed | None] | None]:
        """Ask once, and once more beside it when that is silent; the first, and the second's task.

        Parameters
        ----------
        may_begin : bool
            Whether a failure would begin an incident, so that it needs a second look.
        """
        own_id = self._engine.new_id()
        first = asyncio.ensure_future(self._probe(endpoint, None, PROBE_TIMEOUT_S, own_id))
        beside: asyncio.Task[_Probed | None] | None = None
        try:
            done, _ = await asyncio.wait({first}, timeout=SILENT_S)
            if not done and may_begin:
                beside = asyncio.ensure_future(self._beside(endpoint, own_id))
            return await first, beside
        except BaseException:
            first.cancel()
            if beside is not None:
                beside.cancel()
            raise

    async def _beside(self, endpoint: Endpoint, confirms: UUID) -> _Probed | None:
        if not await self._paid(endpoint):
            return None
        return await self._probe(endpoint, confirms, SILENT_S)

    async def _paid(self, endpoint: Endpoint) -> bool:
        """Pay for a second look, if need be in a minute."""
        purse = self._purses[endpoint.source]
        opens_at = await purse.buy()
        if opens_at is None:
            return True
        wait_s = (opens_at - self._clock.now()).total_seconds()
        if wait_s > LONGEST_WAIT_S:
            return False
        await self._clock.sleep(max(0.0, wait_s))
        return await purse.buy() is None

    async def _probe(
        self,
        endpoint: Endpoint,
        confirms: UUID | None,
        limit_s: float = PROBE_TIMEOUT_S,
        own_id: UUID | None = None,
    ) -> _Probed | None:
        """Ask once; None when our own limits kept it back: that says nothing of the endpoint."""
        host = self._host(endpoint)
        async with self._bulkhead(host):
            at, began = self._clock.now(), self._clock.monotonic()
            seen = await self._engine.observe(endpoint.id, timeout_s=limit_s)
        if not seen.sent:
            return None
        result = ProbeResult(
            id=own_id or self._engine.new_id(),
            at=at,
            source=endpoint.source,
            endpoint=endpoint.id,
            host=seen.request.host_name,
            key_name=seen.request.key_name,
            failure_class=seen.verdict.failure_class,
            evidence=seen.verdict.evidence,
            seconds=seen.response.elapsed_s,
            status=seen.response.status,
            as_of=None if seen.reading is None else seen.reading.as_of,
            confirms=confirms,
        )
        self._record(result)
        self._own_connection.heard(host, began, answered=seen.verdict.failure_class not in LOST)
        return _Probed(result.id, at, began, seen.verdict)

    def _host(self, endpoint: Endpoint) -> str:
        """Whom a probe of the endpoint asks, as ``host:port``."""
        known = self._hosts.get(endpoint.id)
        if known is None:
            source = self._catalog.sources[endpoint.source]
            request = self._engine.provider_of(endpoint.id).request(
                endpoint,
                source.hosts[0],
                source.keys[0] if source.keys else None,
                self._clock.now(),
            )
            known = self._hosts[endpoint.id] = urlsplit(request.url).netloc
        return known

    def _bulkhead(self, host: str) -> asyncio.Semaphore:
        if host not in self._bulkheads:
            self._bulkheads[host] = asyncio.Semaphore(PROBES_PER_HOST)
        return self._bulkheads[host]
