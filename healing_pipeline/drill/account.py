"""The account of a drill: its reads, the simulator's log and the database, joined into a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import Connection

from healing_pipeline.drill.judge import fault_of
from healing_pipeline.drill.score import Books, FaultSeen, Outcome, score
from healing_pipeline.drill.world import asked_of, line_of, ways_to
from healing_pipeline.healing.answer import PLAIN, Answer
from healing_pipeline.healing.facts import AnswerFact, Attempt, Fact, ProbeResult
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies.use_cached_data import UseCachedData
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.simulator.faults import Asked, Fault, FaultPlan
from healing_pipeline.simulator.truth import Truth, digest
from healing_pipeline.storage.counts import fact_ids, incident_counts

if TYPE_CHECKING:
    from healing_pipeline.drill.run import Drill, Read

# A call that was not made would more likely have met a fault of this share than not.
LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class Sightings:
    """Who noticed which fault when: (fault index, seconds of the drill)."""

    seen: tuple[tuple[int, float], ...]

    def first(self, fault: Fault) -> float | None:
        """Seconds from the fault's begin to the first that noticed it; None when nobody did."""
        after = [at_s - fault.at_s for index, at_s in self.seen if index == fault.index]
        return min((each for each in after if each >= 0), default=None)


def account_of(drill: Drill, connection: Connection[Any]) -> dict[str, Any]:
    """Join everything and score it."""
    log = {str(each["request_id"]): each for each in drill.simulator.control.log()}
    plan = FaultPlan(drill.seed, drill.scenario.faults)
    answers = {
        fact.request_id: fact for fact in drill.telling.facts if isinstance(fact, AnswerFact)
    }
    attempts: dict[UUID, list[Attempt]] = {}
    for fact in drill.telling.facts:
        if isinstance(fact, Attempt):
            attempts.setdefault(fact.request_id, []).append(fact)
    truth = Truth(drill.seed)
    outcomes = [
        _outcome(drill, read, answers[read.end.request_id], attempts, log, plan, truth)
        for read in drill.reads
    ]
    sightings = _sightings(drill, attempts, log, plan)
    met = Counter(each["fault"] for each in log.values() if each["fault"] is not None)
    in_time = [each for each in drill.scenario.faults if each.at_s < drill.duration_s]
    report = score(
        scenario=drill.scenario.name,
        seed=drill.seed,
        duration_s=drill.duration_s,
        outcomes=outcomes,
        faults=[
            FaultSeen(
                index=each.index,
                fault=each.kind,
                source=each.match.source or "all",
                at_s=each.at_s,
                for_s=each.for_s,
                detected_after_s=sightings.first(each),
                met=met[each.index],
            )
            for each in in_time
        ],
        books=_books(drill, connection),
    )
    report["truth_digest"] = _digest(drill)
    return report


def _outcome(
    drill: Drill,
    read: Read,
    fact: AnswerFact,
    attempts: Mapping[UUID, list[Attempt]],
    log: Mapping[str, Mapping[str, Any]],
    plan: FaultPlan,
    truth: Truth,
) -> Outcome:
    endpoint = drill.catalog.endpoints[read.arrival.endpoint]
    source = drill.catalog.sources[endpoint.source]
    answer = read.end if isinstance(read.end, Answer) else None
    if answer is not None and answer.fidelity not in endpoint.accepts:
        # The engine should never hand it out; its word is not what is scored here.
        answer = None
    tried = attempts.get(read.end.request_id, [])
    wrong = None
    if answer is not None:
        wrong = fault_of(
            answer,
            provider=source.provider,
            line=line_of(drill.catalog, endpoint, answer.fetched_at),
            truth=truth,
            asked_at=read.asked_at,
            answered_at=read.answered_at,
        )
    first = log.get(f"{read.token}.1")
    at_s = _at_s(drill, read.asked_at)
    plain_first = bool(tried) and tried[0].strategy == PLAIN
    if plain_first and tried[0].failure_class != FailureClass.OK:
        hit = True
    elif first is not None and plain_first:
        hit = first["fault"] is not None
    else:
        # Nothing was sent, or nothing arrived: what would a plain call have met?
        hit = bool(_likely(drill, read.arrival.endpoint, read.asked_at, plan))
    unharmed = answer is not None and answer.strategy == PLAIN and wrong is None
    met = hit and not unharmed
    healing = tried[0].seconds if tried and plain_first else 0.0
    return Outcome(
        request_id=str(read.end.request_id),
        endpoint=read.arrival.endpoint,
        at_s=at_s,
        fidelity=None if answer is None else answer.fidelity,
        met_fault=met,
        failure_class=(fact.failure_class or "unrecognised") if met else FailureClass.OK,
        existed=_existed(drill, read, plan),
        wrong=wrong,
        # What was sent on its behalf, looks behind a route included.
        upstream_calls=drill.marked.calls.get(read.token, 0),
        seconds=read.end.seconds,
        heal_s=max(0.0, read.end.seconds - healing) if met else 0.0,
    )


def _existed(drill: Drill, read: Read, plan: FaultPlan) -> bool:
    """Whether an answer of an accepted fidelity existed anywhere at that moment.

    Old data within the age that may be served counts, and so does every host, key and other
    endpoint of the catalog that was well, whether or not any strategy knows how to go there yet.
    """
    endpoint = drill.catalog.endpoints[read.arrival.endpoint]
    if Fidelity.STALE in endpoint.accepts and drill.telling.was_good(
        endpoint.id, read.asked_at - UseCachedData().max_age, read.asked_at
    ):
        return True
    moments = [read.asked_at + timedelta(seconds=each) for each in (0.0, 1.0, 2.0)]
    return any(
        not _hitting(drill, way, moment, plan)
        for moment in moments
        for way in ways_to(drill.catalog, endpoint, moment)
    )


def _likely(drill: Drill, endpoint_id: str, moment: datetime, plan: FaultPlan) -> list[Fault]:
    """Faults that a plain call at a moment would more likely meet than not."""
    endpoint = drill.catalog.endpoints[endpoint_id]
    return _hitting(drill, asked_of(drill.catalog, endpoint, moment), moment, plan)


def _hitting(drill: Drill, asked: Asked, moment: datetime, plan: FaultPlan) -> list[Fault]:
    at_s = _at_s(drill, moment)
    return [each for each in plan.matching(asked, at_s) if each.match.share >= LIKELY]


def _sightings(
    drill: Drill,
    attempts: Mapping[UUID, list[Attempt]],
    log: Mapping[str, Mapping[str, Any]],
    plan: FaultPlan,
) -> Sightings:
    """Every recognised failure, by the fault that caused it.

    A call that arrived is looked up in the simulator's log. One that did not (a refused
    connection), and one of the control loop, is laid to the fault that covered it then.
    """
    seen: list[tuple[int, float]] = []
    for read in drill.reads:
        first = log.get(f"{read.token}.1")
        for fact in attempts.get(read.end.request_id, ())[:1]:
            if fact.strategy != PLAIN or fact.failure_class == FailureClass.OK:
                continue
            end_s = _at_s(drill, fact.at) + fact.seconds
            if first is not None and first["fault"] is not None:
                seen.append((int(first["fault"]), end_s))
            else:
                seen += [
                    (each.index, end_s)
                    for each in _likely(drill, fact.endpoint, fact.at, plan)[-1:]
                ]
    seen += list(_by_control(drill, drill.telling.facts, plan))
    return Sightings(tuple(seen))


def _by_control(
    drill: Drill, facts: Iterable[Fact], plan: FaultPlan
) -> Iterable[tuple[int, float]]:
    for fact in facts:
        if isinstance(fact, ProbeResult) and fact.failure_class != FailureClass.OK:
            for each in _likely(drill, fact.endpoint, fact.at, plan)[-1:]:
                yield each.index, _at_s(drill, fact.at) + fact.seconds


def _books(drill: Drill, connection: Connection[Any]) -> Books:
    """Hold what was told against what the database has."""
    told = Counter(
        fact.request_id if isinstance(fact, AnswerFact) else fact.id
        for fact in drill.telling.facts
        if isinstance(fact, AnswerFact | Attempt | ProbeResult)
    )
    stored = Counter(fact_ids(connection))
    incidents, alerts = incident_counts(connection)
    return Books(
        told=sum(told.values()),
        lost=sum((told - stored).values()),
        doubled=sum((stored - told).values()),
        incidents=incidents,
        alerts_sent=alerts,
    )


def _digest(drill: Drill) -> str:
    """A fingerprint of the truth that this drill was scored against."""
    lines = [
        (
            drill.catalog.sources[endpoint.source].provider,
            line_of(drill.catalog, endpoint, drill_epoch(drill)),
        )
        for endpoint in drill.catalog.endpoints.values()
    ]
    return digest(drill.seed, drill_epoch(drill), drill.duration_s, lines)


def drill_epoch(drill: Drill) -> datetime:
    """The hour in which the drill began: the same for every drill, whatever starting up took."""
    return drill.started_at.replace(minute=0, second=0, microsecond=0)


def _at_s(drill: Drill, moment: datetime) -> float:
    return (moment - drill.started_at) / timedelta(seconds=1)
