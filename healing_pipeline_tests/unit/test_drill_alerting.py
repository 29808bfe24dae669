"""What people were told in a drill, and what Gatus would have sent: by traces made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.drill.alert_trace import Group, Ill, Message, Reader, Trace
from healing_pipeline.drill.alerting import alert_report, people_got
from healing_pipeline.drill.gatus import Look, alarms
from healing_pipeline.drill.told import ill_of
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage.incident_rows import IncidentEventRow, IncidentRow

FRED = "fred/dgs10"
CALM = Trace(
    duration_s=30.0,
    messages=(),
    groups=(),
    ills=(),
    readers=(),
    looks=(),
    observed=(),
    faults=(),
    failure_threshold=2,
)
GIVEN_UP = Ill(1, FRED, "fred", since_s=6.0, until_s=20.0, given_up=((7.0, 19.0),))
BAD = tuple(Look(FRED, at_s, is_good=False) for at_s in (5.0, 6.0, 10.0, 15.0))
FIRED = Message(9, "fired", Severity.ERROR, 8.0, "fred")
RESOLVED = Message(9, "resolved", Severity.ERROR, 25.0, "fred")
GROUP = Group(9, "fred", frozenset({1}), since_s=8.0, until_s=20.0)
TOLD = replace(
    CALM, messages=(FIRED, RESOLVED), groups=(GROUP,), ills=(GIVEN_UP,), observed=BAD, looks=BAD
)


def reader(at_s: float, *, is_answered: bool = True, existed: bool = True) -> Reader:
    return Reader(FRED, "fred", at_s, is_answered, existed)


def said(trace: Trace, *names: str) -> tuple[object, ...]:
    report = alert_report(trace)
    return tuple(report[name] for name in names)


# -- promises --------------------------------------------------------------------------------------


def test_a_calm_drill_has_nothing_to_tell_and_no_share_of_nothing():
    report = alert_report(CALM)
    assert report["people_got"] == report["to_be_told"] == report["missed_incidents"] == 0
    assert report["share_of_faults_with_alert"] is None


def test_what_healing_gave_up_and_was_told_of_once_keeps_all_three_promises():
    assert said(TOLD, "to_be_told", "missed_incidents", "over_allowed", "for_healed_faults") == (
        1,
        0,
        0,
        0,
    )
    assert said(TOLD, "per_incident_max", "people_got") == (2, 2)


def test_what_healing_gave_up_and_nobody_was_told_of_is_missed():
    silent = replace(TOLD, messages=(), groups=())
    report = alert_report(silent)
    assert report["missed_incidents"] == 1
    assert report["missed_examples"] == ["fred/dgs10 since 6.0 s"]
    muted = replace(TOLD, messages=())
    assert said(muted, "missed_incidents") == (1,), "a group without a message has told nobody"
    other = replace(TOLD, groups=(replace(GROUP, incidents=frozenset({2})),))
    assert said(other, "missed_incidents") == (1,), "another incident's message is not its own"


def test_what_is_given_up_for_a_moment_or_after_one_bad_look_need_not_be_told():
    moment = replace(GIVEN_UP, given_up=((7.0, 9.0),))
    assert said(replace(TOLD, messages=(), ills=(moment,)), "missed_incidents") == (0,)
    assert said(replace(TOLD, messages=(), observed=BAD[:1]), "missed_incidents") == (0,)
    well_again = (*BAD[:1], Look(FRED, 6.5, is_good=True), BAD[2])
    assert said(replace(TOLD, messages=(), observed=well_again), "missed_incidents") == (0,)


def test_an_incident_whose_readers_could_have_been_served_has_to_be_told():
    healed = replace(GIVEN_UP, given_up=())
    left = replace(CALM, ills=(healed,), readers=(reader(10.0, is_answered=False),))
    assert said(left, "missed_incidents") == (1,)
    unavoidable = replace(left, readers=(reader(10.0, is_answered=False, existed=False),))
    assert said(unavoidable, "missed_incidents") == (0,)


def test_our_own_outage_is_told_once_for_all_and_no_incident_of_it_is_missed():
    ours = replace(GIVEN_UP, is_ours=True)
    assert said(replace(TOLD, messages=(), ills=(ours,)), "missed_incidents") == (0,)


def test_a_source_that_leaves_a_fifth_of_its_readers_unanswered_has_to_be_told_of():
    readers = [reader(5.0 + 0.1 * n, is_answered=n % 4 != 0) for n in range(40)]
    left = replace(CALM, readers=readers)
    assert said(left, "to_be_told", "missed_incidents") == (1, 1)
    told = replace(left, messages=(replace(FIRED, at_s=9.0, group=9),), groups=(GROUP,))
    assert said(told, "missed_incidents", "for_healed_faults") == (0, 0)
    refused = [replace(each, is_callers=not each.is_answered) for each in readers]
    assert said(replace(CALM, readers=refused), "to_be_told") == (0,), "what was asked is theirs"
    seldom = replace(CALM, readers=[reader(0.6 * n, is_answered=n % 4 != 0) for n in range(40)])
    assert said(seldom, "to_be_told") == (0,), "too few within ten seconds to say so"


def test_a_call_while_everything_is_healed_is_one_too_many_and_an_advisory_is_not():
    healed = replace(GIVEN_UP, given_up=())
    readers = [reader(at_s) for at_s in range(30)]
    assert said(replace(TOLD, ills=(healed,), readers=readers), "for_healed_faults") == (1,)
    advisory = replace(FIRED, kind="advisory", level=Severity.WARNING)
    assert said(replace(CALM, messages=(advisory,)), "for_healed_faults") == (0,)


def test_one_message_for_each_rise_is_allowed_and_no_other():
    raised = replace(FIRED, kind="raised", level=Severity.CRITICAL, at_s=9.0)
    assert said(replace(TOLD, messages=(FIRED, raised, RESOLVED)), "over_allowed") == (0,)
    again = replace(FIRED, at_s=9.0)
    assert said(replace(TOLD, messages=(FIRED, again, RESOLVED)), "over_allowed") == (1,)
    no_rise = replace(raised, level=Severity.ERROR)
    assert said(replace(TOLD, messages=(FIRED, no_rise)), "over_allowed") == (1,)
    closed_twice = replace(RESOLVED, at_s=28.0)
    assert said(replace(TOLD, messages=(FIRED, RESOLVED, closed_twice)), "over_allowed") == (1,)


def test_people_get_errors_and_the_end_of_what_was_one_and_no_warning():
    warning = replace(FIRED, level=Severity.WARNING)
    assert people_got([warning, replace(RESOLVED, level=Severity.WARNING)]) == 0
    rising = [warning, replace(FIRED, kind="raised", at_s=9.0), RESOLVED]
    assert people_got(rising) == 2


def test_a_fault_is_known_of_while_its_sources_group_fires_and_no_other():
    faults = (("fred", 5.0, 20.0), ("yahoo", 5.0, 20.0), ("all", 7.0, 9.0), ("fred", 21.0, 25.0))
    assert said(replace(TOLD, faults=faults), "share_of_faults_with_alert") == (0.5,)
    again = (*faults[:1], ("fred", 15.0, 18.0))
    assert said(replace(TOLD, faults=again), "share_of_faults_with_alert") == (1.0,)
    untold = replace(TOLD, faults=again, messages=())
    assert said(untold, "share_of_faults_with_alert") == (0.0,)


@given(
    st.lists(
        st.builds(
            Message,
            group=st.sampled_from([1, 2, None]),
            kind=st.sampled_from(["fired", "raised", "reminder", "resolved", "advisory"]),
            level=st.sampled_from(Severity),
            at_s=st.floats(0.0, 30.0),
            source=st.sampled_from(["fred", None]),
        )
    )
)
def test_every_message_is_counted_once(messages):
    trace = replace(CALM, messages=messages, groups=[replace(GROUP, id=1)])
    report = alert_report(trace)
    assert sum(report["messages"].values()) == len(messages)
    assert sum(report["by_level"].values()) == len(messages)
    assert 0 <= report["people_got"] <= len(messages)


# -- Gatus -----------------------------------------------------------------------------------------


def looks(endpoint: str, text: str) -> list[Look]:
    """``x`` is a bad look, ``.`` a good one; one every five seconds."""
    return [Look(endpoint, 5.0 * n, is_good=each == ".") for n, each in enumerate(text)]


@pytest.mark.parametrize(
    ("trace", "sent"),
    [
        ("......", []),
        ("xx.xx.", []),
        ("xxx", [(10.0, False)]),
        ("xxxxxx", [(10.0, False)]),
        ("xxx.", [(10.0, False)]),
        ("xxx..", [(10.0, False), (20.0, True)]),
        ("xxx.x.x..", [(10.0, False), (40.0, True)]),
        ("xxx..xxx", [(10.0, False), (20.0, True), (35.0, False)]),
    ],
)
def test_gatus_alerts_at_the_third_failure_and_resolves_at_the_second_success(trace, sent):
    found = alarms(looks(FRED, trace))
    assert [(each.since_s, each.is_resolved) for each in found] == sent


def test_gatus_tells_of_each_endpoint_by_itself_and_of_what_readers_never_saw():
    down = [look for n in range(30) for look in looks(f"yahoo/{n}", "xxxx..")]
    report = alert_report(replace(CALM, looks=down, readers=[reader(at_s) for at_s in range(30)]))
    gatus = report["gatus"]
    assert (gatus["alerts"], gatus["resolves"], gatus["for_healed_faults"]) == (30, 30, 30)
    assert report["people_got"] == 0


def test_gatus_misses_what_lasts_for_less_than_three_of_its_looks():
    short = replace(TOLD, looks=BAD[:2])
    assert alert_report(short)["gatus"]["missed_incidents"] == 1
    assert alert_report(TOLD)["gatus"]["missed_incidents"] == 0


# -- from rows -------------------------------------------------------------------------------------


def test_an_incident_is_given_up_from_its_escalation_until_it_is_healed_or_over():
    zero = datetime(2026, 3, 4, 15, tzinfo=UTC)
    row = IncidentRow(
        id=1,
        endpoint=FRED,
        source="fred",
        state=State.RESOLVED,
        state_since=zero,
        failure_class="timeout",
        evidence="",
        severity=Severity.ERROR,
        root_cause=None,
        detected_by="probe",
        began_at=zero,
        detected_at=zero + timedelta(seconds=2),
        healing_since=None,
        healed_at=None,
        resolved_at=zero + timedelta(seconds=25),
        strategy=None,
        fidelity=None,
        heals=1,
    )
    steps = [(3, "escalated"), (8, "open"), (9, "escalated"), (12, "healed"), (14, "escalated")]
    events = [
        IncidentEventRow(
            id=at,
            incident_id=1,
            at=zero + timedelta(seconds=at),
            signal="heal_failed",
            from_state=None,
            to_state=State(state),
            note="",
            detail={},
            asks_heal=False,
        )
        for at, state in steps
    ]
    ill = ill_of(row, events, lambda at: (at - zero).total_seconds(), 30.0)
    assert (ill.since_s, ill.until_s) == (2.0, 25.0)
    assert ill.given_up == ((3.0, 12.0), (14.0, 30.0))
