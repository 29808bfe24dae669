"""Processes that settle their shares of a key in PostgreSQL: in turn, and never over its quota."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
from storage_samples import at_once

from healing_pipeline.healing.guard.bucket import Bucket
from healing_pipeline.healing.guard.shares import Key, Use
from healing_pipeline.storage import key_shares
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.key_shares import KeyShares

KEY: Key = ("here", "primary")
QUOTA = 60


@dataclass
class Process:
    """A process's bucket, by a clock that moves when told to, and its end of the settling."""

    bucket: Bucket = field(default_factory=lambda: Bucket(QUOTA, 0.2))
    now: float = 0.0
    is_busy: bool = False

    def __post_init__(self) -> None:
        self.shares = KeyShares(self.share_out)

    def share_out(self, shares: Mapping[Key, int]) -> dict[Key, Use]:
        if self.is_busy:
            raise TimeoutError
        self.bucket.share = shares.get(KEY, self.bucket.share)
        return {KEY: Use(QUOTA, self.bucket.used(self.now), self.bucket.wanted(self.now))}

    def ask(self, times: int) -> int:
        """How many of so many calls are let through."""
        before = self.bucket.used(self.now)
        for _ in range(times):
            if self.bucket.refusal(self.now, is_probe=False) is None:
                self.bucket.take(self.now, is_probe=False)
        return self.bucket.used(self.now) - before


@pytest.fixture
def connection(database_url) -> Iterator[psycopg.Connection]:
    with connected(database_url) as connection:
        yield connection


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(connection_info(url), autocommit=True) as connection:
        yield connection


def settle(connection: psycopg.Connection, *processes: Process) -> list[int]:
    for each in processes:
        each.shares.settle(connection)
    (held,) = connection.execute("SELECT coalesce(sum(held), 0) FROM key_share").fetchone()
    assert held <= QUOTA
    return [each.bucket.share for each in processes]


def test_who_is_alone_has_all_and_a_newcomer_gets_its_part_as_soon_as_the_other_lets_go(connection):
    one, other = Process(), Process()
    assert settle(connection, one) == [60]
    assert settle(connection, other, one, other) == [30, 30, 30]
    # Nobody uses the half of an idle one for long.
    assert one.ask(100) == 30
    assert settle(connection, one, other) == [30, 3]
    assert one.ask(1) == 0
    assert settle(connection, one) == [57]
    assert one.ask(100) == 27
    # When the other wants its part, it comes as the one's calls fall out of the minute.
    assert other.ask(5) == 3
    assert settle(connection, other, one, other) == [3, 30, 3]
    one.now = other.now = 61.1
    assert min(settle(connection, one, other, one)) >= 28


def test_what_was_used_is_held_for_the_minute_and_what_is_left_behind_comes_back(connection):
    one, other = Process(), Process()
    settle(connection, one, other, one, other)
    assert one.ask(20) == 20
    one.shares.leave(connection)
    assert settle(connection, other) == [40]
    # Killed: nothing is given back until the minute has passed for sure.
    connection.execute("UPDATE key_share SET seen_at = seen_at - interval '70 s' WHERE share = 0")
    assert settle(connection, other) == [40]
    connection.execute("UPDATE key_share SET seen_at = seen_at - interval '10 s' WHERE share = 0")
    assert settle(connection, other) == [60]
    assert connection.execute("SELECT count(*) FROM key_share").fetchone() == (1,)


def test_ten_that_settle_at_once_have_no_more_than_the_quota_between_them(database_url):
    def work(connection: psycopg.Connection, _number: int) -> Process:
        connection.autocommit = True
        process = Process()
        for _ in range(4):
            process.ask(20)
            process.shares.settle(connection)
        return process

    processes = at_once(database_url, work)
    for each in processes:
        each.ask(100)
    # The first twenty each: nobody had settled yet. That is the only time.
    assert sum(each.bucket.share for each in processes) <= QUOTA
    with connected(database_url) as connection:
        for each in processes:
            each.now = 61.1
        for _ in range(3):
            shares = settle(connection, *processes)
    assert shares == [6] * 10


def test_a_process_too_busy_to_say_keeps_its_share_and_one_that_comes_back_takes_no_more(
    connection, monkeypatch
):
    one, other = Process(), Process()
    settle(connection, one, other, one)
    one.is_busy = True
    assert settle(connection, one, other) == [30, 30]
    one.is_busy = False
    # After an outage the others' rows look old, until they are back as well.
    one.shares.connected(connection)
    connection.execute("UPDATE key_share SET seen_at = seen_at - interval '10 min'")
    one.ask(40)
    assert settle(connection, one) == [30]
    monkeypatch.setattr(key_shares, "monotonic", lambda: one.shares._grows_at + 0.1)
    assert settle(connection, one) == [60]
