"""What people are told as time passes: the evaluator on real tables, a second at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from alert_world import (
    AAPL,
    CATALOG,
    GDP,
    HOUR,
    MSFT,
    SECOND,
    AlertWorld,
    alert_world,
    emptied,
    escalated,
)
from storage_samples import NOON, at_once, attempt, failed_attempt, later

from healing_pipeline.alerting.fingerprints import (
    NOBODY_LOOKS,
    OWN_NETWORK,
    errors_fingerprint,
    fingerprint_of,
)
from healing_pipeline.alerting.messages import GroupState, Kind
from healing_pipeline.control.alerting import Alerting, fire
from healing_pipeline.control.escalating import tell_escalated
from healing_pipeline.control.own_outages import begin_own_outage, end_own_outage
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.diagnosis import RootCause
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage import alert_groups, incidents
from healing_pipeline.storage.alert_watch import evaluated_at
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.diagnoses import Joined, join_incidents
from healing_pipeline.storage.health_quarters import fold_quarters


@pytest.fixture(scope="module")
def shared_url(pg_server):
    name = f"test_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    yield pg_server.url(name)
    pg_server.drop(name)


@pytest.fixture(scope="module")
def shared(shared_url):
    with Database(shared_url, max_size=12) as database:
        yield database


@pytest.fixture
def world(shared, shared_url):
    with shared.connection() as connection:
        emptied(connection)
    with alert_world(shared, shared_url) as made:
        yield made


# What nothing heals


def test_what_nothing_heals_is_told_with_all_that_was_tried_in_the_same_transaction(world):
    world.read(AAPL, good=3, bad=2)
    incident = escalated(world)
    (message,) = world.messages
    assert (message.kind, message.level, message.incident_id) == (
        Kind.FIRED,
        Severity.ERROR,
        incident,
    )
    assert message.title == "yahoo does not answer in time: healing chart-aapl-1d failed"
    assert message.owners == ("desk",)
    detail = message.detail
    assert detail["attempts"] == [
        {
            "strategy": "use_cached_data",
            "because": "stored data may do",
            "evidence": "nothing stored",
        }
    ]
    assert detail["left_out"] == [
        {"strategy": "rotate_api_key", "because": "the key is not what is wrong"}
    ]
    assert (detail["readers"], detail["readers_without_answer"]) == (5, 2)
    assert detail["endpoints"] == [AAPL]
    assert "status page" in detail["action"]
    assert world.evaluate().messages == ()
    assert world.told == ["fired error"]


def test_one_failed_observation_is_not_told_until_it_failed_again(world):
    incident = world.incident()
    world.seen(AAPL, good=False)
    world.give_up(incident)
    world.wait(10)
    assert world.told == []
    world.stored(failed_attempt(at=world.now))
    assert world.evaluate().escalated == (incident,)
    assert world.told == ["fired error"]


def test_what_our_own_limits_keep_from_being_asked_is_told_when_healing_failed_twice(world):
    incident = world.incident()
    world.give_up(incident)
    world.wait(60)
    assert world.told == []
    world.try_again(incident)
    world.give_up(incident)
    assert world.told == ["fired error"]


def test_a_good_observation_begins_the_count_anew(world):
    incident = world.incident()
    world.seen(AAPL, good=False, times=5)
    world.now += SECOND
    world.seen(AAPL, good=True)
    world.now += SECOND
    world.seen(AAPL, good=False)
    world.give_up(incident)
    world.evaluate()
    assert world.told == []


def test_what_a_heal_run_found_good_and_its_checks_did_not_is_no_good_observation(world):
    incident = world.incident()
    world.seen(AAPL, good=False, times=2)
    world.now += SECOND
    world.stored(attempt(at=world.now, origin="heal"))
    world.give_up(incident)
    assert world.told == ["fired error"]


def test_what_is_good_every_other_time_is_told_in_the_end(world):
    incident = world.incident()
    for _ in range(2):
        world.seen(AAPL, good=False)
        world.give_up(incident)
        world.now += SECOND
        world.seen(AAPL, good=True)
        world.now += SECOND
        if world.told:
            break
        world.try_again(incident)
    assert world.told == ["fired error"]


def test_incidents_of_one_cause_are_one_group_and_one_message(world):
    first = escalated(world)
    second = world.incident(MSFT, failure_class="server_error")
    world.give_up(second)  # below the threshold: its cause is told
    assert world.told == ["fired error"]
    (group,) = world.groups
    assert group.incident_ids == (first, second)


def test_one_outage_is_told_once_although_the_verdict_on_it_changes(world):
    """At first its data seem bad; then both are found to be one outage of the whole source."""
    first = world.incident(AAPL, failure_class="invalid_data")
    world.seen(AAPL, good=False, times=2)
    world.give_up(first)
    assert world.groups[0].root_cause == RootCause.DATA
    world.now += SECOND
    second = world.incident(MSFT)
    world.seen(MSFT, good=False, times=2)
    verdict = {"root_cause": RootCause.PROVIDER_DOWN, "place": "yahoo", "severity": Severity.ERROR}
    world(
        join_incidents,
        [
            Joined(first, parent_id=None, **verdict),
            Joined(second, parent_id=first, **verdict),
        ],
    )
    world.move(second, State.HEALING, Signal.HEAL_STARTED)
    world.move(second, State.ESCALATED, Signal.HEAL_FAILED)
    assert world(tell_escalated, CATALOG, world.settings, world.now) == [second]
    assert world.told == ["fired error"]
    (group,) = world.groups
    assert group.incident_ids == (first, second)
    assert group.root_cause == RootCause.PROVIDER_DOWN
    own = fingerprint_of("yahoo", RootCause.PROVIDER_DOWN)
    assert group.fingerprint == own, "what follows joins it too"


def test_a_message_says_whom_the_cause_concerns(world):
    escalated(world)
    (message,) = world.messages
    assert "Root cause: provider down, at yahoo, which concerns 2 endpoints." in message.body
    assert message.detail["scope"] == [AAPL, MSFT]
    assert message.detail["place"] == "yahoo"


def test_what_is_wrong_with_a_whole_source_is_told_to_whoever_owns_any_of_it(world):
    escalated(world, MSFT)  # of which nobody is the owner
    assert world.messages[0].owners == ("desk",)


def test_whoever_owns_what_joins_hears_of_what_comes(world):
    first = world.incident(MSFT, failure_class="invalid_data")
    world.seen(MSFT, good=False, times=2)
    world.give_up(first)
    assert world.messages[0].owners == ()
    second = world.incident(AAPL, failure_class="invalid_data")
    world.give_up(second)
    assert world.told == ["fired error"]
    world.wait(3700, every_s=50)
    assert world.told == ["fired error", "reminder error"]
    assert world.messages[-1].owners == ("desk",)


def test_a_key_and_an_outage_are_two_matters(world):
    escalated(world)
    other = world.incident(MSFT, failure_class="auth_error")
    world.seen(MSFT, good=False, times=2)
    world.give_up(other)
    assert world.told == ["fired error", "fired error"]


def test_a_healed_incident_alerts_nobody(world):
    incident = world.incident()
    world.seen(AAPL, good=False, times=2)
    world.read(AAPL, good=10, bad=10)
    world.now += SECOND
    world.heal(incident)
    world.wait(200)
    assert world.told == []
    assert world.groups == []


# The end


def test_one_closing_message_says_what_broke_how_long_what_healed_it_and_who_noticed(world):
    world.read(AAPL, good=30, bad=1)
    incident = escalated(world)
    world.wait(90)
    world.resolve(incident)
    world.wait(55)
    assert world.told == ["fired error"]
    (group,) = world.groups
    assert (group.state, group.recovered_at) == (GroupState.RECOVERED, later(91))
    world.wait(10)
    assert world.told == ["fired error", "resolved error"]
    closing = world.messages[-1]
    assert closing.title == "Over: yahoo does not answer in time"
    for said in (
        "What broke: yahoo does not answer in time (no answer within 3 s).",
        "It lasted 1 min 31 s",
        "What healed it: the source answers with good data again.",
        "Readers without an answer: 1 of 31 requests.",
    ):
        assert said in closing.body
    assert closing.detail["lasted_s"] == 91
    world.wait(120)
    assert len(world.told) == 2


def test_none_is_said_as_none(world):
    world.read(AAPL, good=7, bad=0)
    world.resolve(escalated(world))
    world.wait(70)
    assert "Readers without an answer: none of 7 requests." in world.messages[-1].body


def test_an_incident_that_a_later_try_heals_ends_its_group_too(world):
    incident = escalated(world)
    world.wait(60)
    world.try_again(incident)
    world.heal(incident)
    world.wait(70)
    assert world.told == ["fired error", "resolved error"]
    assert "use_cached_data (stale) serves readers" in world.messages[-1].body


def test_a_group_is_over_when_the_last_of_its_incidents_is(world):
    first, second = escalated(world), escalated(world, MSFT)
    world.resolve(first)
    world.wait(120)
    assert world.told == ["fired error"]
    world.resolve(second)
    world.wait(65)
    assert world.told == ["fired error", "resolved error"]


def test_one_that_fires_again_before_it_was_closed_goes_on_silently(world):
    incident = escalated(world)
    world.try_again(incident)
    world.heal(incident)
    world.wait(30)
    world.move(incident, State.OPEN, Signal.ROUTE_FAILED)
    world.give_up(incident)
    world.wait(90)
    assert world.told == ["fired error"]
    assert world.groups[0].state is GroupState.FIRING
    world.resolve(incident)
    world.wait(70)
    assert world.told == ["fired error", "resolved error"]


def test_one_that_fails_again_after_its_group_was_closed_is_told_again(world):
    incident = escalated(world)
    world.try_again(incident)
    world.heal(incident)
    world.wait(70)
    world.move(incident, State.OPEN, Signal.ROUTE_FAILED)
    world.give_up(incident)
    world.evaluate()
    assert world.told == ["fired error", "resolved error", "fired error"]
    second, first = world.groups
    assert (second.incident_ids, first.incident_ids) == ((incident,), ())
    assert first.endpoints == (AAPL,), "what was closed keeps what it was about"


def test_it_is_not_over_while_an_endpoint_of_it_is_being_healed_anew(world):
    world.resolve(escalated(world))
    world.now += SECOND
    again = world.incident()
    world.wait(120)
    assert world.told == ["fired error"]
    world.heal(again)
    world.wait(5)
    assert world.told == ["fired error", "resolved error"]


def test_it_is_over_when_enough_good_was_seen_in_a_row(world):
    world.settings = replace(world.settings, success_threshold=4)
    world.__post_init__()
    world.resolve(escalated(world), good=2)
    world.wait(120)
    assert world.told == ["fired error"]
    world.seen(AAPL, good=True, times=2)
    world.wait(5)
    assert world.told == ["fired error", "resolved error"]


def test_what_nobody_asks_any_more_is_over_after_an_hour(world):
    world.settings = replace(world.settings, success_threshold=100)
    world.__post_init__()
    world.resolve(escalated(world))
    world.wait(3595, every_s=200)
    assert world.told == ["fired error"]
    world.wait(10)
    assert world.told == ["fired error", "resolved error"]


def test_each_time_it_fires_within_an_hour_it_has_to_stay_well_for_twice_as_long(world):
    holds = []
    for _ in range(4):
        world.resolve(escalated(world))
        world.evaluate()
        began = world.now
        while len(world.told) % 2:
            world.wait(5)
        holds.append(round((world.now - began).total_seconds()))
        world.now += SECOND
    assert holds == [60, 120, 240, 480]
    assert world.told == ["fired error", "resolved error"] * 4


def test_nobody_is_told_that_it_is_over_where_that_is_off(world):
    world.settings = replace(world.settings, send_on_resolved=False)
    world.__post_init__()
    world.resolve(escalated(world))
    world.wait(70)
    assert world.told == ["fired error"]
    assert world.groups[0].state is GroupState.RESOLVED


# Reminders, silences, acknowledgements


def test_what_still_fires_is_repeated_once_an_hour_until_somebody_sees_to_it(world):
    incident = escalated(world)
    world.wait(3 * 3600 - 30, every_s=200)
    assert world.told == ["fired error", "reminder error", "reminder error"]
    world(alert_groups.acknowledge, group_id=world.groups[0].id, by="ann", at=world.now)
    world.wait(2 * 3600, every_s=200)
    assert len(world.told) == 3
    world.resolve(incident)
    world.wait(70)
    assert world.told[-1] == "resolved error"


def silence(world: AlertWorld, lasts_s: float, **what) -> None:
    world(
        alert_groups.begin_silence,
        **{"source": None, "endpoint": None, **what},
        ends_at=world.now + timedelta(seconds=lasts_s),
        reason="known",
        by="ann",
        at=world.now,
    )


def test_when_a_silence_ends_people_are_told_of_what_still_fires(world):
    silence(world, 120)
    escalated(world)
    world.wait(115)
    assert world.told == []
    world.wait(5)
    assert world.told == ["fired error"]
    assert "no strategy helped" in world.messages[0].body
    assert world.messages[0].detail["attempts"]


def test_what_came_and_went_in_a_silence_is_never_told(world):
    silence(world, 600)
    world.resolve(escalated(world))
    world.wait(700)
    assert world.told == []
    assert world.groups[0].state is GroupState.RESOLVED


def test_what_was_told_before_a_silence_is_closed_in_it(world):
    incident = escalated(world)
    silence(world, 3600)
    world.resolve(incident)
    world.wait(70)
    assert world.told == ["fired error", "resolved error"]


def test_maintenance_keeps_its_source_quiet_and_no_other(world):
    world(
        alert_groups.begin_maintenance,
        source="yahoo",
        begins_at=NOON,
        ends_at=later(300),
        reason="moves",
    )
    escalated(world)
    escalated(world, GDP)
    assert [each.source for each in world.messages] == ["fred"]
    world.wait(305)
    assert [each.source for each in world.messages] == ["fred", "yahoo"]


# Readers' errors


def reading(world: AlertWorld, seconds: int, good: int, bad: int, endpoint: str = AAPL) -> None:
    """Readers for a while, so many good and bad ones in 5 s, and an evaluation after each."""
    for _ in range(0, seconds, 5):
        world.now += timedelta(seconds=5)
        world.read(endpoint, good=good, bad=bad)
        world.evaluate()


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        (96, 4, []),
        (95, 5, ["fired warning"]),
        (81, 19, ["fired warning"]),
        (80, 20, ["fired error"]),
        (50, 50, ["fired error"]),
        (49, 51, ["fired critical"]),
    ],
)
def test_a_share_of_errors_has_the_level_of_its_bounds(world, good, bad, told):
    world.settings = replace(world.settings, objective=0.5)  # nothing burns
    world.__post_init__()
    reading(world, 20, good, bad)
    assert world.told == told
    if told:
        (group,) = world.groups
        assert group.fingerprint == errors_fingerprint("yahoo")
        assert world.messages[0].detail["error_rate"] == bad / 100


def test_a_few_requests_say_nothing(world):
    reading(world, 15, good=1, bad=5)  # 18 of 20 that are needed
    world.wait(600)
    assert world.told == []


def test_what_asks_for_what_cannot_be_had_is_no_error_of_the_source(world):
    for failure in ("bad_request", "not_found", "plan_limit"):
        world.now += SECOND
        world.read(AAPL, good=5, bad=40, failure_class=failure)
    world.wait(30)
    assert world.told == []


def test_errors_that_a_heal_is_about_to_end_are_told_to_nobody(world):
    incident = world.incident()
    reading(world, 25, good=5, bad=20)
    assert world.told == []
    world.heal(incident)
    reading(world, 60, good=25, bad=0)
    assert world.told == []


def test_errors_that_last_longer_than_a_heal_may_are_told(world):
    world.incident()
    reading(world, 65, good=5, bad=20)
    assert world.told == ["fired critical"]


def test_errors_raise_the_group_of_the_source_and_keep_it_from_being_over(world):
    incident = escalated(world)
    reading(world, 40, good=5, bad=20)
    assert world.told == ["fired error", "raised critical"]
    (group,) = world.groups
    assert group.root_cause == RootCause.PROVIDER_DOWN
    assert "80% errors" in world.messages[-1].title
    raised = world.messages[-1].detail
    assert raised["attempts"], "what was known stays"
    # Since the first reader met it; two or three rounds until it had stood for long enough.
    assert raised["readers_without_answer"] == raised["readers"] * 0.8 > 20
    world.try_again(incident)
    world.heal(incident)
    reading(world, 60, good=5, bad=20)
    assert world.groups[0].state is GroupState.FIRING
    reading(world, 200, good=25, bad=0)
    assert world.told == ["fired error", "raised critical", "resolved critical"]


def test_a_later_escalation_gives_errors_their_cause_without_a_second_message(world):
    reading(world, 30, good=5, bad=20)
    assert world.told == ["fired critical"]
    incident = escalated(world)
    assert world.told == ["fired critical"]
    (group,) = world.groups
    assert (group.root_cause, group.incident_ids) == (RootCause.PROVIDER_DOWN, (incident,))
    world.resolve(incident)
    reading(world, 240, good=25, bad=0)
    assert world.told == ["fired critical", "resolved critical"]


def test_errors_without_a_cause_end_by_themselves(world):
    reading(world, 30, good=5, bad=20)
    reading(world, 240, good=25, bad=0)
    assert world.told == ["fired critical", "resolved critical"]
    assert "readers get answers again" in world.messages[-1].body
    assert "Readers without an answer: 120 of " in world.messages[-1].body


def test_errors_of_a_source_that_is_read_seldom_are_found_in_a_longer_window(world):
    for _ in range(6):
        world.now += timedelta(seconds=55)
        world.read(AAPL, good=2, bad=3)
        world.evaluate()
    assert world.told[0] in {"fired error", "fired critical"}


def test_an_error_budget_that_burns_slowly_is_found_in_hours(world):
    for minute in range(0, 6 * 60, 15):
        world.now = NOON + timedelta(minutes=minute)
        world.read(AAPL, good=96, bad=4)  # 4 % is below every level
        world.now += timedelta(minutes=1)
        world.read(AAPL, good=96, bad=4)
    world(fold_quarters, world.now + HOUR, most=1000)
    world.wait(280, every_s=20)
    assert world.told == []
    world.wait(200, every_s=20)
    assert world.told == ["fired warning"]
    assert "4.0% errors within 3 days" in world.messages[0].title
    world.wait(600, every_s=20)
    assert world.groups[0].state is GroupState.FIRING
    world.wait(12 * 3600, every_s=900)
    assert world.told == ["fired warning", "resolved warning"]


def test_a_budget_that_burns_fast_calls_people(world):
    world.settings = replace(world.settings, objective=0.999)
    world.__post_init__()
    for _ in range(12):
        world.now += timedelta(minutes=5)
        world.read(AAPL, good=97, bad=3)  # 30 times too fast
    world.evaluate()
    for _ in range(5):
        world.wait(60)
        world.read(AAPL, good=97, bad=3)
    world.wait(5)
    assert world.told == ["fired error"]
    assert "within 1 hour" in world.messages[0].title


# Our own connection, and somebody who looks


def test_while_we_are_cut_off_nobody_is_told_of_anything_else(world):
    world.now += SECOND
    world(begin_own_outage, at=world.now, evidence="none of 7 hosts can be reached")
    refused = world.incident(failure_class="auth_error")
    world.seen(AAPL, good=False, times=2)
    world.give_up(refused)
    reading(world, 60, good=0, bad=30)
    assert world.told == ["fired critical"]
    world(end_own_outage, at=world.now, evidence="a.test answers")
    world.wait(5)
    # What nothing healed still stands; the errors of the outage are nobody's.
    assert world.told == ["fired critical", "fired error"]
    world.wait(65)
    assert world.told == ["fired critical", "fired error", "resolved critical"]
    closing = world.messages[-1]
    assert closing.title == "Our own connection is back"
    assert "It lasted 1 min" in closing.body
    assert world.groups[-1].fingerprint == OWN_NETWORK


def test_what_our_own_outage_broke_blames_nobody(world):
    world(begin_own_outage, at=world.now, evidence="cut")
    incident = world.incident()
    world.seen(AAPL, good=False, times=3)
    world.give_up(incident)
    assert world(incidents.incident_by_id, incident).root_cause == RootCause.OUR_NETWORK
    world(end_own_outage, at=world.now, evidence="back")
    world.wait(120)
    assert world.told == ["fired critical", "resolved critical"]


def test_when_nobody_looks_people_are_told_and_when_somebody_does_again(world):
    world.now = NOON + 36 * HOUR  # everything was off for the night
    world.wait(240)
    assert world.told == []
    world.wait(10)
    assert world.told == ["fired error"]
    assert world.groups[0].fingerprint == NOBODY_LOOKS
    assert "4 min" in world.messages[0].body
    world(lambda c: c.execute("UPDATE probe_schedule SET next_at = %s", [world.now + HOUR]))
    world.wait(70)
    assert world.told == ["fired error", "resolved error"]
    assert world.messages[-1].title == "The sources are looked at again"


def test_a_machine_that_slept_is_no_alarm(world):
    world.wait(60)
    world.now += 9 * HOUR
    world.wait(60)
    assert world.told == []


def test_a_source_that_is_not_looked_at_on_purpose_is_no_alarm(world):
    world(
        lambda c: c.execute(
            "UPDATE probe_schedule SET next_at = %s WHERE source = 'fred'", [later(-3600)]
        )
    )
    for _ in range(8):
        world.wait(60, every_s=10)
        world.seen(AAPL, good=True)
    assert world.told == []


def test_a_source_that_is_put_off_for_hours_does_not_hide_that_nobody_looks(world):
    world(
        lambda c: c.execute(
            "UPDATE probe_schedule SET next_at = %s WHERE source = 'fred'", [later(7200)]
        )
    )
    world(
        lambda c: c.execute("UPDATE probe_schedule SET next_at = %s WHERE source = 'yahoo'", [NOON])
    )
    world.wait(300, every_s=10)
    assert world.told == ["fired error"]


def test_when_nobody_heals_people_are_told_in_one_message_and_when_somebody_does_again(world):
    waiting = [world.incident(), world.incident(GDP)]
    world.wait(60)
    world.try_again_unheard(waiting[0])
    world.wait(120)
    assert world.told == []
    world.wait(10)
    assert world.told == ["fired error"]
    assert world.messages[0].title == "Nobody heals what was found"
    assert "fred/gdp and 1 more heard of no heal for 3 min" in world.messages[0].body
    for incident in waiting:
        world.heal(incident)
    world.wait(65)
    assert world.told == ["fired error", "resolved error"]


def test_heals_that_our_own_outage_keeps_waiting_are_nobodys_fault(world):
    world(begin_own_outage, at=world.now, evidence="cut")
    world.incident()
    world.wait(600, every_s=30)
    world(end_own_outage, at=world.now, evidence="back")
    world.wait(170)
    assert world.told == ["fired critical", "resolved critical"]


# Advice


def test_what_is_healed_too_often_is_advised_of_once_a_day(world):
    world.settings = replace(world.settings, heals_too_often=3)
    world.__post_init__()
    for endpoint in (AAPL, MSFT):
        incident = world.incident(endpoint)
        world.heal(incident)
        for _ in range(2):
            world.move(incident, State.OPEN, Signal.ROUTE_FAILED)
            world.heal(incident)
    world.wait(120, every_s=30)
    (advice,) = world.messages
    assert (advice.kind, advice.level, advice.group_id) == (Kind.ADVISORY, Severity.WARNING, None)
    assert advice.detail["endpoints"] == [AAPL, MSFT]
    assert "3 heals within an hour" in advice.body
    assert world.groups == []


def test_a_fallback_that_lasts_is_advised_of(world):
    incident = world.incident()
    world.heal(incident)
    world(
        lambda c: c.execute(
            "INSERT INTO route (endpoint, strategy, fidelity, incident_id, created_at)"
            " VALUES (%s, 'use_cached_data', 'stale', %s, %s)",
            [AAPL, incident, NOON],
        )
    )
    world.wait(3550, every_s=200)
    assert world.told == []
    world.wait(60)
    assert world.told == ["advisory warning"]
    assert "stale data by use_cached_data" in world.messages[0].body
    world.wait(7200, every_s=200)
    assert len(world.told) == 1


# Many processes


def test_ten_that_evaluate_at_once_tell_once(shared_url, world):
    incident = world.incident()
    world.give_up(incident)
    world.seen(AAPL, good=False, times=2)
    at_once(
        shared_url,
        lambda connection, _: Alerting(CATALOG, world.settings).evaluate(connection, world.now),
    )
    assert world.told == ["fired error"]


def test_one_that_evaluates_keeps_others_from_it_and_hinders_nobody(world):
    with world.database.connection() as first:
        assert world.alerting.evaluate(first, world.now).took_place
        with world.database.connection() as second:
            assert not Alerting(CATALOG, world.settings).evaluate(second, world.now).took_place
        world(fire, fingerprint="x", level=Severity.ERROR, title="x", body="", at=world.now)
    assert world.evaluate().took_place
    assert world(evaluated_at) == world.now
    world.now += 5 * SECOND
    world.evaluate()
    assert world(evaluated_at) == world.now - 5 * SECOND, "not written each second"
    world.now += 6 * SECOND
    world.evaluate()
    assert world(evaluated_at) == world.now


def test_groups_that_are_no_sources_end_when_whoever_fired_them_says_so(world):
    world(fire, fingerprint="dagster:job:etl", level=Severity.ERROR, title="etl", body="", at=NOON)
    world.wait(600, every_s=200)
    assert world.told == ["fired error"]
    world.resolve(escalated(world, failure_class=FailureClass.TIMEOUT))


def test_a_fault_in_one_part_keeps_no_other_back_and_is_logged_once(world, caplog):
    incident = world.incident()
    world.seen(AAPL, good=False, times=2)
    world.give_up(incident)
    world(alert_groups.firing_groups)

    def fails(*_):
        with world.database.connection() as connection:
            connection.execute("SELECT 1 / 0")

    world.alerting._advisor.advise = fails
    world.resolve(incident)
    world.wait(70)
    assert world.told == ["fired error", "resolved error"]
    assert len([each for each in caplog.records if "advice fail" in each.message]) == 1


def test_an_incident_that_an_older_version_gave_up_is_told_too(world):
    incident = world.incident()
    world.seen(AAPL, good=False, times=2)
    world(
        lambda c: c.execute(
            "UPDATE incident SET state = 'escalated', root_cause = 'weather' WHERE id = %s",
            [incident],
        )
    )
    assert world.evaluate().escalated == (incident,)
    assert world.messages[0].title == "yahoo does not answer in time: healing chart-aapl-1d failed"


def test_heal_runs_that_give_up_while_others_evaluate_leave_one_group_and_no_deadlock(
    shared_url, world
):
    """The errors of a source have a group, which one gives its cause while another raises it."""
    reading(world, 30, good=22, bad=3)  # 12 %
    assert world.told == ["fired warning"]
    names = [f"yahoo/e{number}" for number in range(5)]
    given_up = [world.incident(name) for name in names]
    for name in names:
        world.seen(name, good=False, times=2)
    now = world.now + timedelta(seconds=5)
    world.read(AAPL, good=0, bad=400, at=now)
    watchers = [Alerting(CATALOG, world.settings) for _ in range(5)]
    for each in watchers:
        world(each.evaluate, now)
    now += 70 * SECOND
    world.read(AAPL, good=0, bad=400, at=now)

    def work(connection, number):
        for turn in range(3):
            with connection.transaction():
                if number >= 5:
                    watchers[number - 5].evaluate(connection, now + turn * SECOND)
                elif turn == 0:
                    escalate(connection, given_up[number])

    def escalate(connection, incident_id):
        for state, to, signal in (
            (State.OPEN, State.HEALING, Signal.HEAL_STARTED),
            (State.HEALING, State.ESCALATED, Signal.HEAL_FAILED),
        ):
            incidents.move_incident(
                connection,
                incident_id=incident_id,
                from_state=state,
                to_state=to,
                signal=signal,
                at=now,
                note="no strategy helped",
                root_cause=RootCause.HOST_DOWN,
            )
        tell_escalated(connection, CATALOG, world.settings, now, incident_id=incident_id)

    at_once(shared_url, work)
    (group,) = world.groups
    assert sorted(group.incident_ids) == sorted(given_up)
    assert group.root_cause == RootCause.HOST_DOWN
    levels = [each.level for each in world.messages]
    assert levels == sorted(set(levels), key=list(Severity).index), world.told
    assert world.told[0] == "fired warning"
