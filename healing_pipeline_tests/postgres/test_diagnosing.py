"""One root cause over many endpoints is one incident with members, whoever finds it, how often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest
from alert_world import emptied
from outages import QUOTES, RATES, SERIES, Outages, catalog_of
from storage_samples import at_once, failed_attempt

from healing_pipeline.control.diagnosing import causes_at, diagnose_open
from healing_pipeline.control.gathering import MOST_SEEN
from healing_pipeline.incidents.cause import RootCause
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.diagnoses import diagnoses_of
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.joint_incidents import joint_incident_of, open_joint_incidents
from healing_pipeline.storage.own_outages import note_own_outage, note_own_outage_over


@pytest.fixture(scope="module")
def database_url(pg_server) -> Iterator[str]:
    """One database for all of them: each empties it."""
    name = f"test_{uuid4().hex}"
    pg_server.create(name, "healing_template")
    yield pg_server.url(name)
    pg_server.drop(name)


@pytest.fixture(scope="module")
def database(database_url) -> Iterator[Database]:
    with Database(database_url, max_size=12) as database:
        yield database


@pytest.fixture
def world(database, database_url) -> Iterator[Outages]:
    with database.connection() as connection:
        emptied(connection)
    with closing(FactStore(database_url)) as store:
        yield Outages(database, store)


def test_one_outage_whose_evidence_differs_is_one_incident_with_members(world):
    ids = world.begin(*QUOTES[:3]) + world.begin(*QUOTES[3:5], failure="server_error")
    world.called(*QUOTES[:3], failure="timeout", host="query2", strategy="alternate_host")
    world.diagnose()
    assert world.joint == {ids[0]: set(ids)}
    rows = [world.row(each) for each in ids]
    assert {each.parent_id for each in rows[1:]} == {ids[0]}
    assert rows[0].parent_id is None
    assert {each.root_cause for each in rows} == {RootCause.PROVIDER_DOWN}
    assert {each.place for each in rows} == {"yahoo"}
    (verdict,) = world(diagnoses_of, [ids[0]])
    assert set(verdict.scope) == set(QUOTES), "whoever was not asked yet is hit as well"
    assert verdict.members == tuple(ids)
    assert verdict.rested_on["calls"] == 13
    assert verdict.rested_on["good"] == 0
    assert "provider down" in verdict.chain[-1].follows


def test_finding_the_same_again_writes_nothing_and_finding_more_does(world):
    ids = world.begin(*QUOTES[:4])
    world.called(*QUOTES[:4], failure="timeout", host="query2", strategy="alternate_host")
    for _ in range(3):
        world.diagnose()
        world.wait(1)
    assert len(world(diagnoses_of, ids)) == 1
    more = world.begin(QUOTES[4])
    world.diagnose(source="yahoo")
    assert world.joint == {ids[0]: {*ids, *more}}
    assert world.diagnose(source="fred").causes == (), "nothing fails there"


def test_causes_at_two_sources_are_two_incidents(world):
    quotes, series = world.begin(*QUOTES[:3]), world.begin(*SERIES, failure="auth_error")
    world.called(*SERIES, strategy="rotate_api_key", key_name="spare")
    world.diagnose()
    assert world.joint == {quotes[0]: set(quotes), series[0]: set(series)}
    assert world.row(series[0]).root_cause == RootCause.KEY
    assert "primary" in (world.row(series[0]).place or "")


def test_ten_at_once_join_the_same_and_say_it_once(world, database_url):
    ids = world.begin(*QUOTES, *SERIES)

    def work(connection, number):
        source = (None, "yahoo", "fred")[number % 3]
        for _ in range(3):
            with connection.transaction():
                diagnose_open(connection, world.places, world.now, source=source)

    at_once(database_url, work)
    world.diagnose()  # whoever found another at it left the rest for later
    assert world.joint == {ids[0]: set(ids[:6]), ids[6]: set(ids[6:])}
    assert sorted(each.incident_id for each in world(diagnoses_of, ids)) == [ids[0], ids[6]]


def test_what_somebody_else_has_in_hand_is_not_waited_for_and_joined_the_next_time(
    world, database_url
):
    ids = world.begin(*QUOTES[:4])
    with psycopg.connect(connection_info(database_url)) as other:
        other.execute("UPDATE incident SET state_since = state_since WHERE id = %s", [ids[2]])
        world.diagnose()
        assert world.joint == {ids[0]: {ids[0], ids[1], ids[3]}, ids[2]: {ids[2]}}
    world.diagnose()
    assert world.joint == {ids[0]: set(ids)}


def test_a_joint_incident_outlives_its_parent_and_ends_with_its_last_member(world):
    first, *others = world.begin(*QUOTES[:4])
    world.diagnose()
    world.wait(30)
    world.seen(*QUOTES[1:4], failure="timeout")
    world.resolve(first)
    world.diagnose()
    assert world.joint == {first: {first, *others}}
    (joint,) = world(open_joint_incidents)
    assert (joint.row.id, joint.row.state, joint.open_members) == (first, State.OPEN, 3)
    assert joint.row.resolved_at is None
    (newcomer,) = world.begin(QUOTES[4])
    world.diagnose()
    assert world.row(newcomer).parent_id == first
    world.wait(30)
    world.resolve(*others, newcomer)
    world.diagnose()
    assert world(open_joint_incidents) == []
    over = world(joint_incident_of, others[0])
    assert (over.row.id, over.row.state, over.members) == (first, State.RESOLVED, 5)
    assert over.row.resolved_at == world.now
    assert over.row.began_at == world.row(first).began_at


def test_a_joint_incident_is_as_bad_as_its_worst_member(world):
    first, second, third = world.begin(*QUOTES[:3])
    world.diagnose()
    for each in (first, second):
        world.move(each, State.HEALING, "heal_started")
        world.move(each, State.HEALED, "heal_succeeded", strategy="use_cached_data")
    assert world(joint_incident_of, first).row.state is State.OPEN
    world.move(third, State.HEALING, "heal_started")
    world.move(third, State.ESCALATED, "heal_failed")
    joint = world(joint_incident_of, second)
    assert (joint.row.id, joint.row.state, joint.row.heals) == (first, State.ESCALATED, 2)
    assert joint.row.healed_at is None, "not all of it was healed"


def test_a_member_that_turns_out_to_have_another_cause_leaves(world):
    ids = world.begin(*QUOTES[:5])
    world.diagnose()
    assert world.joint == {ids[0]: set(ids)}
    # The source is back, and one endpoint fails on: the instrument is gone.
    for _ in range(4):
        world.wait(20)
        world.seen(*QUOTES[1:])
        world.seen(QUOTES[0], failure="not_found")
        world.called(QUOTES[0], failure="not_found", host="query2", strategy="alternate_host")
    world.resolve(*ids[1:4])
    world.diagnose()
    assert world.row(ids[0]).root_cause == RootCause.REQUEST
    assert world.row(ids[4]).root_cause != RootCause.REQUEST
    assert world(joint_incident_of, ids[0]).row.id != world(joint_incident_of, ids[4]).row.id


def test_our_own_outage_is_one_incident_of_all_sources_until_they_are_heard_again(world):
    world(note_own_outage, at=world.now, evidence="none of 5 hosts can be reached")
    ids = world.begin(QUOTES[0], SERIES[0], RATES[0], failure="network_error")
    world.diagnose(source="fred")
    assert world.joint == {ids[0]: set(ids)}
    assert {world.row(each).root_cause for each in ids} == {RootCause.OUR_NETWORK}
    joint = world(joint_incident_of, ids[2])
    assert joint.sources == ("fred", "fx", "yahoo")
    world.wait(5)
    world(note_own_outage_over, at=world.now)
    world.diagnose()
    assert {world.row(each).root_cause for each in ids} == {RootCause.OUR_NETWORK}, "not seen since"
    world.wait(1)
    for _ in range(3):
        world.seen(SERIES[0], failure="network_error")
        world.seen(QUOTES[0], RATES[0])
    world.diagnose()
    assert world.row(ids[1]).root_cause != RootCause.OUR_NETWORK, "it fails on by itself"
    assert world.row(ids[1]).parent_id is None
    assert world.row(ids[2]).root_cause == RootCause.OUR_NETWORK


def test_what_is_read_is_bounded_however_much_is_asked(world):
    world.begin(*QUOTES)
    busy = [failed_attempt(at=world.now, endpoint=QUOTES[0]) for _ in range(2 * MOST_SEEN)]
    world.store.store(busy)
    seen = world.diagnose().evidence.seen
    assert len(seen) <= MOST_SEEN
    assert {each.endpoint for each in seen} == set(QUOTES)


def test_a_call_to_another_provider_says_nothing_of_the_sources_own_hosts(world):
    ids = world.begin(*QUOTES[:4])
    world.called(*QUOTES[:4], strategy="fallback_provider", host="query2")
    found = world.diagnose()
    assert all(each.how != "fallback_provider" for each in found.evidence.seen)
    assert set(found.joint_ids) == set(ids)


def test_a_fault_of_ours_in_finding_causes_keeps_nobody_from_healing(world, monkeypatch, caplog):
    (lonely,) = world.begin(QUOTES[0])

    def broken(_evidence):
        raise ZeroDivisionError

    monkeypatch.setattr("healing_pipeline.control.diagnosing.find_causes", broken)
    assert world(causes_at, catalog_of(), "yahoo", world.now) is None
    assert "causes of what fails at yahoo" in caplog.text
    world.move(lonely, State.HEALING, "heal_started")


def test_verdicts_are_appended_and_never_changed(world, database_url):
    world.begin(*QUOTES[:2])
    world.diagnose()
    with psycopg.connect(connection_info(database_url)) as connection:
        for statement in ("UPDATE diagnosis SET place = 'moon'", "DELETE FROM diagnosis"):
            with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
                connection.execute(statement)
