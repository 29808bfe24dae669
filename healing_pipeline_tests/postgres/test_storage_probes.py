from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from storage_samples import NOON, at_once, later

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.storage.probes import (
    claim_due,
    hasten,
    hasten_all,
    key_usage,
    next_due_at,
    put_off_due,
    seed_schedule,
    spend,
    spend_some,
)


def endpoints(count: int, interval_s: float = 60.0, source: str = "yahoo") -> list[Endpoint]:
    return [
        Endpoint(id=f"{source}/{number:03d}", source=source, path="/", interval_s=interval_s)
        for number in range(count)
    ]


def seed(database, watched, now=NOON, spread=lambda: 0.0):
    with database.connection() as connection:
        seed_schedule(connection, watched, now, spread)


def test_ten_workers_that_claim_at_once_get_each_endpoint_once(database_url, database):
    seed(database, endpoints(57))

    def claim(connection, _number):
        claimed = []
        while batch := claim_due(connection, source="yahoo", now=NOON, limit=3):
            connection.commit()
            claimed += batch
        return claimed

    claims = Counter(each for batch in at_once(database_url, claim) for each in batch)
    assert len(claims) == 57
    assert set(claims.values()) == {1}


def test_a_claim_puts_the_next_moment_off_by_the_interval(database):
    seed(database, endpoints(1, interval_s=45))
    with database.connection() as connection:
        assert list(claim_due(connection, source="yahoo", now=later(7))) == ["yahoo/000"]
        assert next_due_at(connection, "yahoo") == later(7 + 45)
        assert list(claim_due(connection, source="yahoo", now=later(51))) == []
        assert list(claim_due(connection, source="fred", now=later(99))) == []
        assert list(claim_due(connection, source="yahoo", now=later(52))) == ["yahoo/000"]
        assert next_due_at(connection, "fred") is None


def test_the_longest_overdue_is_claimed_first(database):
    turns = iter([0.9, 0.1, 0.5])
    seed(database, endpoints(3), spread=lambda: next(turns))
    with database.connection() as connection:
        claimed = claim_due(connection, source="yahoo", now=later(60), limit=2)
    assert list(claimed) == ["yahoo/001", "yahoo/002"]


def test_seeding_again_keeps_moments_takes_new_intervals_and_forgets_the_unlisted(database):
    seed(database, endpoints(3), spread=lambda: 0.5)
    seed(database, endpoints(2), now=later(5), spread=lambda: 0.9)
    with database.connection() as connection:
        assert next_due_at(connection, "yahoo") == later(30)
        assert list(claim_due(connection, source="yahoo", now=later(100))) == [
            "yahoo/000",
            "yahoo/001",
        ]
    # Due again at 160; an interval of 30 s brings that forward.
    seed(database, endpoints(2, interval_s=30), now=later(110))
    with database.connection() as connection:
        assert next_due_at(connection, "yahoo") == later(110)


def test_hastening_never_puts_a_probe_off(database):
    seed(database, endpoints(1), spread=lambda: 0.5)
    with database.connection() as connection:
        assert hasten(connection, "yahoo/000", later(40))
        assert next_due_at(connection, "yahoo") == later(30)
        assert hasten(connection, "yahoo/000", later(10))
        assert next_due_at(connection, "yahoo") == later(10)
        assert not hasten(connection, "yahoo/none", later(10))


def buy(connection, **changes):
    values = {"source": "polygon", "key_name": "primary", "kind": "probe", "now": NOON}
    return spend(connection, **{**values, "limits": {"minute": 5}, **changes})


def test_ten_threads_never_spend_more_than_the_limit(database_url, database):
    limits = {"minute": 23, "day": 100}

    def spend_ten(connection, _number):
        spent = 0
        for _ in range(10):
            spent += buy(connection, limits=limits)
            connection.commit()
        return spent

    assert sum(at_once(database_url, spend_ten)) == 23
    with database.connection() as connection:
        assert key_usage(connection, source="polygon", now=NOON) == {
            ("primary", "minute", "probe"): 23,
            ("primary", "day", "probe"): 23,
        }


def test_ten_threads_of_two_kinds_never_spend_more_than_the_quota(database_url):
    def spend_ten(connection, number):
        kind, most = ("probe", 4) if number % 2 else ("reader", 100)
        spent = 0
        for _ in range(10):
            spent += buy(connection, kind=kind, limits={"day": most}, quota={"day": 31})
            connection.commit()
        return kind, spent

    spent = at_once(database_url, spend_ten)
    probes = sum(number for kind, number in spent if kind == "probe")
    assert probes <= 4
    assert sum(number for _, number in spent) == 31


def test_a_full_window_spends_nothing_in_the_others(database):
    with database.connection() as connection:
        limits = {"minute": 1, "day": 10, "month": 10}
        assert buy(connection, limits=limits)
        assert not buy(connection, limits=limits)
        usage = key_usage(connection, source="polygon", now=NOON)
        assert set(usage.values()) == {1}
        assert len(usage) == 3


@pytest.mark.parametrize(
    ("window", "still", "anew"),
    [
        ("minute", timedelta(seconds=59), timedelta(seconds=60)),
        ("day", timedelta(hours=11, minutes=59), timedelta(hours=12)),
        ("month", timedelta(days=29), timedelta(days=30)),
    ],
)
def test_a_window_begins_anew_on_its_own_bound_in_utc(database, window, still, anew):
    with database.connection() as connection:
        connection.execute("SET LOCAL TimeZone = 'America/New_York'")
        assert buy(connection, limits={window: 1})
        assert not buy(connection, limits={window: 1}, now=NOON + still)
        assert buy(connection, limits={window: 1}, now=NOON + anew)


def test_several_calls_are_spent_together_or_not_at_all(database):
    with database.connection() as connection:
        assert buy(connection, calls=4)
        assert not buy(connection, calls=2)
        assert buy(connection, calls=1)
        assert buy(connection, key_name="spare", calls=5)


def test_a_key_without_limits_is_unmetered(database):
    with database.connection() as connection:
        assert buy(connection, limits={})
        assert key_usage(connection, source="polygon", now=NOON) == {}


def test_the_next_turn_comes_a_little_early_by_chance_and_never_late(database):
    seed(database, endpoints(200, interval_s=60))
    with database.connection() as connection:
        due = claim_due(connection, source="yahoo", now=later(7), limit=200, early=0.1)
        rows = connection.execute("SELECT next_at FROM probe_schedule ORDER BY next_at").fetchall()
    assert set(due.values()) == {NOON}
    moments = [moment for (moment,) in rows]
    assert later(7 + 54) <= moments[0]
    assert moments[-1] <= later(7 + 60)
    # 200 that began together lie all over the six seconds.
    assert moments[-1] - moments[0] > timedelta(seconds=5)
    assert len(set(moments)) > 190


def test_what_is_put_off_keeps_its_order_and_what_is_not_due_its_moment(database):
    turns = iter([0.9, 0.1, 0.5])
    seed(database, endpoints(3), spread=lambda: next(turns))
    with database.connection() as connection:
        assert put_off_due(connection, source="yahoo", now=later(31), until=later(300)) == 2
        assert put_off_due(connection, source="fred", now=later(31), until=later(300)) == 0
        assert next_due_at(connection, "yahoo") == later(54)
        due = claim_due(connection, source="yahoo", now=later(301))
    assert list(due) == ["yahoo/000", "yahoo/001", "yahoo/002"]
    assert due["yahoo/001"] < due["yahoo/002"] < later(300.001)


def test_what_is_put_off_later_waits_behind_what_waits_for_the_same_moment(database):
    turns = iter([0.5, 0.1])
    seed(database, endpoints(2), spread=lambda: next(turns))
    with database.connection() as connection:
        for seconds in (10, 31):
            assert put_off_due(connection, source="yahoo", now=later(seconds), until=later(99)) == 1
        due = claim_due(connection, source="yahoo", now=later(100))
    assert list(due) == ["yahoo/001", "yahoo/000"]


def test_hastening_many_brings_forward_those_that_would_come_later(database):
    turns = iter([0.1, 0.5, 0.9])
    seed(database, endpoints(3), spread=lambda: next(turns))
    names = ["yahoo/002", "yahoo/000", "yahoo/001", "yahoo/none"]
    with database.connection() as connection:
        assert hasten_all(connection, names, later(10)) == 2
        due = claim_due(connection, source="yahoo", now=later(10))
    assert due == {"yahoo/000": later(6), "yahoo/001": later(10), "yahoo/002": later(10)}


def test_ten_that_hasten_the_same_in_other_orders_wait_for_nobody_in_a_ring(database_url, database):
    watched = endpoints(60)
    seed(database, watched, spread=lambda: 0.9)
    names = [each.id for each in watched]

    def hasten_them(connection, number):
        for moment in range(30, 20, -1):
            order = names if number % 2 else names[::-1]
            hasten_all(connection, order, later(moment))
            connection.commit()

    at_once(database_url, hasten_them)
    with database.connection() as connection:
        assert next_due_at(connection, "yahoo") == later(21)


def test_ten_purchases_at_once_never_spend_more_than_is_left(database_url, database):
    """Each wants all that is left, and claims what it pays for in the same transaction."""
    seed(database, endpoints(200))

    def buy_and_claim(connection, _number):
        claimed = []

        def wanted(used):
            left = 37 - used.get("day", 0)
            claimed.extend(claim_due(connection, source="yahoo", now=NOON, limit=min(left, 6)))
            return len(claimed)

        spent = []
        for _ in range(3):
            claimed.clear()
            spent.append(
                spend_some(
                    connection,
                    source="yahoo",
                    key_name="primary",
                    kind="probe",
                    now=NOON,
                    wanted=wanted,
                    windows=["day", "minute"],
                )
            )
            assert spent[-1] == len(claimed)
            connection.commit()
        return sum(spent)

    assert sum(at_once(database_url, buy_and_claim)) == 37
    with database.connection() as connection:
        assert key_usage(connection, source="yahoo", now=NOON) == {
            ("primary", "minute", "probe"): 37,
            ("primary", "day", "probe"): 37,
        }
