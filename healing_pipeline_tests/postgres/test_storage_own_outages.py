from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from storage_samples import AAPL, NOON, at_once, attempt, begin, later

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.values import Catalog, Upstreams
from healing_pipeline.control.alerting import Alerting
from healing_pipeline.control.own_outages import begin_own_outage, end_own_outage
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.alerts import alerts_since
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.incidents import heal_requests
from healing_pipeline.storage.own_outages import is_cut_off, latest_own_outage

WHY = "none of 7 hosts can be reached"
NOTHING_WATCHED = Catalog({}, {}, Upstreams.REAL)
STAYED_WELL = AlertSettings().keep_firing_for


def evaluate(connection, now):
    return Alerting(NOTHING_WATCHED, AlertSettings()).evaluate(connection, now)


def minutes(connection, from_at, to_at):
    query = "SELECT minute FROM own_outage_minutes(%s, %s) ORDER BY minute"
    return [minute for (minute,) in connection.execute(query, [from_at, to_at])]


def test_ten_processes_that_notice_at_once_tell_of_one_outage_in_one_alert(database_url, database):
    began = at_once(
        database_url, lambda connection, _: begin_own_outage(connection, at=NOON, evidence=WHY)
    )
    assert sum(began) == 1
    with database.connection() as connection:
        (alert,) = alerts_since(connection, NOON)
        assert (alert.level, alert.incident_id) == (Severity.CRITICAL, None)
        assert WHY in alert.body
        assert is_cut_off(connection)


def test_ten_processes_that_see_it_end_at_once_end_it_once(database_url, database):
    with database.connection() as connection:
        begin_own_outage(connection, at=NOON, evidence=WHY)
    ended = at_once(
        database_url,
        lambda connection, _: end_own_outage(connection, at=later(90), evidence="a.test answers"),
    )
    assert sum(ended) == 1
    with database.connection() as connection:
        evaluate(connection, later(90) + STAYED_WELL)
        newest, _ = alerts_since(connection, NOON)
        assert (newest.kind, "It lasted 1 min 30 s" in newest.body) == ("resolved", True)
        assert "a.test answers" in newest.body
        assert not is_cut_off(connection)
        outage = latest_own_outage(connection)
        assert (outage.began_at, outage.ended_at) == (NOON, later(90))


def test_without_an_outage_there_is_nothing_to_end(database):
    with database.connection() as connection:
        assert latest_own_outage(connection) is None
        assert not is_cut_off(connection)
        assert not end_own_outage(connection, at=NOON, evidence="")


def test_the_next_outage_is_told_again(database):
    with database.connection() as connection:
        for number in range(2):
            assert begin_own_outage(connection, at=later(100 * number), evidence=WHY)
            assert end_own_outage(connection, at=later(100 * number + 10), evidence="")
            evaluate(connection, later(100 * number + 10) + STAYED_WELL)
        # The second one fired within an hour of the first: it has to stay well for twice as long.
        assert len(alerts_since(connection, NOON)) == 3
        evaluate(connection, later(110) + 2 * STAYED_WELL)
        assert len(alerts_since(connection, NOON)) == 4


def test_an_outage_does_not_end_before_it_began(database):
    with database.connection() as connection:
        begin_own_outage(connection, at=NOON, evidence=WHY)
        assert end_own_outage(connection, at=later(-5), evidence="")  # a clock was set back
        assert latest_own_outage(connection).ended_at == NOON
    with pytest.raises(psycopg.errors.CheckViolation), database.connection() as connection:
        connection.execute(
            "INSERT INTO own_outage (began_at, ended_at, evidence) VALUES (%s, %s, '')",
            [NOON, later(-1)],
        )


def test_no_heal_is_asked_for_while_we_are_cut_off(database):
    with database.connection() as connection:
        begin(connection, AAPL)
        assert len(heal_requests(connection)) == 1
        begin_own_outage(connection, at=NOON, evidence=WHY)
        assert heal_requests(connection) == []
        end_own_outage(connection, at=later(30), evidence="")
        assert len(heal_requests(connection)) == 1


def test_learning_leaves_out_the_minutes_that_an_outage_touches(database):
    with database.connection() as connection:
        begin_own_outage(connection, at=later(30), evidence=WHY)
        end_own_outage(connection, at=later(130), evidence="")
        assert minutes(connection, NOON, later(3600)) == [NOON, later(60), later(120)]
        # Of those that were asked for.
        assert minutes(connection, later(60), later(120)) == [later(60)]
        assert minutes(connection, later(180), later(3600)) == []
        assert minutes(connection, later(-3600), NOON) == []


def test_learning_leaves_out_an_outage_that_lasts(database):
    with database.connection() as connection:
        begin_own_outage(connection, at=later(30), evidence=WHY)
        assert minutes(connection, NOON, later(180)) == [NOON, later(60), later(120)]


def test_minutes_in_which_everybody_was_silent_count_without_anybody_having_noticed(
    database_url, database
):
    lost = attempt(failure_class="network_error", healed=False, upstream_calls=1)
    places = [("yahoo", "query1"), ("yahoo", "query2"), ("fred", "api")]
    store = FactStore(database_url)
    store.store(
        [
            replace(attempt(), **_values(lost), source=source, host=host, at=later(number))
            for number, (source, host) in enumerate(places)
        ]
    )
    store.close()
    with database.connection() as connection:
        assert minutes(connection, NOON, NOON + timedelta(hours=1)) == [NOON]


def _values(made):
    return {name: getattr(made, name) for name in ("failure_class", "healed", "upstream_calls")}
