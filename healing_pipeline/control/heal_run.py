"""One heal run: diagnose, heal, verify; `settling` leaves a route behind or calls for people.

Four steps, so that Dagster shows each as an op of its own. Between them go frozen values; what
happened is in PostgreSQL after every step, so a run that dies leaves an incident that is asked for
again (`HEAL_LOST`), never half a state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.diagnosing import Diagnosed, causes_at
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Origin
from healing_pipeline.incidents.diagnosis import Diagnosis, diagnose
from healing_pipeline.incidents.lifecycle import Signal, State, next_state
from healing_pipeline.incidents.verification import Check, verify
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine, Verdict
from healing_pipeline.providers.provider import Provider
from healing_pipeline.storage import incidents
from healing_pipeline.storage.own_outages import is_cut_off

# A heal run is not a reader: it may take longer over the same plan.
HEAL_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Taken:
    """An incident that this run, and no other, heals.

    Attributes
    ----------
    taken_at : datetime or None
        When: what tells this heal from a later one, should it be given up for lost meanwhile. None
        where nobody took it.
    own_outage : bool
        Whether our own connection was down when it was taken.
    """

    incident_id: int
    endpoint: str
    source: str
    failure_class: FailureClass
    evidence: str
    began_at: datetime
    detected_at: datetime
    taken_at: datetime | None = None
    own_outage: bool = False


def take(connection: Connection[Any], incident_id: int, now: datetime) -> Taken | None:
    """Claim an incident for this run; None when it is healed, resolved or another run has it."""
    incident = incidents.incident_by_id(connection, incident_id)
    if incident is None or incident.state is not State.OPEN:
        return None
    moved = incidents.move_incident(
        connection,
        incident_id=incident_id,
        from_state=State.OPEN,
        to_state=next_state(State.OPEN, Signal.HEAL_STARTED),
        signal=Signal.HEAL_STARTED,
        at=now,
        note="a heal run has taken it",
        detail={},
        asks_heal=False,
    )
    if moved is None:
        return None
    mine = incidents.incident_by_id(connection, incident_id)
    assert mine is not None, "it was moved in this transaction"
    return Taken(
        incident_id=incident_id,
        endpoint=incident.endpoint,
        source=incident.source,
        failure_class=incident.failure_class,
        evidence=incident.evidence,
        began_at=incident.began_at,
        detected_at=incident.detected_at,
        taken_at=mine.healing_since,
        own_outage=is_cut_off(connection),
    )


def diagnosed(engine: HealingEngine, taken: Taken, found: Diagnosed | None = None) -> Diagnosis:
    """Say what is broken and what will be tried.

    Parameters
    ----------
    found : Diagnosed, optional
        What fails besides; without it, the failure speaks for itself.
    """
    seen = Verdict(taken.failure_class, taken.evidence)
    plan = engine.plan_for(taken.endpoint, seen)
    cause = None if found is None else found.cause_of(taken.incident_id)
    return diagnose(taken.endpoint, seen, plan, own_outage=taken.own_outage, cause=cause)


def diagnosed_again(
    connection: Connection[Any],
    catalog: Catalog,
    taken: Taken,
    diagnosis: Diagnosis,
    now: datetime,
) -> Diagnosis:
    """The diagnosis by all that is known when the run ends: what it has tried is evidence.

    In a transaction of its own, before the incident is moved: see `control.diagnosing`.
    """
    found = causes_at(connection, catalog, taken.source, now)
    cause = None if found is None else found.cause_of(taken.incident_id)
    if cause is None:
        return diagnosis
    return replace(
        diagnosis,
        root_cause=cause.root_cause,
        severity=cause.severity,
        place=cause.place,
        scope=cause.scope,
        chain=cause.chain,
    )


async def healed(
    engine: HealingEngine, taken: Taken, order: Sequence[str] = ()
) -> Answer | HealingFailed:
    """Ask the primary once more and, if it still fails, work through the plan.

    `order` names steps of the plan that somebody advised to take first.
    """
    return await engine.fetch(
        taken.endpoint,
        deadline_s=HEAL_DEADLINE_S,
        origin=Origin.HEAL,
        follow_route=False,
        incident_id=taken.incident_id,
        order=order,
    )


def verified(
    catalog: Catalog, provider: Provider, answer: Answer, last: Reading | None, now: datetime
) -> tuple[Check, ...]:
    """Check the healed data itself."""
    endpoint = catalog.endpoints[answer.endpoint]
    own = endpoint.path, endpoint.params
    instead = (
        provider.substituted(*own, answer.reading.instrument),
        provider.daily(*own, now),
    )
    # A body that states no moment was of the answer's.
    lines = [
        RequestLine(*each, asked_at=answer.as_of) for each in (own, *instead) if each is not None
    ]
    return verify(
        answer,
        read_again=[provider.read(answer.body, line) for line in lines],
        last=last,
        accepts=endpoint.accepts,
        now=now,
    )
