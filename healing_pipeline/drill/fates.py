"""What became of each reader's request, from its attempts, the script and the simulator's log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.judge import SHARED_WITHIN
from healing_pipeline.drill.schedule import Arrival
from healing_pipeline.drill.ways import asked_of
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.facts import Attempt, Fact, ProbeResult
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.simulator.faults import Fault, FaultKind, FaultPlan

# A call that was not made would more likely have met a fault of this share than not.
LIKELY = 0.5

# What a healthy body is wrongly called when it is called anything; other verdicts on a call that
# met no fault of the script have a cause beside it: a busy machine, a spent quota.
MISJUDGED = frozenset({FailureClass.INVALID_DATA, FailureClass.STALE_DATA, FailureClass.EMPTY})


@dataclass(frozen=True, slots=True)
class Read:
    """One reader's request and its end.

    Attributes
    ----------
    token : str
        The mark of its upstream calls.
    """

    arrival: Arrival
    token: str
    asked_at: datetime
    answered_at: datetime
    end: Answer | HealingFailed


Served = Mapping[str, Any]
"""A line of the simulator's log."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a drill when it is over.

    Attributes
    ----------
    log : Mapping[str, Served]
        By the mark of the call, ``reader.number``.
    attempts : Mapping[UUID, sequence of Attempt]
        By request, in order.
    with_session : set of str
        Marks of the calls that carried a session.
    """

    catalog: Catalog
    plan: FaultPlan
    started_at: datetime
    log: Mapping[str, Served]
    attempts: Mapping[UUID, Sequence[Attempt]]
    with_session: Set[str] = frozenset()

    def at_s(self, moment: datetime) -> float:
        """Seconds of the drill."""
        return (moment - self.started_at) / timedelta(seconds=1)

    def tried(self, read: Read) -> Sequence[Attempt]:
        """The attempts of a request; none for who shared another's answer."""
        return self.attempts.get(read.end.request_id, ())

    def calls(self, read: Read) -> Iterator[tuple[Attempt, tuple[Served, ...]]]:
        """Each attempt with those of its calls that arrived."""
        number = 0
        for attempt in self.tried(read):
            marks = [f"{read.token}.{number + each + 1}" for each in range(attempt.upstream_calls)]
            number += attempt.upstream_calls
            yield attempt, tuple(self.log[mark] for mark in marks if mark in self.log)

    def likely(
        self, endpoint_id: str, moment: datetime, host: str | None = None, key: str | None = None
    ) -> Fault | None:
        """The fault that a call at a moment would more likely meet than not.

        Of the plain call, or of the one by a host and key of the endpoint's own source.
        """
        endpoint = self.catalog.endpoints[endpoint_id]
        source = self.catalog.sources[endpoint.source]
        asked = asked_of(self.catalog, endpoint, moment)
        if host is not None:
            if host not in {each.name for each in source.hosts}:
                return None
            asked = replace(asked, host=host, key=key)
        matching = self.plan.matching(asked, self.at_s(moment))
        return next((each for each in reversed(matching) if each.match.share >= LIKELY), None)


@dataclass(frozen=True, slots=True)
class Fate:
    """How the plain question of one request fared, or would have.

    Attributes
    ----------
    hit : bool
        Whether a plain call failed or lied, or would have.
    fault : Fault or None
        The script's, where it is known.
    misjudged : bool
        Whether a plain call brought good data that was called bad.
    healing_from_s : float
        Seconds from the asking to the end of the plain call; 0 where none was made.
    by_session : bool
        Whether the plain call was good only for the session that it carried, which healing had
        fetched for a request before.
    """

    hit: bool
    fault: Fault | None
    misjudged: bool
    healing_from_s: float
    by_session: bool = False


def fate_of(read: Read, evidence: Evidence) -> Fate:
    """Work out the fate of a request that made its own attempts."""
    faults = {each.index: each for each in evidence.plan.faults}
    first = next(evidence.calls(read), None)
    if first is None or first[0].strategy != PLAIN or not first[0].upstream_calls:
        # No plain call was sent: a breaker or our own limits kept it back. What would it have met?
        fault = evidence.likely(read.arrival.endpoint, read.asked_at)
        return Fate(fault is not None, fault, misjudged=False, healing_from_s=0.0)
    attempt, arrived = first
    served = arrived[0] if arrived else None
    if served is not None and served["fault"] is not None:
        fault = faults.get(int(served["fault"]))
        return Fate(True, fault, misjudged=False, healing_from_s=attempt.seconds)
    if attempt.failure_class == FailureClass.OK:
        ended = _ended_session(read, attempt, evidence)
        if ended is not None:
            return Fate(True, ended, False, healing_from_s=attempt.seconds, by_session=True)
        return Fate(False, None, misjudged=False, healing_from_s=attempt.seconds)
    misjudged = (
        served is not None
        and served["status"] == 200
        and FailureClass(attempt.failure_class) in MISJUDGED
    )
    fault = None if served is not None else evidence.likely(attempt.endpoint, attempt.at)
    return Fate(not misjudged, fault, misjudged, healing_from_s=attempt.seconds)


def _ended_session(read: Read, plain: Attempt, evidence: Evidence) -> Fault | None:
    """The fault that a good plain call would have met without the session that it carried."""
    if f"{read.token}.1" not in evidence.with_session:
        return None
    fault = evidence.likely(plain.endpoint, plain.at, plain.host, plain.key_name)
    return fault if fault is not None and fault.kind is FaultKind.AUTH_ERROR else None


def leaders(reads: Sequence[Read], evidence: Evidence) -> dict[str, Read]:
    """By the token of each request without an attempt: the one whose answer it shared.

    Of those that asked for the same endpoint at most a moment before, and were not answered yet:
    the one whose very reading it was given, else the last to ask.
    """
    asking: dict[str, list[Read]] = {}
    for each in reads:
        if evidence.tried(each):
            asking.setdefault(each.arrival.endpoint, []).append(each)
    found = {}
    for read in reads:
        if evidence.tried(read):
            continue
        possible = [
            each
            for each in asking.get(read.arrival.endpoint, ())
            if read.asked_at - SHARED_WITHIN <= each.asked_at <= read.asked_at <= each.answered_at
        ]
        if possible:
            found[read.token] = max(
                possible, key=lambda each: (_is_same(each, read), each.asked_at)
            )
    return found


def _is_same(one: Read, other: Read) -> bool:
    if isinstance(one.end, Answer) and isinstance(other.end, Answer):
        return one.end.reading is other.end.reading
    return type(one.end) is type(other.end)


@dataclass(frozen=True, slots=True)
class Sightings:
    """Who noticed which fault when: (fault index, seconds of the drill)."""

    seen: tuple[tuple[int, float], ...]

    def first(self, fault: Fault) -> float | None:
        """Seconds from the fault's begin to the first that noticed it; None when nobody did."""
        after = [at_s - fault.at_s for index, at_s in self.seen if index == fault.index]
        return min((each for each in after if each >= 0), default=None)


def sightings(reads: Iterable[Read], facts: Iterable[Fact], evidence: Evidence) -> Sightings:
    """Every recognised failure, by the fault that caused it.

    A call that arrived is looked up in the simulator's log. One that did not (a refused
    connection), and one of the control loop, is laid to the fault that covered it then.
    """
    seen: list[tuple[int, float]] = []
    for read in reads:
        for attempt, arrived in evidence.calls(read):
            if attempt.failure_class == FailureClass.OK or not attempt.upstream_calls:
                continue
            end_s = evidence.at_s(attempt.at) + attempt.seconds
            met = {int(each["fault"]) for each in arrived if each["fault"] is not None}
            if not arrived:
                fault = evidence.likely(
                    attempt.endpoint, attempt.at, attempt.host, attempt.key_name
                )
                met = set() if fault is None else {fault.index}
            seen += [(index, end_s) for index in met]
    for fact in facts:
        if isinstance(fact, ProbeResult) and fact.failure_class != FailureClass.OK:
            fault = evidence.likely(fact.endpoint, fact.at, fact.host, fact.key_name)
            if fault is not None:
                seen.append((fault.index, evidence.at_s(fact.at) + fact.seconds))
    return Sightings(tuple(seen))
