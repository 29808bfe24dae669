"""What the facts become: the rows of the core's own fold, whatever the order, however often."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import psycopg
import pytest
from learning_samples import (
    AN_HOUR,
    NINE,
    SOURCES,
    TABLES,
    as_attempts,
    digest,
    fact,
    plain,
    requests,
    rows,
    values,
    write,
)

from healing_pipeline.control.learning_run import fold, hour_of
from healing_pipeline.learning.knowledge import inner_of, outer_of, pairs_of
from healing_pipeline.learning.observations import OK_SECONDS_EDGES, bucket_of
from healing_pipeline.storage import learning
from healing_pipeline.storage.database import Database

END = NINE + 6 * AN_HOUR
MIDNIGHT = NINE.replace(hour=0)
A_DAY = timedelta(days=1)


def learned(database: Database, from_at: datetime = NINE, to_at: datetime = END) -> None:
    fold(database, from_at, to_at, SOURCES)


def tries(database: Database) -> list[tuple[str, int, int]]:
    """Strategy, tries, healed; over all hours and sources."""
    with database.connection() as connection:
        return connection.execute(
            "SELECT strategy, sum(tries)::int, sum(healed)::int FROM inner_knowledge"
            " GROUP BY strategy ORDER BY strategy"
        ).fetchall()


@pytest.mark.parametrize("seed", range(4))
def test_the_statements_fold_attempts_as_the_core_does(database, seed):
    facts = [each for request in requests(seed, 150) for each in request]
    random.Random(seed).shuffle(facts)
    with database.connection() as connection:
        write(connection, facts)
    learned(database)
    attempts = as_attempts(facts)
    with database.connection() as connection:
        learning.fold_days(connection, MIDNIGHT, MIDNIGHT + A_DAY)
        inner = learning.inner_rows(connection, NINE, END)
        pairs = learning.pair_rows(connection, NINE, END)
        outer = learning.outer_rows(connection, END)
    assert len(inner) > 100
    assert values(inner) == rows(inner_of(attempts))
    assert values(pairs) == rows(pairs_of(attempts))
    assert values(outer) == rows(outer_of(inner_of(attempts)))


def test_a_day_that_was_not_summed_yet_is_read_from_its_hours(database):
    facts = [each for request in requests(1, 30) for each in request]
    with database.connection() as connection:
        write(connection, facts)
    learned(database)
    with database.connection() as connection:
        before = learning.outer_rows(connection, END)
        assert learning.unsummed_days(connection, MIDNIGHT, END) == [MIDNIGHT]
        learning.fold_days(connection, MIDNIGHT, MIDNIGHT + A_DAY)
        assert learning.outer_rows(connection, END) == before
        assert learning.unsummed_days(connection, MIDNIGHT, END) == []


def test_only_the_last_outcomes_of_an_hour_are_kept_and_in_their_order(database):
    facts = [fact(at=NINE + timedelta(seconds=n), healed=n % 3 == 0) for n in range(300)]
    with database.connection() as connection:
        write(connection, reversed(facts))
    learned(database)
    with database.connection() as connection:
        (row,) = learning.inner_rows(connection, NINE, END)
    assert (row["tries"], row["healed"]) == (300, 100)
    assert row["outcomes"] == "".join(str(int(n % 3 == 0)) for n in range(44, 300))


# -- the order of folding --------------------------------------------------------------------------


def hour_by_hour(database: Database, hours: Sequence[datetime], at_once: int = 1) -> None:
    with ThreadPoolExecutor(at_once) as pool:
        list(
            pool.map(
                lambda part: fold(database, part[0], part[0] + AN_HOUR, [part[1]]),
                [(hour, source) for hour in hours for source in SOURCES],
            )
        )


def test_any_order_at_once_twice_and_after_late_events_gives_the_same_bytes(database):
    facts = [each for request in requests(7, 200) for each in request]
    rng = random.Random(7)
    hours = [NINE + AN_HOUR * n for n in range(6)]
    with database.connection() as connection:
        write(connection, facts)

    def folded_days() -> str:
        with database.connection() as connection:
            learning.fold_days(connection, MIDNIGHT, MIDNIGHT + A_DAY)
            return digest(connection)

    hour_by_hour(database, hours)
    expected = folded_days()
    hour_by_hour(database, hours)
    assert folded_days() == expected, "twice"

    def anew() -> None:
        with database.connection() as connection:
            for table in (*TABLES, "inner_fold", "outer_fold"):
                connection.execute(f"DELETE FROM {table}")

    shuffled = rng.sample(hours, len(hours))
    for order, at_once in ((hours[::-1], 1), (shuffled, 1), (shuffled, 8)):
        anew()
        hour_by_hour(database, order, at_once)
        assert folded_days() == expected, (order, at_once)
    anew()
    learned(database)
    assert folded_days() == expected, "all hours by one statement"

    # A third of the facts comes a day later, in another order.
    anew()
    late = rng.sample(facts, len(facts) // 3)
    with database.connection() as connection:
        connection.execute("SET LOCAL healing.prune = 'on'")
        connection.execute("ALTER TABLE attempt DISABLE TRIGGER attempt_is_append_only")
        connection.execute("TRUNCATE attempt")
        connection.execute("ALTER TABLE attempt ENABLE TRIGGER attempt_is_append_only")
        write(connection, [each for each in facts if each not in late])
    hour_by_hour(database, hours)
    assert folded_days() != expected
    with database.connection() as connection:
        _, cursor = learning.late_hours(connection, 0, END + AN_HOUR, SOURCES)
        write(connection, late)
    with database.connection() as connection:
        found, _ = learning.late_hours(connection, cursor, END + AN_HOUR, SOURCES)
    hour_by_hour(database, [each.hour for each in found])
    assert folded_days() == expected, "after late events"


def test_ten_folds_of_one_partition_at_once_leave_it_once(database):
    with database.connection() as connection:
        write(connection, [fact() for _ in range(20)])
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: fold(database, NINE, NINE + AN_HOUR, SOURCES), range(10)))
    assert tries(database) == [("alternate_host", 20, 20)]


def test_an_hour_without_events_leaves_no_rows_and_is_noted_as_folded(database):
    learned(database, NINE, NINE + AN_HOUR)
    with database.connection() as connection:
        assert set(learning.rows_of(connection, NINE, END, SOURCES).values()) == {0}
        folds = connection.execute("SELECT hour, source FROM inner_fold ORDER BY source").fetchall()
    assert folds == [(NINE, each) for each in SOURCES]


def test_a_fold_replaces_its_own_partitions_and_no_others(database):
    with database.connection() as connection:
        hours = (NINE, NINE + AN_HOUR)
        write(connection, [fact(source=each, at=hour) for each in SOURCES for hour in hours])
    learned(database)
    with database.connection() as connection:
        connection.execute("UPDATE inner_knowledge SET tries = 9, outcomes = '111111111'")
    fold(database, NINE, NINE + AN_HOUR, ["fred"])
    with database.connection() as connection:
        found = {
            (row["hour"], row["source"]): row["tries"]
            for row in learning.inner_rows(connection, NINE, END)
        }
    assert found.pop((NINE, "fred")) == 1
    assert set(found.values()) == {9}


# -- what teaches ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": "plain", "met": None, "attempt_no": 1},
        {"origin": "probe"},
        {"met": None},
        # What our own limits refused to send.
        {"upstream_calls": 0, "healed": False},
    ],
)
def test_what_says_nothing_of_a_strategy_teaches_nothing(database, changes):
    with database.connection() as connection:
        write(connection, [fact(**{"failure_class": "ok", **changes})])
    learned(database)
    assert tries(database) == []


def test_stored_data_and_a_merged_answer_teach_though_they_called_nobody(database):
    with database.connection() as connection:
        write(
            connection,
            [
                fact(upstream_calls=0, strategy="use_cached_data", healed=False),
                fact(upstream_calls=0, strategy="batch_requests", healed=True),
            ],
        )
    learned(database)
    assert tries(database) == [("batch_requests", 1, 1), ("use_cached_data", 1, 0)]


@pytest.mark.parametrize(
    ("source", "taught"), [(None, 0), ("yahoo", 0), ("fred", 1)], ids=["all", "ours", "another's"]
)
def test_a_maintenance_window_teaches_nothing(database, source, taught):
    with database.connection() as connection:
        learning.add_maintenance(connection, source, NINE, NINE + AN_HOUR / 2, "moves house")
        write(connection, [fact(at=NINE + AN_HOUR / 4), plain("timeout", at=NINE)])
        write(connection, [fact(at=NINE + AN_HOUR / 2, strategy="hedged_request")])
    learned(database)
    assert tries(database) == [("alternate_host", 1, 1)] * taught + [("hedged_request", 1, 1)]
    with database.connection() as connection:
        assert len(learning.observation_rows(connection, NINE, END)) == taught


def lost_calls(hosts: int, sources: int) -> list[dict[str, object]]:
    """Plain calls to so many hosts of so many sources within a minute; none came through."""
    return [
        plain(
            "network_error" if n % 2 else "timeout",
            at=NINE + timedelta(seconds=5 * n),
            source=SOURCES[n % sources],
            host=f"host{n}",
        )
        for n in range(hosts)
    ]


@pytest.mark.parametrize(
    ("calls", "taught"),
    [
        (lost_calls(3, 2), False),
        (lost_calls(3, 1), True),
        (lost_calls(2, 2), True),
        ([*lost_calls(3, 2), plain(at=NINE + timedelta(seconds=50), host="x")], True),
        ([*lost_calls(3, 2), plain("server_error", at=NINE, host="x")], True),
    ],
    ids=["our network", "one source", "two hosts", "one came through", "one was answered"],
)
def test_our_own_outage_teaches_nothing(database, calls, taught):
    tried = fact(at=NINE + timedelta(seconds=30), healed=False, source=SOURCES[0], host="host0")
    after = fact(at=NINE + timedelta(seconds=61), strategy="hedged_request")
    with database.connection() as connection:
        write(connection, [*calls, tried, after])
    learned(database)
    assert tries(database) == [("alternate_host", 1, 0)] * taught + [("hedged_request", 1, 1)]


def test_waits_are_counted_by_bucket(database):
    waits = [0, 0.01, 0.1, 0.2, 0.4, 0.79, 0.8, 3]
    with database.connection() as connection:
        write(connection, [fact(waited_s=each) for each in waits])
    learned(database)
    with database.connection() as connection:
        found = learning.parameter_rows(connection, NINE, END)
    assert {row["bucket"]: row["tries"] for row in found} == {
        "0": 1,
        "0-0.1": 1,
        "0.1-0.2": 1,
        "0.2-0.4": 1,
        "0.4-0.8": 2,
        "0.8+": 2,
    }


def test_observations_say_how_long_good_calls_took_and_when_an_endpoint_failed(database):
    seconds = [0.005, 0.02, 0.02, 0.3, 12.0]
    with database.connection() as connection:
        write(connection, [plain(seconds=each) for each in seconds])
        write(
            connection,
            [plain("rate_limit", at=NINE + timedelta(minutes=m)) for m in (0, 4, 5, 59)],
        )
        # Kept back by our own limits: nothing was seen.
        write(connection, [plain("rate_limit", at=NINE + timedelta(minutes=30), upstream_calls=0)])
        connection.execute(
            "INSERT INTO probe_result (id, at, source, endpoint, host, failure_class, evidence,"
            " seconds)"
            " VALUES (gen_random_uuid(), %s, 'yahoo', 'yahoo/one', 'h', 'rate_limit', '', 1)",
            [NINE + timedelta(minutes=20)],
        )
    learned(database)
    with database.connection() as connection:
        failed, good = sorted(
            learning.observation_rows(connection, NINE, END),
            key=lambda row: row["failure_class"] == "ok",
        )
    assert (failed["observations"], failed["ok_seconds"]) == (5, [])
    assert failed["fail_windows"] == 1 << 0 | 1 << 1 | 1 << 4 | 1 << 11
    assert (good["observations"], good["fail_windows"]) == (5, 0)
    counts = [0] * (len(OK_SECONDS_EDGES) + 1)
    for each in seconds:
        counts[bucket_of(each)] += 1
    assert good["ok_seconds"] == counts


# -- late facts ------------------------------------------------------------------------------------


def test_a_fact_that_comes_after_its_fold_names_its_hour(database):
    with database.connection() as connection:
        write(connection, [fact(), fact(at=NINE + AN_HOUR * 1.5)])
    learned(database)
    closed_before = END
    with database.connection() as connection:
        found, cursor = learning.late_hours(connection, 0, closed_before, SOURCES)
        assert found == []
        write(connection, [fact(at=NINE + AN_HOUR * 1.2)])
        found, after = learning.late_hours(connection, cursor, closed_before, SOURCES)
        assert [each.hour for each in found] == [NINE + AN_HOUR]
        assert found[0].seq == after > cursor
    learned(database)
    with database.connection() as connection:
        assert learning.late_hours(connection, cursor, closed_before, SOURCES) == ([], after)


def test_a_fact_of_an_hours_last_minute_reaches_into_the_next(database):
    """It may be the first of a pair whose second is there already."""
    learned(database)
    with database.connection() as connection:
        write(connection, [fact(at=NINE + AN_HOUR - timedelta(seconds=2))])
        found, _ = learning.late_hours(connection, 0, END, SOURCES)
    assert [each.hour for each in found] == [NINE, NINE + AN_HOUR]


def test_an_hour_that_was_never_folded_is_late_too_and_an_open_one_is_waited_for(database):
    with database.connection() as connection:
        write(connection, [fact(), fact(at=NINE + AN_HOUR), fact(at=NINE)])
        found, cursor = learning.late_hours(connection, 0, NINE + AN_HOUR, SOURCES)
        assert [each.hour for each in found] == [NINE]
        # The cursor stays before the open hour's fact: when it is closed it will be looked at.
        found, _ = learning.late_hours(connection, cursor, NINE + 2 * AN_HOUR, SOURCES)
    assert NINE + AN_HOUR in [each.hour for each in found]


def test_what_is_missing_is_found_from_its_first_hour_on(database):
    with database.connection() as connection:
        write(connection, [fact(at=NINE + AN_HOUR * 2.5), fact(at=NINE + AN_HOUR * 4)])
        assert learning.first_unfolded(connection, NINE, END, SOURCES) == NINE + AN_HOUR * 2
    learned(database)
    with database.connection() as connection:
        assert learning.first_unfolded(connection, NINE, END, SOURCES) is None


def test_healing_by_day_counts_what_readers_met_and_what_was_tried(database):
    with database.connection() as connection:
        write(connection, [fact(), fact(healed=False), fact(at=NINE + A_DAY)])
        connection.execute(
            "INSERT INTO answer (request_id, at, source, endpoint, attempts, seconds,"
            " failure_class, failed)"
            " SELECT gen_random_uuid(), %s, 'yahoo', 'yahoo/one', 1, 1, class, failed"
            " FROM (VALUES ('timeout', false), ('timeout', true), ('timeout', false),"
            " ('empty', false), ('bad_request', true), (NULL, false)) AS met (class, failed)",
            [NINE],
        )
    learned(database, NINE, NINE + 2 * A_DAY)
    with database.connection() as connection:
        found = learning.healing_days(connection, MIDNIGHT, MIDNIGHT + 2 * A_DAY)
    assert values(found) == [(MIDNIGHT, 0.75, 0.5, None), (MIDNIGHT + A_DAY, None, 1.0, None)]


# -- the schema ------------------------------------------------------------------------------------


def test_a_row_that_begins_at_no_hour_is_refused(database):
    with (
        pytest.raises(psycopg.errors.CheckViolation, match="begins_on_the_hour"),
        database.connection() as connection,
    ):
        connection.execute(
            "INSERT INTO inner_pair VALUES (%s, 'yahoo', 'timeout', 'a', 'b', 1, 1)",
            [NINE + timedelta(minutes=1)],
        )


def test_hours_are_utc_hours():
    assert hour_of(datetime.fromisoformat("2026-03-02T14:40:10+05:30")) == NINE
