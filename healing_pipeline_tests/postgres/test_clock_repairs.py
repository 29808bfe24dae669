"""What the tables hold of a clock that was ahead, and what becomes of it when it is set back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from storage_samples import AAPL, NOON, attempt, begin, snapshot

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.control import heal_run
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.storage.alerts import save_alert
from healing_pipeline.storage.clock_repairs import put_right
from healing_pipeline.storage.deliveries import add_delivery, claim_delivery, put_off
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.incidents import incident_by_id, incident_events, move_incident
from healing_pipeline.storage.observations import reader_evidence
from healing_pipeline.storage.probes import claim_due, next_due_at, seed_schedule
from healing_pipeline.storage.snapshots import load_snapshots, save_snapshot

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def test_what_was_due_tomorrow_by_a_clock_that_was_ahead_is_asked_within_its_interval(database):
    endpoints = [Endpoint(f"yahoo/{each}", "yahoo", "/") for each in range(5)]
    with database.connection() as connection:
        seed_schedule(connection, endpoints, NOON + DAY, lambda: 0.5)
        assert next_due_at(connection, "yahoo") > NOON + 23 * HOUR
        assert put_right(connection, NOON) == 5
        interval = timedelta(seconds=endpoints[0].interval_s)
        assert next_due_at(connection, "yahoo") <= NOON + interval
        due = claim_due(connection, source="yahoo", now=NOON + interval, limit=10, early=0.1)
        assert len(due) == 5
        assert put_right(connection, NOON + interval) == 0


def test_what_was_stored_is_as_much_older_as_the_clock_was_set_back(database):
    young = snapshot(endpoint="yahoo/a", fetched_at=NOON - 3 * HOUR)
    ahead = snapshot(endpoint="yahoo/b", fetched_at=NOON + 2 * HOUR)
    with database.connection() as connection:
        for each in (young, ahead):
            save_snapshot(connection, each)
        put_right(connection, NOON, HOUR)
        at = {each.endpoint: each.fetched_at for each in load_snapshots(connection)}
        assert at["yahoo/a"] == NOON - 4 * HOUR
        # Still from the future: nobody knows how old it is.
        assert at["yahoo/b"].year == 1970
        assert save_snapshot(connection, snapshot(endpoint="yahoo/b", fetched_at=NOON))


def test_a_message_that_waits_for_tomorrow_by_a_clock_that_was_ahead_is_sent_now(database):
    with database.connection() as connection:
        alert = save_alert(
            connection, at=NOON + DAY, level="error", title="t", body="b", dedupe_key="k"
        )
        add_delivery(connection, alert_id=alert, channel="mail", at=NOON + DAY)
        assert claim_delivery(connection, channel="mail", now=NOON).alert_id == alert
        put_off(connection, alert_id=alert, channel="mail", next_at=NOON + HOUR, error="busy")
        assert claim_delivery(connection, channel="mail", now=NOON) is None
        assert claim_delivery(connection, channel="mail", now=NOON + HOUR).alert_id == alert


def test_an_incident_lasts_no_less_than_no_time_and_its_heal_still_ends(database):
    with database.connection() as connection:
        number = begin(connection).incident_id
        earlier = NOON - HOUR
        taken = heal_run.take(connection, number, earlier)
        moved = move_incident(
            connection,
            incident_id=number,
            from_state=State.HEALING,
            to_state=State.HEALED,
            signal=Signal.HEAL_SUCCEEDED,
            at=earlier + MINUTE,
            note="",
            heal_since=taken.taken_at,
        )
        assert moved is not None
        move_incident(
            connection,
            incident_id=number,
            from_state=State.HEALED,
            to_state=State.RESOLVED,
            signal=Signal.RECOVERED,
            at=earlier + 2 * MINUTE,
            note="",
        )
        row = incident_by_id(connection, number)
        assert row.began_at <= row.detected_at <= row.healed_at <= row.resolved_at
        moments = [each.at for each in incident_events(connection, number)]
        assert moments == sorted(moments)
        assert len(moments) == 4


@pytest.mark.parametrize("ahead", [HOUR, DAY])
def test_what_readers_met_before_the_clock_was_set_back_opens_no_incident_afterwards(
    database, database_url, ahead
):
    """It would be news until its time comes again, and no good answer could follow it."""
    store = FactStore(database_url)
    bad = {"failure_class": "timeout", "evidence": "silent", "healed": False, "fidelity": None}
    store.store(
        [attempt(at=NOON + ahead, endpoint=AAPL, upstream_calls=1, **bad) for _ in range(3)]
    )
    store.store([attempt(at=NOON, endpoint=AAPL, upstream_calls=1, failure_class="ok")])
    store.close()
    with database.connection() as connection:
        (heard,) = reader_evidence(
            connection, source="yahoo", since=NOON - MINUTE, until=NOON + MINUTE
        )
        assert (heard.failures, heard.good_since) == (0, 1)
        (unbounded,) = reader_evidence(connection, source="yahoo", since=NOON - MINUTE)
        assert (unbounded.failures, unbounded.good_since) == (3, 0)
