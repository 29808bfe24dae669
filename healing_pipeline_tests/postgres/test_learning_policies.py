"""Policies as versions: published when they are no worse, told to whoever listens, rolled back."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from types import MappingProxyType

import psycopg
import pytest
from learning_samples import AN_HOUR, NINE, SOURCES, Fact, fact, requests, write

from healing_pipeline.control.learning_run import HELD, UNCHANGED, Made, changes, fold, make_policy
from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Rate
from healing_pipeline.storage import policies
from healing_pipeline.storage.database import Database, listen
from healing_pipeline.storage.policies import PUBLISHED, REFUSED, Judged, NoSuchPolicyError

END = NINE + 6 * AN_HOUR
KIND = ("yahoo", "timeout")


def policy(**rates: float) -> Policy:
    known = {name: Rate(p, 100) for name, p in rates.items()}
    return Policy(as_of=NINE, inner=MappingProxyType({KIND: MappingProxyType(known)}))


def publish(database: Database, made: Policy) -> int:
    with database.connection() as connection:
        return policies.store_policy(connection, Judged(made, PUBLISHED, "for a test"), NINE)


def active(database: Database) -> tuple[int, Policy] | None:
    with database.connection() as connection:
        return policies.active_policy(connection)


def made(database: Database, *, release: bool = False) -> Made:
    with database.connection() as connection:
        return make_policy(connection, END, SOURCES, release=release)


def learned(database: Database, facts: list[Fact]) -> None:
    with database.connection() as connection:
        write(connection, facts)
    fold(database, NINE, END, SOURCES)


def slow_fails_and_good_heals(events: int) -> list[Fact]:
    """Two seconds each, of the three that there are."""
    facts = []
    for number in range(events):
        at = NINE + timedelta(minutes=number)
        failed = fact(at=at, healed=False, strategy="slow", seconds=2.0)
        facts += [
            failed,
            fact(
                at=at, request_id=failed["request_id"], attempt_no=3, strategy="good", seconds=2.0
            ),
        ]
    return facts


def test_there_is_no_policy_before_the_first(database):
    assert active(database) is None


def test_the_newest_publication_is_in_force_and_is_told(database):
    first, second = policy(good=0.8), policy(good=0.9)
    with listen(database.url, ["healing_policy"]) as listener:
        versions = [publish(database, each) for each in (first, second)]
        told = [each.payload for each in islice(listener.notices(5), len(versions))]
    assert told == [str(each) for each in versions]
    assert active(database) == (versions[1], second)


def test_a_document_that_cannot_be_read_is_no_policy(database, caplog):
    version = publish(database, policy())
    with database.connection() as connection:
        connection.execute("ALTER TABLE policy DISABLE TRIGGER policy_is_append_only")
        connection.execute("UPDATE policy SET document = '{}'")
    assert active(database) is None
    assert f"Policy {version} cannot be read" in caplog.text


def test_a_policy_is_made_of_all_that_was_folded(database):
    learned(database, [each for request in requests(3, 200) for each in request])
    first = made(database)
    assert (first.status, first.version) == (PUBLISHED, 1)
    assert first.reason.startswith("the first one; on the last day's ")
    assert active(database) == (1, first.policy)
    assert {source for source, _ in first.policy.inner} == set(SOURCES)
    assert changes(first.old, first.policy)


def test_a_policy_that_says_the_same_is_not_published_again(database):
    learned(database, [each for request in requests(3, 50) for each in request])
    made(database)
    again = made(database)
    assert (again.status, again.version) == (UNCHANGED, 1)
    learned(database, [fact(healed=False)])
    assert made(database).version == 2


def test_nothing_learned_is_a_policy_too(database):
    found = made(database)
    assert (found.status, found.comparison.events) == (PUBLISHED, 0)


def test_a_policy_that_would_have_healed_less_is_refused_and_the_active_one_stays(database):
    good = policy(slow=0.05, good=0.95)
    version = publish(database, good)
    # The knowledge speaks for `slow`, the last day against it.
    learned(database, slow_fails_and_good_heals(40))
    with database.connection() as connection:
        connection.execute(
            "UPDATE inner_knowledge SET healed = CASE strategy WHEN 'slow' THEN tries ELSE 0 END,"
            " exact = 0, late_healed = 0,"
            " outcomes = repeat(CASE strategy WHEN 'slow' THEN '1' ELSE '0' END, tries)"
        )
    found = made(database)
    assert found.status == REFUSED
    assert "it would heal 0.0%, the one before 100.0%" in found.reason
    assert active(database) == (version, good)
    with database.connection() as connection:
        newest = policies.policy_versions(connection)[0]
        assert (newest.version, newest.status, newest.is_active) == (found.version, REFUSED, False)
        assert (newest.value_new, newest.value_old, newest.events) == (0.0, 1.0, 40)
        with pytest.raises(NoSuchPolicyError, match=r"was refused.*--history"):
            policies.roll_back(connection, found.version, NINE)


def test_a_refused_policy_cannot_be_published_whoever_tries(database):
    refusal = Judged(policy(), REFUSED, "worse")
    with database.connection() as connection:
        version = policies.store_policy(connection, refusal, NINE)
    with (
        pytest.raises(psycopg.errors.ForeignKeyViolation),
        database.connection() as connection,
    ):
        connection.execute(
            "INSERT INTO policy_publication (version, at, reason) VALUES (%s, now(), '')", [version]
        )


def test_a_rollback_puts_the_one_before_in_force_and_tells(database):
    documents = [policy(good=p) for p in (0.7, 0.8, 0.9)]
    versions = [publish(database, each) for each in documents]
    with listen(database.url, ["healing_policy"]) as listener:
        with database.connection() as connection:
            assert policies.roll_back(connection, None, NINE) == (versions[2], versions[1])
        assert next(listener.notices(5)).payload == str(versions[1])
    assert active(database) == (versions[1], documents[1])
    with database.connection() as connection:
        assert policies.roll_back(connection, None, NINE) == (versions[1], versions[0])
        assert policies.roll_back(connection, versions[2], NINE) == (versions[0], versions[2])


def test_after_a_rollback_learning_publishes_nothing_until_people_ask(database):
    learned(database, [each for request in requests(3, 60) for each in request])
    first = made(database)
    learned(database, [fact(healed=False) for _ in range(20)])
    assert made(database).version == 2
    with database.connection() as connection:
        policies.roll_back(connection, None, NINE)
    learned(database, [fact(strategy="hedged_request") for _ in range(20)])
    held = made(database)
    assert (held.status, held.version) == (HELD, 1)
    assert active(database) == (1, first.policy)
    released = made(database, release=True)
    assert (released.status, released.version) == (PUBLISHED, 3)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (None, "is the first that was published"),
        (7, "no policy version 7"),
        (1, "active one already"),
    ],
)
def test_what_cannot_be_gone_back_to_is_refused_with_the_cure(database, version, said):
    publish(database, policy())
    with (
        pytest.raises(NoSuchPolicyError, match=rf"{said}.*--history"),
        database.connection() as connection,
    ):
        policies.roll_back(connection, version, NINE)


def test_policies_and_publications_are_never_changed(database):
    publish(database, policy())
    for table in ("policy", "policy_publication"):
        with (
            pytest.raises(psycopg.errors.RestrictViolation),
            database.connection() as connection,
        ):
            connection.execute(f"DELETE FROM {table}")
