"""The end of a heal run: a route for the next reader, or a call for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.escalating import tell_escalated
from healing_pipeline.control.heal_run import Taken
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.incidents.diagnosis import (
    Diagnosis,
    Place,
    PlaceKind,
    RootCause,
    root_cause_of,
)
from healing_pipeline.incidents.lifecycle import Signal, State, next_state
from healing_pipeline.incidents.verification import Check
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.storage import incidents, routes
from healing_pipeline.storage.own_outages import is_cut_off


@dataclass(frozen=True, slots=True)
class Settled:
    """How a heal run ended.

    Attributes
    ----------
    state : State
        Of the incident afterwards.
    seconds : float
        From detection to now.
    """

    incident_id: int
    endpoint: str
    failure_class: FailureClass
    state: State
    strategy: str | None
    fidelity: Fidelity | None
    seconds: float
    note: str


def settle(
    connection: Connection[Any],
    taken: Taken,
    diagnosis: Diagnosis,
    end: Answer | HealingFailed,
    checks: tuple[Check, ...],
    now: datetime,
    *,
    catalog: Catalog | None = None,
) -> Settled:
    """Leave a route for the next reader, or call for people; in one transaction.

    A heal that was given up for lost while it went on leaves nothing: another has the incident, or
    it is over. So an incident is healed once, however long a machine sleeps in between.

    Parameters
    ----------
    diagnosis : Diagnosis
        As `diagnosed_again` gives it.
    catalog : Catalog, optional
        Its settings say when people are told, and its endpoints who owns them.
    """
    failed_checks = [each for each in checks if not each.passed]
    with connection.transaction():
        if isinstance(end, Answer) and not failed_checks:
            return _route(connection, taken, diagnosis, end, checks, now)
        if isinstance(end, Answer):
            note = f"{end.strategy} answered, but {failed_checks[0].name} did not hold: "
            note += failed_checks[0].evidence
        else:
            note = f"no strategy helped: {end.verdict.evidence}"
        return _escalate(connection, taken, diagnosis, end, note, now, catalog)


def _route(
    connection: Connection[Any],
    taken: Taken,
    diagnosis: Diagnosis,
    answer: Answer,
    checks: tuple[Check, ...],
    now: datetime,
) -> Settled:
    # The primary itself answered: nothing is left to route around.
    recovered = answer.strategy == PLAIN
    signal = Signal.RECOVERED if recovered else Signal.HEAL_SUCCEEDED
    state = next_state(State.HEALING, signal)
    note = (
        "the primary answers with good data again"
        if recovered
        else f"{answer.strategy} by {answer.provider}, {answer.fidelity}, as of "
        f"{answer.as_of:%Y-%m-%d %H:%M:%S} UTC"
    )
    moved = incidents.move_incident(
        connection,
        incident_id=taken.incident_id,
        from_state=State.HEALING,
        to_state=state,
        signal=signal,
        at=now,
        note=note,
        detail={
            "attempts": answer.attempts,
            "seconds": answer.seconds,
            "checks": [asdict(each) for each in checks],
            "plan": [asdict(each) for each in diagnosis.plan],
        },
        asks_heal=False,
        strategy=answer.strategy,
        fidelity=answer.fidelity,
        root_cause=diagnosis.root_cause,
        place=str(diagnosis.place),
        heal_since=taken.taken_at,
    )
    if moved is None:
        return _too_late(connection, taken, now)
    if not recovered:
        routes.set_route(
            connection,
            endpoint=taken.endpoint,
            strategy=answer.strategy,
            params={},
            fidelity=answer.fidelity,
            incident_id=taken.incident_id,
            at=now,
        )
    return _settled(taken, state, answer.strategy, answer.fidelity, note, now)


def _escalate(
    connection: Connection[Any],
    taken: Taken,
    diagnosis: Diagnosis,
    end: Answer | HealingFailed,
    note: str,
    now: datetime,
    catalog: Catalog | None,
) -> Settled:
    state = next_state(State.HEALING, Signal.HEAL_FAILED)
    tried = end.tried if isinstance(end, HealingFailed) else ()
    # Between the two the connection may have gone down, or come back.
    cut_off = taken.own_outage or is_cut_off(connection)
    seen = Verdict(diagnosis.failure_class, diagnosis.evidence)
    is_ours = root_cause_of(seen, own_outage=cut_off) is RootCause.OUR_NETWORK
    root_cause = RootCause.OUR_NETWORK if is_ours else diagnosis.root_cause
    moved = incidents.move_incident(
        connection,
        incident_id=taken.incident_id,
        from_state=State.HEALING,
        to_state=state,
        signal=Signal.HEAL_FAILED,
        at=now,
        note=note,
        detail={
            "tried": [asdict(each) for each in tried],
            "plan": [asdict(each) for each in diagnosis.plan],
        },
        asks_heal=False,
        root_cause=root_cause,
        place=str(Place(PlaceKind.NETWORK) if is_ours else diagnosis.place),
        heal_since=taken.taken_at,
    )
    if moved is None:
        return _too_late(connection, taken, now)
    # That we are cut off is told once, by whoever saw it; this is tried again by itself.
    if not cut_off:
        settings = AlertSettings() if catalog is None else catalog.alerts
        tell_escalated(connection, catalog, settings, now, incident_id=taken.incident_id)
    return _settled(taken, state, None, None, note, now)


def _too_late(connection: Connection[Any], taken: Taken, now: datetime) -> Settled:
    incident = incidents.incident_by_id(connection, taken.incident_id)
    state = State.RESOLVED if incident is None else incident.state
    note = "this heal was given up for lost before it ended; it leaves nothing"
    return _settled(taken, state, None, None, note, now)


def _settled(
    taken: Taken,
    state: State,
    strategy: str | None,
    fidelity: Fidelity | None,
    note: str,
    now: datetime,
) -> Settled:
    return Settled(
        incident_id=taken.incident_id,
        endpoint=taken.endpoint,
        failure_class=taken.failure_class,
        state=state,
        strategy=strategy,
        fidelity=fidelity,
        seconds=(now - taken.detected_at).total_seconds(),
        note=note,
    )
