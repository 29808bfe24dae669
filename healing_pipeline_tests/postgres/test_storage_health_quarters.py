"""Health by quarter of an hour: the same as the facts say, whenever they arrive."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import astuple
from datetime import timedelta
from statistics import median

import pytest
from storage_samples import AAPL, NOON, answer, at_once, begin, later, probe

from healing_pipeline.storage.dashboards import day_by_endpoint, since_folded
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.health_quarters import (
    QUARTER,
    fold_quarters,
    quarter_of,
    quarters_of_endpoint,
    totals_by_endpoint,
    totals_by_source,
)
from healing_pipeline.storage.incidents import move_incident
from healing_pipeline.web.dashboard.day_bar import letter_of

ENDPOINTS = (AAPL, "yahoo/quote-aapl", "fred/dgs10")
HOURS = 3
END = NOON + timedelta(hours=HOURS)
CALLERS = {"bad_request", "not_found", "plan_limit"}


@pytest.fixture
def store(database_url):
    store = FactStore(database_url)
    yield store
    store.close()


def made_up(rng: random.Random, count: int):
    facts = []
    for _ in range(count):
        endpoint = rng.choice(ENDPOINTS)
        shared = {
            "at": NOON + timedelta(seconds=rng.uniform(0, HOURS * 3600)),
            "source": endpoint.split("/")[0],
            "endpoint": endpoint,
            "seconds": rng.uniform(0.01, 3),
        }
        failure = rng.choice([None, None, None, "timeout", "bad_request", "not_found"])
        if rng.random() < 0.3:
            facts.append(probe(**shared, failure_class=failure or "ok"))
        else:
            failed = failure is not None and rng.random() < 0.3
            fidelity = None if failed else "exact"
            facts.append(answer(**shared, failure_class=failure, failed=failed, fidelity=fidelity))
    return facts


def counts(answered) -> bool:
    """Whether a request says anything of the source: not one for what it does not have."""
    return not (answered.failed and answered.failure_class in CALLERS)


def by_hand(facts, spans=(), unhealed=()):
    """What the rows have to be, reckoned from the facts one by one."""
    of = defaultdict(lambda: {"answers": [], "probes": []})
    for fact in facts:
        kind = "probes" if hasattr(fact, "host") else "answers"
        of[quarter_of(fact.at), fact.endpoint][kind].append(fact)
    for endpoint, since, until in (*spans, *unhealed):
        at = quarter_of(since)
        while at < until:
            of[at, endpoint]  # makes the row
            at += QUARTER
    rows = {}
    for (quarter, endpoint), seen in of.items():
        asked = [each for each in seen["answers"] if counts(each)]
        met = [each for each in asked if each.failure_class not in (None, "bad_request")]
        counted = [each for each in seen["probes"] if each.failure_class not in CALLERS]
        waits = [each.seconds for each in seen["answers"] or seen["probes"]]

        def overlaps(given, quarter=quarter, endpoint=endpoint):
            return any(
                name == endpoint and since < quarter + QUARTER and quarter <= until
                for name, since, until in given
            )

        rows[quarter, endpoint] = (
            len(asked),
            len(met),
            sum(not each.failed for each in met),
            sum(each.failed for each in asked),
            len(counted),
            sum(each.failure_class != "ok" for each in counted),
            pytest.approx(sum(waits)),
            pytest.approx(median(waits)) if waits else None,
            overlaps(spans),
            overlaps(unhealed),
        )
    return rows


def folded(connection, since=NOON, until=END):
    rows = {}
    for endpoint in ENDPOINTS:
        for row in quarters_of_endpoint(connection, endpoint, since, until):
            values = astuple(row)
            rows[row.quarter, endpoint] = (*values[3:11], *values[12:])
    return rows


def test_folds_and_folds_again_are_what_the_facts_say_one_by_one(database, store):
    rng = random.Random(4)
    facts, late = made_up(rng, 600), made_up(rng, 200)
    store.store(facts)
    with database.connection() as connection:
        assert folded(connection) == by_hand(facts)  # nothing folded yet
        assert len(fold_quarters(connection, END + timedelta(minutes=1))) == HOURS * 4
        assert folded(connection) == by_hand(facts)
        assert fold_quarters(connection, END + timedelta(minutes=1)) == []
    store.store(late)
    store.store(late)  # a spool that is replayed
    with database.connection() as connection:
        assert fold_quarters(connection, END + timedelta(minutes=2))
        assert folded(connection) == by_hand(facts + late)
        (stored,) = connection.execute("SELECT count(*) FROM health_quarter").fetchone()
        assert stored == len(by_hand(facts + late))


def test_an_incident_marks_every_quarter_it_stood_open_in_and_those_that_healing_failed_in(
    database, store
):
    with database.connection() as connection:
        assert fold_quarters(connection, later(60)) == []
        assert fold_quarters(connection, END + timedelta(minutes=1))
        opened = begin(connection, began_at=later(840), at=later(905))
        states = ("open", "healing", "escalated", "open")
        for number, at in enumerate((930, 1000, 4000), 1):
            move_incident(
                connection,
                incident_id=opened.incident_id,
                from_state=states[number - 1],
                to_state=states[number],
                signal="heal_failed",
                at=later(at),
                note="",
            )
        until = END + timedelta(minutes=1)
        fold_quarters(connection, until)
        spans = [(AAPL, later(840), END)]
        unhealed = [(AAPL, later(1000), later(4000))]
        assert folded(connection) == by_hand([], spans, unhealed)
        move_incident(
            connection,
            incident_id=opened.incident_id,
            from_state="open",
            to_state="resolved",
            signal="recovered",
            at=later(7000),
            note="",
        )
        fold_quarters(connection, until)
        spans = [(AAPL, later(840), later(7000))]
        assert folded(connection) == by_hand([], spans, unhealed)


def test_any_range_is_added_up_exactly_wherever_it_cuts_a_quarter(database, store):
    rng = random.Random(8)
    facts = made_up(rng, 500)
    store.store(facts)
    with database.connection() as connection:
        fold_quarters(connection, NOON + timedelta(hours=2))
        for _ in range(12):
            since = NOON + timedelta(seconds=rng.uniform(0, HOURS * 3600))
            until = since + timedelta(seconds=rng.choice([1, 300, 900, 4000]))
            inside = [each for each in facts if since <= each.at < until]
            read = [each for each in inside if not hasattr(each, "host") and counts(each)]
            for totals, name in (
                (totals_by_endpoint(connection, since, until), "endpoint"),
                (totals_by_source(connection, since, until), "source"),
            ):
                assert {getattr(each, name) for each in totals} == {
                    getattr(each, name) for each in inside
                }
                for each in totals:
                    mine = [one for one in read if getattr(one, name) == getattr(each, name)]
                    assert each.requests == len(mine)
                    assert each.reader_errors == sum(one.failed for one in mine)
                assert sum(each.waited_s for each in totals) >= 0


@pytest.mark.parametrize("is_folded", [True, False])
def test_the_overviews_day_adds_up_the_same_quarters_and_judges_each(database, store, is_folded):
    facts = made_up(random.Random(5), 500)
    store.store(facts)
    with database.connection() as connection:
        for endpoint, state in ((ENDPOINTS[0], "healed"), (ENDPOINTS[1], "escalated")):
            move_incident(
                connection,
                incident_id=begin(connection, endpoint).incident_id,
                from_state="open",
                to_state=state,
                signal="heal_failed",
                at=later(20),
                note="",
            )
        fold_quarters(connection, END + timedelta(minutes=1))
        read = day_by_endpoint if is_folded else since_folded
        seen = read(connection, NOON, END)
        assert set(seen) == set(ENDPOINTS)
        for endpoint, day in seen.items():
            quarters = quarters_of_endpoint(connection, endpoint, NOON, END)
            for name in ("requests", "met_fault", "healed", "reader_errors", "probes", "failures"):
                assert getattr(day, name) == sum(getattr(each, name) for each in quarters)
            assert day.quarters == tuple(int(each.quarter.timestamp()) // 900 for each in quarters)
            assert list(day.letters) == [letter_of(each) for each in quarters]
        assert set(seen[ENDPOINTS[1]].letters) == {"f"}


def test_ten_processes_that_fold_at_once_fold_each_quarter_once(database_url, store):
    store.store(made_up(random.Random(1), 300))
    done = at_once(
        database_url,
        lambda connection, _: fold_quarters(connection, END + timedelta(minutes=1)),
    )
    quarters = [each for one in done for each in one]
    assert len(quarters) == len(set(quarters)) == HOURS * 4


def test_a_fold_that_fails_leaves_its_news_for_the_next(database, store):
    store.store(made_up(random.Random(2), 50))
    until = END + timedelta(minutes=1)
    with database.connection() as connection, connection.transaction(force_rollback=True):
        assert fold_quarters(connection, until)
    with database.connection() as connection:
        assert fold_quarters(connection, until)


def test_writing_a_fact_never_waits_for_a_fold(database, store):
    store.store(made_up(random.Random(3), 50))
    with database.connection() as connection:
        assert fold_quarters(connection, END + timedelta(minutes=1))
        with database.connection() as other:
            other.execute("SET LOCAL lock_timeout = '500ms'")
            begin(other, began_at=NOON, at=later(1))
    with database.connection() as connection:
        assert quarter_of(NOON) in fold_quarters(connection, END + timedelta(minutes=1))


def test_a_quarter_begins_on_the_quarter():
    assert quarter_of(later(899.9)) == NOON
    assert quarter_of(later(900)) == NOON + QUARTER
