from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_samples import NOON, answer, attempt, begin, decision, probe, snapshot

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.facts import COLUMNS, fact_of, line_of, row_of
from healing_pipeline.storage.snapshots import load_snapshots
from healing_pipeline.storage.text import storable

texts = st.text(st.characters(), max_size=30)
times = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
storable_texts = texts.map(storable)
points = st.builds(Point, at=times, field=storable_texts, value=numbers)
readings = st.builds(
    Reading,
    instrument=storable_texts,
    interval=storable_texts,
    points=st.lists(
        points, min_size=1, max_size=4, unique_by=lambda each: (each.at, each.field)
    ).map(lambda found: tuple(sorted(found))),
    as_of=times,
)
snapshots = st.builds(
    snapshot, fetched_at=times, reading=readings, body=st.binary(max_size=40), as_of=times
)
attempts = st.builds(
    attempt,
    id=st.uuids(),
    at=times,
    evidence=storable_texts,
    seconds=numbers.map(abs),
    params=st.dictionaries(storable_texts, storable_texts | st.integers(0, 9) | st.booleans()),
    fidelity=st.none() | st.just("stale"),
    incident_id=st.none() | st.integers(1, 2**60),
    met=st.none() | st.just("timeout"),
)
decisions = st.builds(
    decision,
    request_id=st.uuids(),
    at=times,
    budget_s=numbers.map(abs),
    policy=st.none() | st.just("0123456789ab"),
    considered=st.dictionaries(storable_texts, st.lists(storable_texts | numbers)),
    late=st.booleans(),
)
answers = st.builds(answer, at=times, as_of=st.none() | times, failed=st.booleans())
probes = st.builds(probe, at=times, evidence=storable_texts, confirms=st.none() | st.uuids())
facts = attempts | decisions | answers | probes | snapshots


@given(fact=facts)
def test_a_fact_comes_back_from_its_line_as_it_was(fact):
    line = line_of(fact)
    assert "\n" not in line
    assert fact_of(line) == fact


@given(fact=facts)
def test_a_row_has_a_value_for_each_column(fact):
    assert len(row_of(fact)) == len(COLUMNS[type(fact)])


@given(text=texts)
def test_storable_text_has_no_nul_and_is_utf8_and_stays(text):
    clean = storable(text)
    assert "\x00" not in clean
    clean.encode()
    assert storable(clean) == clean


@given(line=st.text(max_size=60) | facts.map(line_of).map(lambda line: line[:-7]))
def test_a_torn_or_strange_line_is_refused_in_one_way(line):
    with pytest.raises((ValueError, KeyError, TypeError)):
        fact_of(line)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    batch=st.lists(
        st.builds(attempt, evidence=texts, params=st.dictionaries(texts, texts)),
        max_size=5,
    )
)
def test_whatever_an_upstream_said_can_be_stored(database_url, batch):
    batch = [replace(fact, id=uuid4()) for fact in batch]
    store = FactStore(database_url)
    try:
        store.store(batch)
    finally:
        store.close()
    with psycopg.connect(connection_info(database_url)) as connection:
        query = "SELECT evidence FROM attempt WHERE id = %s"
        for fact in batch:
            (evidence,) = connection.execute(query, [fact.id]).fetchone()
            assert evidence == storable(fact.evidence)


def test_a_line_of_before_attempts_said_what_they_met_is_still_read():
    fact = attempt(met="timeout")
    line = json.loads(line_of(fact))
    del line["met"]
    assert fact_of(json.dumps(line)) == replace(fact, met=None)


def test_an_attempt_keeps_what_it_met_and_a_decision_all_that_decided_it(database, database_url):
    made = decision(considered={"candidates": [{"strategy": "use_cached_data", "p": 0.9}]})
    store = FactStore(database_url)
    try:
        store.store([attempt(met="timeout"), attempt(), made])
        store.store([made])
    finally:
        store.close()
    with database.connection() as connection:
        met = connection.execute("SELECT met::text FROM attempt ORDER BY met").fetchall()
        rows = connection.execute("SELECT considered, late FROM decision").fetchall()
    assert met == [("timeout",), (None,)]
    assert rows == [(made.considered, False)]


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fact=snapshots)
def test_a_snapshot_comes_back_from_postgresql_as_it_was(database_url, fact):
    store = FactStore(database_url)
    try:
        with psycopg.connect(connection_info(database_url), autocommit=True) as connection:
            connection.execute("DELETE FROM snapshot")
            store.store([fact])
            assert load_snapshots(connection) == [fact]
    finally:
        store.close()


@pytest.mark.parametrize(
    "table", ["attempt", "decision", "answer", "probe_result", "incident_event"]
)
@pytest.mark.parametrize(
    "change",
    ["UPDATE {} SET at = now()", "DELETE FROM {}", "TRUNCATE {}"],
    ids=["update", "delete", "truncate"],
)
def test_facts_are_appended_never_changed(database, table, change):
    with (
        pytest.raises(psycopg.errors.RestrictViolation, match="appended, never changed"),
        database.connection() as connection,
    ):
        connection.execute(change.format(table))


def test_pruning_may_delete_but_not_change(database):
    with database.connection() as connection:
        begin(connection)
    with database.connection() as connection:
        connection.execute("SET LOCAL healing.prune = 'on'")
        connection.execute("DELETE FROM incident_event")
        with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
            connection.execute("UPDATE incident_event SET note = 'other'")
    # The permission ended with its transaction.
    with pytest.raises(psycopg.errors.RestrictViolation), database.connection() as connection:
        connection.execute("DELETE FROM incident_event")


def test_the_older_of_two_snapshots_never_replaces_the_newer(database, database_url):
    new, old = snapshot(fetched_at=NOON), snapshot(fetched_at=NOON - timedelta(minutes=1))
    other = snapshot(request_key="range=5d", fetched_at=NOON - timedelta(minutes=2))
    store = FactStore(database_url)
    try:
        store.store([new, old, other])
        store.store([old])
    finally:
        store.close()
    with database.connection() as connection:
        assert load_snapshots(connection) == [other, new]
        assert load_snapshots(connection, newer_than=NOON - timedelta(minutes=1)) == [new]
        assert load_snapshots(connection, endpoints=["fred/dgs10"]) == []


def test_an_attempt_keeps_its_parameters(database, database_url):
    fact = attempt(id=uuid4(), params={"factor": 0.5, "note": "a\x00"})
    store = FactStore(database_url)
    try:
        store.store([fact])
    finally:
        store.close()
    with database.connection() as connection:
        (params,) = connection.execute("SELECT params FROM attempt").fetchone()
    assert params == {"factor": 0.5, "note": "a\ufffd"}
    (replayed,) = (each for each in row_of(fact_of(line_of(fact))) if "factor" in str(each))
    assert json.loads(replayed) == params
