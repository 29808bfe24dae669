"""One simulation: market, clock, faults, quotas, log. Decides what a request gets; no sockets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from healing_pipeline.simulator.faults import Asked, Fault, FaultKind, FaultPlan
from healing_pipeline.simulator.keys import KEYED_SOURCES, default_keys, strip_key
from healing_pipeline.simulator.market import Market, seconds_of
from healing_pipeline.simulator.outcome import Delivery, Outcome, Request
from healing_pipeline.simulator.questions import Question, asked_rows
from healing_pipeline.simulator.quotas import OFF, Quotas, QuotaScale
from healing_pipeline.simulator.request_log import RequestLog, Served
from healing_pipeline.simulator.staleness import default_age_s
from healing_pipeline.simulator.upstreams import UPSTREAMS, pages
from healing_pipeline.simulator.upstreams.contract import Answer, Ask
from healing_pipeline.simulator.upstreams.yahoo_crumb import CRUMB_PATH, crumb_issued_s

_LONGEST_HOLD_S = 60.0
_ON_THE_WIRE = {
    FaultKind.NETWORK_ERROR: Delivery.CLOSE,
    FaultKind.DOWN: Delivery.RESET,
    FaultKind.RESET: Delivery.RESET_IN_BODY,
    FaultKind.SLOW_DRIP: Delivery.DRIP,
    FaultKind.HUGE_BODY: Delivery.FLOOD,
    FaultKind.SLOW: Delivery.SEND,
}


class Simulation:
    """The state behind all simulated hosts.

    Parameters
    ----------
    seed : int
        Of the market and of every share.
    epoch : datetime
        Simulated now at the start of the process.
    faults : tuple of Fault
        Planned ones, on the clock of faults.
    quotas : QuotaScale
    keys : Mapping[(source, key name), secret]
    monotonic : callable
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        seed: int,
        epoch: datetime,
        faults: tuple[Fault, ...] = (),
        quotas: QuotaScale = OFF,
        keys: Mapping[tuple[str, str], str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        known = default_keys() if keys is None else keys
        self.seed = seed
        self.market = Market(seed)
        self.log = RequestLog()
        self.planned = FaultPlan(seed, faults)
        self.added = FaultPlan(seed)
        self._next_index = len(faults)
        self._quotas = Quotas(quotas)
        self._names = {(source, secret): name for (source, name), secret in known.items()}
        self._monotonic = monotonic
        self._epoch, self._began = epoch, monotonic()
        self._started: float | None = None
        self._met: Counter[int] = Counter()
        self._hit: Counter[int] = Counter()
        self._rendered: dict[tuple[object, ...], Answer] = {}
        self._rendered_at: datetime | None = None

    def start(self) -> None:
        """Start the clock of faults; a second call changes nothing."""
        if self._started is None:
            self._started = self._monotonic()

    @property
    def uptime_s(self) -> float:
        """Seconds since the process began."""
        return self._monotonic() - self._began

    @property
    def now(self) -> datetime:
        """The simulated moment."""
        return self._epoch + timedelta(seconds=self.uptime_s)

    @property
    def at_s(self) -> float | None:
        """Seconds on the clock of faults; None before `start`."""
        return None if self._started is None else self._monotonic() - self._started

    def add(self, fault: Fault) -> Fault:
        """Let a fault begin now: added ones win over planned ones, and run while paused too."""
        added = replace(fault, index=self._next_index, at_s=self.uptime_s + fault.at_s)
        self._next_index += 1
        self.added = FaultPlan(self.seed, (*self.added.faults, added))
        return added

    def next_index(self) -> int:
        """The id of the fault that is added next."""
        return self._next_index

    def clear(self) -> int:
        """Forget every fault, planned and added; returns how many there were."""
        count = len(self.planned.faults) + len(self.added.faults)
        self.planned, self.added = FaultPlan(self.seed), FaultPlan(self.seed)
        return count

    def is_down(self, source: str, host: str) -> bool:
        """Whether a whole host refuses connections at this moment."""
        asked = Asked(source, host)
        for fault in reversed(self._on(asked)):
            if fault.match.is_whole_host:
                return fault.kind is FaultKind.DOWN
        return False

    def _on(self, asked: Asked) -> tuple[Fault, ...]:
        at_s = self.at_s
        planned = () if at_s is None else self.planned.matching(asked, at_s)
        return (*planned, *self.added.matching(asked, self.uptime_s))

    def answer(self, source: str, host: str, request: Request) -> Outcome:
        """Decide what one request gets, count it and log it."""
        now, at_s = self.now, self.at_s
        stripped = strip_key(source, request.path, request.params, request.headers)
        ask = Ask(host, stripped.path, stripped.params, stripped.secret)
        key = self._names.get((source, stripped.secret or ""))
        whole = now.replace(microsecond=0)
        asked = UPSTREAMS[source].question(ask, whole)
        rows = 1 if isinstance(asked, Answer) else asked_rows(asked)
        fault = self._meet(Asked(source, host, key, stripped.path, rows))
        if fault is not None and self._lets_through(fault, source, ask):
            fault = None
        if fault is None:
            answer = self._healthy(source, ask, key, asked, now)
            outcome = Outcome(answer, Delivery.SEND)
        else:
            variant = self._hit[fault.index]
            self._hit[fault.index] += 1
            outcome = self._faulty(fault, source, ask, key, asked, now, variant)
        self.log.append(
            Served(
                n=self.log.next_number(),
                request_id=request.headers.get("x-request-id"),
                at_s=at_s,
                now=now.isoformat(),
                source=source,
                host=host,
                key=key,
                path=stripped.path,
                params=stripped.params,
                fault=None if fault is None else fault.index,
                fault_kind=None if fault is None else fault.kind.value,
                status=None if outcome.answer is None else outcome.answer.status,
            )
        )
        return outcome

    def _meet(self, asked: Asked) -> Fault | None:
        """The fault a request meets; counts it for every fault that it matches."""
        matching = self._on(asked)
        if not matching:
            return None
        met = self.added.active(asked, self.uptime_s, self._met)
        if met is None and self.at_s is not None:
            met = self.planned.active(asked, self.at_s, self._met)
        for fault in matching:
            self._met[fault.index] += 1
        return met

    def _lets_through(self, fault: Fault, source: str, ask: Ask) -> bool:
        """Whether an ended session is all that is wrong, and this request has or wants a new one.

        A crumb counts from the second on in which the fault began.
        """
        if fault.kind is not FaultKind.AUTH_ERROR or source != "yahoo":
            return False
        if ask.path == CRUMB_PATH:
            return fault.match.path != CRUMB_PATH
        issued_s = crumb_issued_s(self.seed, ask.secret or "")
        return issued_s is not None and issued_s >= seconds_of(self._began_at(fault))

    def _healthy(
        self, source: str, ask: Ask, key: str | None, asked: Question | Answer, now: datetime
    ) -> Answer:
        refusal = self._refusal(source, ask, key, now)
        if refusal is not None:
            return refusal
        if isinstance(asked, Answer):
            return asked
        return self._render(source, ask, asked, now.replace(microsecond=0))

    def _refusal(self, source: str, ask: Ask, key: str | None, now: datetime) -> Answer | None:
        """What the provider says about the key, when it says anything."""
        if source not in KEYED_SOURCES or ask.host == "open":
            return None
        failure = UPSTREAMS[source].failure
        if ask.secret is None:
            return failure("missing_key", ask, now, 0)
        if key is None:
            return failure("auth_error", ask, now, 0)
        kind = self._quotas.refuses(source, key, now)
        return None if kind is None else failure(kind, ask, now, self.log.count)

    def _render(self, source: str, ask: Ask, question: Question, now: datetime) -> Answer:
        """The healthy body; numbers change once a second, so within one it is kept."""
        if self._rendered_at != now:
            self._rendered, self._rendered_at = {}, now
        named = (source, ask.host, ask.path, *sorted(ask.params.items()))
        answer = self._rendered.get(named)
        if answer is None:
            answer = UPSTREAMS[source].render(ask, question, self.market, now)
            self._rendered[named] = answer
        return answer

    def _faulty(
        self,
        fault: Fault,
        source: str,
        ask: Ask,
        key: str | None,
        asked: Question | Answer,
        now: datetime,
        variant: int,
    ) -> Outcome:
        kind, delay_s = fault.kind, fault.latency_s
        if kind is FaultKind.TIMEOUT:
            hold_s = min(fault.for_s, _LONGEST_HOLD_S)
            return Outcome(None, Delivery.HOLD, delay_s, hold_s)
        if kind in (FaultKind.NETWORK_ERROR, FaultKind.DOWN):
            return Outcome(None, _ON_THE_WIRE[kind], delay_s)
        if kind is FaultKind.TRUNCATE:
            answer = self._healthy(source, ask, key, asked, now)
            if variant % 2:
                return Outcome(pages.cut(answer), Delivery.SEND, delay_s)
            return Outcome(answer, Delivery.CUT, delay_s)
        if kind in _ON_THE_WIRE:
            answer = self._healthy(source, ask, key, asked, now)
            return Outcome(answer, _ON_THE_WIRE[kind], delay_s)
        answer = self._changed(fault, source, ask, key, asked, now, variant)
        if fault.retry_after_s is not None:
            headers = {**answer.headers, "retry-after": str(fault.retry_after_s)}
            answer = replace(answer, headers=headers)
        return Outcome(answer, Delivery.SEND, delay_s)

    def _changed(
        self,
        fault: Fault,
        source: str,
        ask: Ask,
        key: str | None,
        asked: Question | Answer,
        now: datetime,
        variant: int,
    ) -> Answer:
        """An answer that is wrong in what it says."""
        upstream, whole = UPSTREAMS[source], now.replace(microsecond=0)
        if fault.kind is FaultKind.GARBAGE:
            return pages.garbage(self.seed, variant)
        if fault.kind is FaultKind.WRONG_SCHEMA:
            answer = self._healthy(source, ask, key, asked, now)
            return upstream.wrong_schema(answer) if answer.status == 200 else answer
        if fault.kind not in (FaultKind.STALE_DATA, FaultKind.FROZEN_VALUE):
            return upstream.failure(fault.kind.value, ask, whole, variant)
        refusal = self._refusal(source, ask, key, now)
        if refusal is not None or isinstance(asked, Answer):
            return refusal if refusal is not None else self._healthy(source, ask, key, asked, now)
        if fault.kind is FaultKind.FROZEN_VALUE:
            since = self._began_at(fault) - timedelta(seconds=fault.age_s or 0.0)
            return upstream.render(ask, asked, self.market.frozen(since), whole)
        age_s = default_age_s(source, asked) if fault.age_s is None else fault.age_s
        then = whole - timedelta(seconds=age_s)
        old = upstream.question(ask, then)
        return old if isinstance(old, Answer) else upstream.render(ask, old, self.market, then)

    def _began_at(self, fault: Fault) -> datetime:
        """The simulated moment at which an active fault began."""
        is_added = fault in self.added.faults
        clock_s = self.uptime_s if is_added else (self.at_s or 0.0)
        began_s = fault.began_at_s(clock_s)
        return self.now - timedelta(seconds=clock_s - (clock_s if began_s is None else began_s))
