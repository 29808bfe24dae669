"""Incidents: the transition table, and what observations mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.incidents.detection import (
    HEAL_LOST_AFTER,
    MAY_BE_A_BLIP,
    ROUTE_HOLDS_AT_LEAST,
    ROUTE_HOLDS_AT_MOST,
    TRY_AGAIN_AFTER,
    Begin,
    KnownIncident,
    LookAgain,
    Move,
    step_for,
)
from healing_pipeline.incidents.lifecycle import (
    TRANSITIONS,
    IllegalTransitionError,
    Signal,
    State,
    diagram,
    next_state,
)
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
verdicts = st.sampled_from(FailureClass).map(lambda each: Verdict(each, f"saw {each}"))
incidents = st.builds(
    KnownIncident,
    id=st.integers(1, 99),
    state=st.sampled_from([each for each in State if each is not State.RESOLVED]),
    since=st.integers(0, 300).map(lambda seconds: NOW - timedelta(seconds=seconds)),
)


@given(verdict=verdicts, incident=st.none() | incidents, second=st.booleans())
def test_every_step_is_a_legal_move(verdict, incident, second):
    step = step_for(verdict, incident, second_look=second, now=NOW)
    if isinstance(step, Move):
        assert step.from_state is incident.state
        assert step.to_state is next_state(step.from_state, step.signal)
    if isinstance(step, Begin):
        assert incident is None


@given(verdict=verdicts, incident=st.none() | incidents)
def test_a_second_look_is_never_followed_by_a_third(verdict, incident):
    step = step_for(verdict, incident, second_look=True, now=NOW)
    assert not isinstance(step, LookAgain)


@given(verdict=verdicts)
def test_a_confirmed_failure_begins_an_incident_and_a_good_answer_does_not(verdict):
    step = step_for(verdict, None, second_look=True, now=NOW)
    assert isinstance(step, Begin) is verdict.failure_class.is_failure


@given(incident=incidents)
def test_a_recovery_seen_twice_resolves_from_every_state(incident):
    ok = Verdict(FailureClass.OK, "good")
    assert isinstance(step_for(ok, incident, second_look=False, now=NOW), LookAgain)
    step = step_for(ok, incident, second_look=True, now=NOW)
    assert step.to_state is State.RESOLVED
    assert step.withdraws_route
    assert not step.asks_heal


@pytest.mark.parametrize("failure", sorted(MAY_BE_A_BLIP))
def test_a_single_blip_is_looked_at_again(failure):
    step = step_for(Verdict(failure, "once"), None, second_look=False, now=NOW)
    assert isinstance(step, LookAgain)


@pytest.mark.parametrize("failure", [FailureClass.RATE_LIMIT, FailureClass.AUTH_ERROR])
def test_a_limit_or_a_bad_key_is_believed_at_once_because_asking_again_costs_quota(failure):
    step = step_for(Verdict(failure, "once"), None, second_look=False, now=NOW)
    assert isinstance(step, Begin)
    assert step.asks_heal


def test_a_bad_request_begins_an_incident_that_asks_for_no_heal():
    step = step_for(Verdict(FailureClass.BAD_REQUEST, "no"), None, second_look=True, now=NOW)
    assert isinstance(step, Begin)
    assert not step.asks_heal


def test_a_heal_run_that_fell_silent_is_asked_for_again():
    since = NOW - HEAL_LOST_AFTER - timedelta(seconds=1)
    lost = KnownIncident(1, State.HEALING, since)
    step = step_for(Verdict(FailureClass.TIMEOUT, "-"), lost, second_look=True, now=NOW)
    assert (step.signal, step.to_state, step.asks_heal) == (Signal.HEAL_LOST, State.OPEN, True)


def test_an_incident_that_nothing_healed_is_tried_again_but_not_at_once():
    failure = Verdict(FailureClass.TIMEOUT, "-")
    fresh = KnownIncident(1, State.ESCALATED, NOW - TRY_AGAIN_AFTER / 2)
    assert step_for(failure, fresh, second_look=True, now=NOW) is None
    old = KnownIncident(1, State.ESCALATED, NOW - TRY_AGAIN_AFTER * 2)
    assert step_for(failure, old, second_look=True, now=NOW).signal is Signal.TRIED_AGAIN


def test_a_route_is_given_up_when_a_reader_had_no_answer_and_not_for_who_asked_before_it():
    def after(seconds, heals=1):
        unserved_at = NOW + timedelta(seconds=seconds)
        incident = KnownIncident(1, State.HEALED, NOW, heals, unserved_at)
        return step_for(Verdict(FailureClass.TIMEOUT, "-"), incident, second_look=True, now=NOW)

    assert after(ROUTE_HOLDS_AT_LEAST.total_seconds()) is None
    step = after(ROUTE_HOLDS_AT_LEAST.total_seconds() + 1)
    assert (step.signal, step.to_state, step.asks_heal) == (Signal.ROUTE_FAILED, State.OPEN, True)
    assert step.withdraws_route
    assert not step.ends_incident
    # Whom no heal of this incident will ever serve does not have it healed without end.
    assert [min(s for s in range(2_000) if after(s, heals)) for heals in (1, 2, 3, 50)] == [
        *(6, 11, 21),
        ROUTE_HOLDS_AT_MOST.total_seconds() + 1,
    ]


@given(signals=st.lists(st.sampled_from(Signal), max_size=30))
def test_no_history_of_signals_leaves_the_table_or_leaves_resolved(signals):
    state = State.OPEN
    for signal in signals:
        try:
            state = next_state(state, signal)
        except IllegalTransitionError as exc:
            assert exc.state is state  # noqa: PT017 (the error carries its data)
            assert signal not in TRANSITIONS[state]
    assert state in TRANSITIONS


def test_every_state_can_come_to_an_end():
    for state in State:
        seen, frontier = {state}, [state]
        while frontier:
            frontier = [
                target
                for each in frontier
                for target in TRANSITIONS[each].values()
                if target not in seen
            ]
            seen.update(frontier)
        assert State.RESOLVED in seen


def test_the_diagram_shows_every_move_of_the_table():
    text = diagram()
    for state, moves in TRANSITIONS.items():
        for signal, target in moves.items():
            assert f"{state} --> {target}: {signal}" in text


def test_the_readme_shows_the_diagram_of_the_table():
    readme = Path(__file__).parents[2] / "README.md"
    assert diagram() in readme.read_text(encoding="utf-8")
