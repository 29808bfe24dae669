from __future__ import annotations

from datetime import timedelta

import pytest
from storage_samples import AAPL, NOON, at_once, begin, later

from healing_pipeline.alerting.fingerprints import OWN_NETWORK, errors_fingerprint, fingerprint_of
from healing_pipeline.alerting.messages import GroupState, Kind
from healing_pipeline.control.alerting import fire, recover
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.diagnosis import RootCause
from healing_pipeline.storage import alert_groups
from healing_pipeline.storage.alerts import (
    alerts_of_group,
    alerts_of_incident,
    alerts_since,
    save_alert,
)

DOWN = fingerprint_of("yahoo", RootCause.HOST_DOWN)
MSFT = "yahoo/chart-msft-1d"


def fires(connection, at=NOON, **changes):
    values = {
        "fingerprint": DOWN,
        "level": Severity.ERROR,
        "title": "yahoo cannot be reached",
        "body": "no strategy helped",
        "source": "yahoo",
        "root_cause": "host down",
    }
    return fire(connection, at=at, **{**values, **changes})


def kinds(connection, group_id):
    return [each.kind for each in alerts_of_group(connection, group_id)]


def test_ten_that_notice_one_cause_at_once_fire_one_group_with_one_message(database_url, database):
    with database.connection() as connection:
        incidents = [begin(connection, f"yahoo/e{n}").incident_id for n in range(10)]

    def work(connection, number):
        return fires(connection, later(number), incident_id=incidents[number])

    ids = set(at_once(database_url, work))
    assert len(ids) == 1
    with database.connection() as connection:
        (group,) = alert_groups.firing_groups(connection)
        (message,) = alerts_of_group(connection, group.id)
        assert ids == {group.id}
        assert group.incident_ids == tuple(sorted(incidents))
        assert group.endpoints == group.ill == tuple(sorted(f"yahoo/e{n}" for n in range(10)))
        assert (message.kind, message.level) == (Kind.FIRED, Severity.ERROR)
        assert message.detail["endpoints"]
        assert message.detail["path"] == f"/health-dashboard/alerts/{group.id}"


def test_ten_that_raise_at_once_tell_of_each_rise_once(database_url, database):
    levels = [Severity.WARNING, Severity.ERROR, Severity.CRITICAL] * 3 + [Severity.CRITICAL]
    at_once(database_url, lambda connection, n: fires(connection, later(n), level=levels[n]))
    with database.connection() as connection:
        (group,) = alert_groups.firing_groups(connection)
        messages = alerts_of_group(connection, group.id)
        assert group.level is Severity.CRITICAL
        told = [each.level for each in messages]
        assert told == sorted(set(told), key=list(Severity).index)
        assert told[-1] is Severity.CRITICAL
        assert [each.kind for each in messages] == [Kind.FIRED] + [Kind.RAISED] * (len(told) - 1)


def test_ten_that_adopt_the_errors_of_a_source_at_once_leave_one_group(database_url, database):
    with database.connection() as connection:
        errors = fires(
            connection,
            fingerprint=errors_fingerprint("yahoo"),
            level=Severity.WARNING,
            root_cause=None,
            title="yahoo: 8 % errors",
        )
    ids = set(at_once(database_url, lambda connection, n: fires(connection, later(n))))
    assert ids == {errors}
    with database.connection() as connection:
        (group,) = alert_groups.firing_groups(connection)
        assert (group.fingerprint, group.root_cause) == (DOWN, "host down")
        assert group.title == "yahoo cannot be reached"
        assert kinds(connection, errors) == [Kind.FIRED, Kind.RAISED]


def test_a_cause_that_has_a_group_leaves_the_errors_of_the_source_alone(database):
    with database.connection() as connection:
        cause = fires(connection)
        errors = fires(connection, fingerprint=errors_fingerprint("yahoo"), root_cause=None)
        assert fires(connection, later(1)) == cause
        assert {each.id for each in alert_groups.firing_groups(connection)} == {cause, errors}


def test_what_recovered_and_fires_again_goes_on_silently(database):
    with database.connection() as connection:
        group = fires(connection)
        assert recover(connection, fingerprint=DOWN, at=later(10), note="it answers again")
        assert not recover(connection, fingerprint=DOWN, at=later(11), note="it answers again")
        found = alert_groups.group_by_id(connection, group)
        assert (found.recovered_at, found.state) == (later(10), GroupState.RECOVERED)
        assert found.detail["healed_by"] == "it answers again"
        assert fires(connection, later(20)) == group
        assert alert_groups.group_by_id(connection, group).state is GroupState.FIRING
        assert kinds(connection, group) == [Kind.FIRED]


def test_what_was_closed_and_fires_again_is_a_new_group(database):
    with database.connection() as connection:
        first = fires(connection)
        assert not alert_groups.resolve_group(connection, first, later(5)), "it still fires"
        recover(connection, fingerprint=DOWN, at=later(10), note="")
        assert alert_groups.resolve_group(connection, first, later(70))
        assert not alert_groups.resolve_group(connection, first, later(71))
        second = fires(connection, later(80))
        assert second != first
        assert [each.id for each in alert_groups.firing_groups(connection)] == [second]
        assert [each.id for each in alert_groups.groups_since(connection, later(71))] == [second]
        known = alert_groups.groups_since(connection, NOON)
        assert [each.id for each in known] == [second, first]
        assert alert_groups.fired_since(connection, [DOWN, "other"], NOON) == {DOWN: 2}


def test_nothing_recovers_that_did_not_fire(database):
    with database.connection() as connection:
        assert not recover(connection, fingerprint="dagster:job:etl", at=NOON, note="")


def silence(connection, **changes):
    values = {
        "source": None,
        "endpoint": None,
        "ends_at": later(600),
        "reason": "known",
        "by": "ann",
        "at": NOON,
    }
    return alert_groups.begin_silence(connection, **{**values, **changes})


@pytest.mark.parametrize(
    ("what", "is_told"),
    [
        ({}, False),
        ({"source": "yahoo"}, False),
        ({"source": "fred"}, True),
        ({"endpoint": "yahoo/chart-*"}, False),
        ({"source": "yahoo", "endpoint": "chart-aapl-1d"}, False),
        ({"endpoint": "yahoo/quote-*"}, True),
        ({"at": later(-60), "ends_at": later(0)}, True),
        ({"at": later(1)}, True),
    ],
)
def test_a_silence_keeps_the_message_back_and_not_the_group(database, what, is_told):
    with database.connection() as connection:
        silence(connection, **what)
        incident = begin(connection, AAPL).incident_id
        group = fires(connection, incident_id=incident)
        assert kinds(connection, group) == ([Kind.FIRED] if is_told else [])
        assert alert_groups.group_of_incident(connection, incident).id == group
        assert alert_groups.group_by_id(connection, group).body == "no strategy helped"


def test_a_silence_of_one_endpoint_does_not_keep_another_quiet(database):
    with database.connection() as connection:
        silence(connection, endpoint=AAPL)
        group = fires(connection, incident_id=begin(connection, AAPL).incident_id)
        assert kinds(connection, group) == []
        fires(connection, later(5), incident_id=begin(connection, MSFT).incident_id)
        assert kinds(connection, group) == [Kind.FIRED]


def test_maintenance_of_the_source_keeps_people_from_being_told(database):
    with database.connection() as connection:
        window = alert_groups.begin_maintenance(
            connection, source="yahoo", begins_at=NOON, ends_at=later(600), reason="moves"
        )
        assert kinds(connection, fires(connection)) == []
        fred = fires(connection, fingerprint="source:fred:key", source="fred")
        assert kinds(connection, fred) == [Kind.FIRED]
        assert alert_groups.end_maintenance(connection, maintenance_id=window, at=later(60))
        assert not alert_groups.end_maintenance(connection, maintenance_id=window, at=later(61))
        assert kinds(connection, fires(connection, later(60))) == [Kind.FIRED]


def test_maintenance_to_come_can_be_taken_back(database):
    with database.connection() as connection:
        window = alert_groups.begin_maintenance(
            connection, source=None, begins_at=later(60), ends_at=later(600), reason="moves"
        )
        assert [each.id for each in alert_groups.maintenance_until(connection, NOON)] == [window]
        assert alert_groups.end_maintenance(connection, maintenance_id=window, at=NOON)
        assert alert_groups.maintenance_until(connection, NOON) == []


def test_a_silence_ends_once(database):
    with database.connection() as connection:
        number = silence(connection)
        (found,) = alert_groups.silences_at(connection, later(1))
        assert (found.id, found.reason, found.made_by) == (number, "known", "ann")
        assert alert_groups.end_silence(connection, silence_id=number, at=later(5))
        assert not alert_groups.end_silence(connection, silence_id=number, at=later(6))
        assert alert_groups.silences_at(connection, later(5)) == []


def test_a_group_is_acknowledged_once(database_url, database):
    with database.connection() as connection:
        group = fires(connection)

    def work(connection, number):
        return alert_groups.acknowledge(
            connection, group_id=group, by=f"user {number}", at=later(1)
        )

    assert sum(at_once(database_url, work)) == 1
    with database.connection() as connection:
        found = alert_groups.group_by_id(connection, group)
        assert found.acknowledged_by.startswith("user ")
        recover(connection, fingerprint=DOWN, at=later(2), note="")
        alert_groups.resolve_group(connection, group, later(3))
        closed = fires(connection, later(4), fingerprint="other")
        recover(connection, fingerprint="other", at=later(5), note="")
        alert_groups.resolve_group(connection, closed, later(6))
        assert not alert_groups.acknowledge(connection, group_id=closed, by="ann", at=later(7))
        assert not alert_groups.acknowledge(connection, group_id=10**9, by="ann", at=later(7))


def test_a_rise_passes_an_acknowledgement(database):
    with database.connection() as connection:
        group = fires(connection)
        alert_groups.acknowledge(connection, group_id=group, by="ann", at=later(1))
        fires(connection, later(2), level=Severity.CRITICAL, title="yahoo is gone")
        *_, raised = alerts_of_group(connection, group)
        assert (raised.kind, raised.level) == (Kind.RAISED, Severity.CRITICAL)
        assert raised.title == "yahoo is gone"


def test_while_we_are_cut_off_nobody_is_told_of_anything_else(database):
    with database.connection() as connection:
        connection.execute("INSERT INTO own_outage (began_at, evidence) VALUES (%s, 'cut')", [NOON])
        assert kinds(connection, fires(connection)) == []
        own = fires(connection, fingerprint=OWN_NETWORK, source=None, root_cause="our network")
        assert kinds(connection, own) == [Kind.FIRED]


def test_what_a_message_is_made_of_comes_back_as_it_was_saved(database):
    with database.connection() as connection:
        incident = begin(connection, AAPL).incident_id
        group = fires(
            connection,
            incident_id=incident,
            owners=["web"],
            detail={"evidence": "half \ud800 a pair\x00", "attempts": [{"strategy": "plain"}]},
        )
        (message,) = alerts_of_group(connection, group)
        assert message.owners == ("web",)
        assert message.detail["evidence"] == "half \ufffd\ufffd\ufffd a pair\ufffd"
        assert message.detail["attempts"] == [{"strategy": "plain"}]
        assert message.detail["source"] == "yahoo"
        assert message.incident_id == incident
        assert alerts_of_incident(connection, incident) == [message]
        assert alerts_since(connection, NOON) == [message]


def test_a_member_of_a_group_finds_the_messages_about_it(database):
    with database.connection() as connection:
        group = fires(connection, incident_id=begin(connection, AAPL).incident_id)
        joined = begin(connection, MSFT).incident_id
        fires(connection, later(1), incident_id=joined)
        assert alerts_of_incident(connection, joined) == alerts_of_group(connection, group)
        assert len(alerts_of_group(connection, group)) == 1


def test_an_escalation_that_is_rolled_back_leaves_no_group(database):
    def escalate(connection):
        fires(connection)
        raise RuntimeError

    with pytest.raises(RuntimeError), database.connection() as connection:
        escalate(connection)
    with database.connection() as connection:
        assert alert_groups.firing_groups(connection) == []
        assert alerts_since(connection, NOON - timedelta(days=1)) == []


def test_a_message_of_no_group_is_saved_once(database):
    with database.connection() as connection:
        saved = [
            save_alert(
                connection,
                at=NOON,
                level=Severity.INFO,
                title="test",
                body="",
                dedupe_key="test:1",
                kind=Kind.TEST,
            )
            for _ in range(2)
        ]
        assert saved[1] is None
        (message,) = alerts_since(connection, NOON)
        assert (message.id, message.group_id, message.kind) == (saved[0], None, Kind.TEST)
