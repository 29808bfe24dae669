"""A heal that was given up for lost and ends all the same: it leaves nothing, whatever it found."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from storage_samples import NOON, begin

from healing_pipeline.control import heal_run
from healing_pipeline.control.settling import settle
from healing_pipeline.control.steps import apply_move
from healing_pipeline.healing.answer import PLAIN, Answer, HealingFailed
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.incidents.detection import KnownIncident, Severity, overdue
from healing_pipeline.incidents.diagnosis import Diagnosis, Place, PlaceKind, RootCause
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.incidents.verification import Check
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import Verdict
from healing_pipeline.storage.alerts import alerts_since
from healing_pipeline.storage.incidents import incident_by_id, incident_events, move_incident
from healing_pipeline.storage.routes import active_routes

ENDPOINT = "yahoo/quote-aapl"
LATER = NOON + timedelta(seconds=90)


def healed(strategy: str = "use_cached_data") -> Answer:
    reading = Reading("AAPL", "quote", (Point(NOON, "close", 231.4),), NOON)
    return Answer(
        request_id=uuid4(),
        endpoint=ENDPOINT,
        reading=reading,
        body=b"{}",
        fidelity=Fidelity.STALE if strategy != PLAIN else Fidelity.EXACT,
        as_of=NOON,
        fetched_at=NOON,
        provider="yahoo",
        strategy=strategy,
        attempts=1,
        seconds=1.0,
    )


def failed() -> HealingFailed:
    verdict = Verdict(FailureClass.TIMEOUT, "silent")
    return HealingFailed(uuid4(), ENDPOINT, verdict, (), 1, 1.0)


def diagnosis() -> Diagnosis:
    return Diagnosis(
        endpoint=ENDPOINT,
        failure_class=FailureClass.TIMEOUT,
        evidence="silent",
        root_cause=RootCause.HOST_DOWN,
        severity=Severity.ERROR,
        plan=(),
        place=Place(PlaceKind.SOURCE, "yahoo", "yahoo"),
        scope=(ENDPOINT,),
        chain=(),
    )


@pytest.fixture
def incident(database) -> int:
    with database.connection() as connection:
        begun = begin(connection, ENDPOINT)
    return begun.incident_id


def taken(database, incident, at):
    with database.connection() as connection:
        found = heal_run.take(connection, incident, at)
    assert found is not None
    return found


def lost(database, incident, at):
    """What a look finds when it has heard nothing for a minute."""
    with database.connection() as connection:
        row = incident_by_id(connection, incident)
    move = overdue(KnownIncident(row.id, row.state, row.state_since), at)
    assert move is not None
    assert move.signal is Signal.HEAL_LOST
    return move


def given_up(database, incident, at):
    move = lost(database, incident, at)
    with database.connection() as connection:
        apply_move(connection, move, ENDPOINT, at)


def ended(database, first, end, at, checks=()):
    with database.connection() as connection:
        return settle(connection, first, diagnosis(), end, checks, at)


def told(database, incident):
    with database.connection() as connection:
        events = [each.signal for each in incident_events(connection, incident)]
        routes = [each.strategy for each in active_routes(connection)]
        alerts = len(alerts_since(connection, NOON - timedelta(days=1), 10))
    return events, routes, alerts


@pytest.mark.parametrize(
    ("end", "checks"),
    [
        (healed(), ()),
        (healed(PLAIN), ()),
        (failed(), ()),
        (healed(), (Check("label", False, "it is older"),)),
    ],
    ids=["healed", "recovered", "failed", "did not hold"],
)
def test_a_heal_that_was_given_up_for_lost_leaves_nothing_in_anothers_hands(
    database, incident, end, checks
):
    """A machine that slept in the middle of a heal: its run ends when another has the incident."""
    first = taken(database, incident, NOON)
    given_up(database, incident, LATER)
    second = taken(database, incident, LATER)
    late = ended(database, first, end, LATER + timedelta(seconds=1), checks)
    assert late.state is State.HEALING
    assert "given up for lost" in late.note
    events, routes, alerts = told(database, incident)
    assert events == ["confirmed", "heal_started", "heal_lost", "heal_started"]
    assert (routes, alerts) == ([], 0)
    ours = ended(database, second, healed("hedged_request"), LATER + timedelta(seconds=2))
    assert ours.state is State.HEALED
    events, routes, _ = told(database, incident)
    assert events[4:] == ["heal_succeeded"]
    assert routes == ["hedged_request"]


@pytest.mark.parametrize("end", [healed(), failed()], ids=["healed", "failed"])
def test_a_heal_that_ends_when_the_incident_is_over_leaves_neither_route_nor_alert(
    database, incident, end
):
    """A route left then would serve stored data to readers of a primary that is well, for ever."""
    first = taken(database, incident, NOON)
    with database.connection() as connection:
        move_incident(
            connection,
            incident_id=incident,
            from_state=State.HEALING,
            to_state=State.RESOLVED,
            signal=Signal.RECOVERED,
            at=NOON + timedelta(seconds=5),
            note="well again",
        )
    late = ended(database, first, end, NOON + timedelta(seconds=8))
    assert late.state is State.RESOLVED
    assert told(database, incident)[1:] == ([], 0)


def test_a_heal_that_began_since_is_not_given_up_in_the_name_of_the_one_before(database, incident):
    """Two looks found the same heal lost; the second was slow, and another heal had begun."""
    taken(database, incident, NOON)
    slow = lost(database, incident, LATER)
    given_up(database, incident, LATER)
    second = taken(database, incident, LATER + timedelta(seconds=1))
    with database.connection() as connection:
        apply_move(connection, slow, ENDPOINT, LATER + timedelta(seconds=2))
    ours = ended(database, second, healed(), LATER + timedelta(seconds=3))
    assert ours.state is State.HEALED
    events, routes, _ = told(database, incident)
    assert events == ["confirmed", "heal_started", "heal_lost", "heal_started", "heal_succeeded"]
    assert routes == ["use_cached_data"]


def test_a_heal_in_time_is_none_of_this(database, incident):
    first = taken(database, incident, NOON)
    assert ended(database, first, healed(), NOON + timedelta(seconds=5)).state is State.HEALED
    assert told(database, incident)[1] == ["use_cached_data"]
