"""The account of a drill: its reads, the simulator's log and the database, joined into a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import Connection

from healing_pipeline.drill.alerting import alert_report
from healing_pipeline.drill.diagnosed import Counted, Said, Wrong, diagnosis_report
from healing_pipeline.drill.fates import Evidence, Fate, Read, fate_of, leaders, sightings
from healing_pipeline.drill.frozen import FrozenLooks, frozen_looks
from healing_pipeline.drill.judge import LAGGING, fault_of
from healing_pipeline.drill.labels import label_of
from healing_pipeline.drill.score import Books, FaultSeen, Outcome, score
from healing_pipeline.drill.told import trace_of
from healing_pipeline.drill.ways import longest_kept, way_existed
from healing_pipeline.drill.world import line_of
from healing_pipeline.healing.answer import PLAIN, Answer
from healing_pipeline.healing.facts import AnswerFact, Attempt, Decision, ProbeResult, SnapshotFact
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import RefreshSession
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.simulator.faults import Fault, FaultKind, FaultPlan
from healing_pipeline.simulator.truth import Truth, digest
from healing_pipeline.storage.counts import fact_ids
from healing_pipeline.storage.diagnoses import diagnoses_of
from healing_pipeline.storage.joint_incidents import joint_incidents, members_of

if TYPE_CHECKING:
    from healing_pipeline.drill.playing import Drill

# More than any drill has.
MOST_INCIDENTS = 1000


def account_of(drill: Drill, connection: Connection[Any]) -> dict[str, Any]:
    """Join everything and score it."""
    evidence = evidence_of(drill)
    led_by = leaders(drill.reads, evidence)
    fates = {each.token: fate_of(each, evidence) for each in drill.reads}
    answers = {
        fact.request_id: fact for fact in drill.telling.facts if isinstance(fact, AnswerFact)
    }
    truth, frozen = Truth(drill.seed), frozen_looks(evidence)
    outcomes = [
        _outcome(
            drill,
            read,
            answers[read.end.request_id],
            fates[led_by.get(read.token, read).token],
            led_by.get(read.token),
            evidence,
            frozen,
            truth,
        )
        for read in drill.reads
    ]
    seen = sightings(drill.reads, (*drill.telling.facts, *drill.told_elsewhere), evidence)
    met = Counter(each["fault"] for each in evidence.log.values() if each["fault"] is not None)
    in_time = [each for each in drill.scenario.faults if each.at_s < drill.duration_s]
    alerts = alert_report(trace_of(drill, connection, outcomes))
    joint = counted_incidents(drill, connection, evidence.at_s)
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
                detected_after_s=seen.first(each),
                met=met[each.index],
            )
            for each in in_time
        ],
        books=_books(drill, connection, joint, alerts["people_got"]),
    )
    report["alerts"] = alerts
    report["diagnosis"] = diagnosis_report(joint, _wrongs(drill, in_time))
    report["description"] = drill.scenario.description
    report["mapped"] = list(drill.scenario.mapped)
    report["truth_digest"] = _digest(drill)
    return report


def evidence_of(drill: Drill) -> Evidence:
    """All that is known of the drill's calls."""
    attempts: dict[UUID, list[Attempt]] = {}
    for fact in drill.telling.facts:
        if isinstance(fact, Attempt):
            attempts.setdefault(fact.request_id, []).append(fact)
    for each in attempts.values():
        each.sort(key=lambda attempt: attempt.attempt_no)
    return Evidence(
        catalog=drill.catalog,
        plan=FaultPlan(drill.seed, drill.scenario.faults),
        started_at=drill.started_at,
        # Other processes' calls have no mark: they are told apart by their number.
        log={
            str(each["request_id"] or f"call {each['n']}"): each
            for each in drill.simulator.control.log()
        },
        attempts=attempts,
        with_session=drill.marked.with_session,
    )


def _outcome(
    drill: Drill,
    read: Read,
    fact: AnswerFact,
    fate: Fate,
    leader: Read | None,
    evidence: Evidence,
    frozen: FrozenLooks,
    truth: Truth,
) -> Outcome:
    endpoint = drill.catalog.endpoints[read.arrival.endpoint]
    answer = read.end if isinstance(read.end, Answer) else None
    if answer is not None and answer.fidelity not in endpoint.accepts:
        # The engine should never hand it out; its word is not what is scored here.
        answer = None
    wrong = lagging = None
    if answer is not None:
        judged = partial(
            fault_of,
            answer,
            catalog=drill.catalog,
            truth=truth,
            asked_at=read.asked_at,
            answered_at=read.answered_at,
        )
        wrong = judged()
        if wrong is not None and frozen.may_lag(leader or read):
            lagging, wrong = wrong, judged(live_within=LAGGING)
            lagging = lagging if wrong is None else None
    strategy = None if answer is None else answer.strategy
    failure_class = fact.failure_class or "unrecognised"
    if strategy == PLAIN and fate.by_session:
        strategy, failure_class = RefreshSession.name, FailureClass.AUTH_ERROR
    met = fate.hit and not (strategy == PLAIN and wrong is None and lagging is None)
    # Who shared an answer waited for what was left of its leader's healing.
    took_s = read.end.seconds if leader is None else leader.end.seconds
    heal_s = min(read.end.seconds, max(0.0, took_s - fate.healing_from_s))
    return Outcome(
        request_id=str(read.end.request_id),
        endpoint=endpoint.id,
        at_s=evidence.at_s(read.asked_at),
        fidelity=None if answer is None else answer.fidelity,
        met_fault=met,
        failure_class=failure_class if met else FailureClass.OK,
        existed=_existed(drill, read, fate, evidence),
        wrong=wrong,
        # What was sent on its behalf, looks behind a route included.
        upstream_calls=drill.marked.calls.get(read.token, 0),
        seconds=read.end.seconds,
        heal_s=heal_s if met else 0.0,
        misjudged=fate.misjudged,
        strategy=strategy,
        lagging=lagging,
    )


def _existed(drill: Drill, read: Read, fate: Fate, evidence: Evidence) -> bool:
    """Whether an answer of an accepted fidelity existed anywhere at that moment.

    Old data within the age that may be served counts, and so does every way to accepted data that
    was well, whether or not any strategy knows how to go there. A request that is refused as
    malformed is the caller's to mend: no substitute is due to it, so none existed.
    """
    if fate.fault is not None and fate.fault.kind is FaultKind.BAD_REQUEST:
        return False
    endpoint = drill.catalog.endpoints[read.arrival.endpoint]
    oldest = read.asked_at - longest_kept(drill.catalog.sources[endpoint.source])
    if Fidelity.STALE in endpoint.accepts and drill.telling.was_good(
        endpoint.id, oldest, read.asked_at
    ):
        return True
    at_s = evidence.at_s(read.asked_at)
    return way_existed(drill.catalog, endpoint, read.asked_at, at_s, evidence.plan)


def counted_incidents(
    drill: Drill, connection: Connection[Any], at_s: Callable[[datetime], float]
) -> list[Counted]:
    """The incidents that were detected since the drill began, as people count them."""
    found = []
    for each in joint_incidents(connection, limit=MOST_INCIDENTS):
        members = [
            one
            for one in members_of(connection, each.row.id)
            if one.detected_at >= drill.started_at
        ]
        if members:
            found.append(
                Counted(
                    id=each.row.id,
                    members=len(members),
                    endpoints=frozenset(one.endpoint for one in members),
                    began_s=min(at_s(one.began_at) for one in members),
                    verdicts=tuple(
                        Said(at_s(one.at), one.root_cause, frozenset(one.scope))
                        for one in reversed(diagnoses_of(connection, [each.row.id], limit=500))
                    ),
                )
            )
    return found


def _wrongs(drill: Drill, faults: Iterable[Fault]) -> list[Wrong]:
    """The faults of the script that hit anything, with the truth about each."""
    labels = [(each, label_of(each, drill.catalog, drill.started_at)) for each in faults]
    return [
        Wrong(each.at_s, each.at_s + each.for_s, label)
        for each, label in labels
        if label is not None
    ]


def _books(
    drill: Drill, connection: Connection[Any], joint: Sequence[Counted], alerts_sent: int
) -> Books:
    """Hold what was told against what the database has.

    Where other processes told as well, what they told is known from the database alone: then it is
    only seen whether any of it is there twice.
    """
    told = Counter(_id(fact) for fact in drill.telling.facts if not isinstance(fact, SnapshotFact))
    stored = Counter(fact_ids(connection))
    expected = told | Counter(set(stored)) if drill.told_elsewhere else told
    return Books(
        told=sum(told.values()),
        lost=sum((told - stored).values()),
        doubled=sum((stored - expected).values()),
        incidents=len(joint),
        incident_members=sum(each.members for each in joint),
        alerts_sent=alerts_sent,
    )


def _id(fact: AnswerFact | Attempt | Decision | ProbeResult) -> str:
    """What `fact_ids` calls a fact."""
    match fact:
        case AnswerFact():
            return str(fact.request_id)
        case Decision():
            return f"{fact.request_id}/{fact.decision_no}"
        case _:
            return str(fact.id)


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
