"""Limits that one process met, heard by others through PostgreSQL: in seconds that remain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
import pytest

from healing_pipeline.healing.guard.cooldowns import Cooldown, CooldownEnd, CooldownNews, Kind
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage import shared_limits
from healing_pipeline.storage.cooldowns import standing_cooldowns
from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.shared_limits import SharedLimits
from healing_pipeline.storage.shared_memory import everything

LIMIT = FailureClass.RATE_LIMIT
WITHIN_S = 10.0
# A busy machine is late; what is looked for are seconds.
LATE_S = 0.5


@dataclass
class Process:
    """One process's end of the exchange."""

    url: str
    heard: list[CooldownNews] = field(default_factory=list)
    is_cut: bool = False

    def __post_init__(self) -> None:
        self.limits = SharedLimits(self.where, self.heard.extend)

    def where(self) -> str:
        if self.is_cut:
            raise ConnectionError
        return self.url

    def tell(self, kind: Kind = Kind.KEY, name: str = "primary", lasts_s: float = 30.0) -> Cooldown:
        told = Cooldown("here", kind, name, LIMIT, time.monotonic() + lasts_s)
        self.limits.tell(told)
        return told


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


@contextmanager
def processes(*urls: str) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        made = [Process(url) for url in urls]
        for each in made:
            stack.callback(each.limits.close)
            each.limits.start()
        wait_for(lambda: all(each.limits.is_connected for each in made))
        yield made


def test_others_hear_at_once_how_long_is_left_and_the_teller_hears_nothing(database_url):
    with processes(database_url, database_url, database_url) as (one, *others):
        told = one.tell(lasts_s=30)
        wait_for(lambda: all(each.heard for each in others))
        for each in others:
            (heard,) = each.heard
            assert (heard.source, heard.kind, heard.name) == ("here", Kind.KEY, "primary")
            assert told.until <= heard.until < told.until + LATE_S
        # What is over by a call is told as well, and no sooner.
        one.limits.tell(CooldownEnd("here", Kind.KEY, "primary", began=time.monotonic()))
        one.tell(kind=Kind.QUOTA, lasts_s=4_000)
        wait_for(lambda: others[0].heard[-1].kind is Kind.QUOTA)
        one.limits.tell(CooldownEnd("here", Kind.QUOTA, "primary", began=time.monotonic()))
        wait_for(lambda: isinstance(others[0].heard[-1], CooldownEnd))
        assert [each.kind for each in others[0].heard if isinstance(each, CooldownEnd)] == [
            Kind.QUOTA
        ]
        assert one.heard == []


def test_a_process_that_begins_takes_over_what_still_holds(database_url, database: Database):
    with processes(database_url) as (one,):
        told = one.tell(lasts_s=30)
        one.tell(kind=Kind.HOST, name="spent", lasts_s=0.001)
        wait_for(lambda: _rows(database_url))
    with processes(database_url) as (late,):
        assert [each.name for each in late.heard] == ["primary"]
        assert told.until <= late.heard[0].until < told.until + LATE_S
    with database.connection() as connection:
        (known,) = everything(connection, (), datetime.now(UTC)).cooldowns
    assert told.until <= known.until < told.until + LATE_S


def _rows(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(connection_info(url)) as connection:
        return connection.execute("SELECT source, kind, name, cause FROM cooldown").fetchall()


def test_who_is_cut_off_goes_on_and_both_directions_catch_up(database_url, monkeypatch):
    monkeypatch.setattr(shared_limits, "FIRST_PAUSE_S", 0.1)
    with processes(database_url, database_url) as (here, cut):
        cut.is_cut = True
        with psycopg.connect(connection_info(database_url)) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'healing-limits' AND datname = current_database()"
            )
        wait_for(lambda: not cut.limits.is_connected)
        began = time.monotonic()
        own = cut.tell(name="own", lasts_s=30)
        cut.tell(name="own", lasts_s=5)  # a shorter one changes nothing
        cut.tell(name="over", lasts_s=0.0)  # over before anybody can be told
        assert time.monotonic() - began < 0.1
        theirs = here.tell(name="theirs", lasts_s=40)
        wait_for(lambda: _rows(database_url))
        assert cut.heard == []
        cut.is_cut = False
        wait_for(lambda: here.heard and cut.heard)
        assert {each.name for each in here.heard} == {"own"}
        (at_cut,) = (each for each in cut.heard if each.name == "theirs")
        assert own.until <= here.heard[0].until < own.until + LATE_S
        assert theirs.until <= at_cut.until < theirs.until + LATE_S


def test_the_clock_of_no_machine_counts_and_a_row_from_the_future_gives_way(
    database_url, database: Database
):
    with database.connection() as connection:
        connection.execute(
            "INSERT INTO cooldown (source, kind, name, cause, until, told_at) VALUES "
            "('here', 'key', 'primary', 'rate_limit', now() + interval '1 day',"
            " now() + interval '1 day')"
        )
    with database.connection() as connection:
        assert standing_cooldowns(connection) == ()
    with processes(database_url, database_url) as (one, other):
        told = one.tell(lasts_s=10)
        wait_for(lambda: other.heard)
        assert told.until <= other.heard[0].until < told.until + LATE_S


@pytest.mark.parametrize("has_started", [True, False])
def test_what_is_told_last_is_told_before_a_process_ends(database_url, has_started):
    one = Process(database_url)
    if has_started:
        one.limits.start()
    one.tell()
    one.limits.close(timeout_s=WITHIN_S)
    assert _rows(database_url) == [("here", "key", "primary", "rate_limit")]
    one.limits.tell(Cooldown("here", Kind.KEY, "primary", LIMIT, 0.0))  # nobody listens, no error


def test_words_of_others_on_the_channel_are_no_news(database_url):
    with processes(database_url, database_url) as (one, other):
        with psycopg.connect(connection_info(database_url), autocommit=True) as stranger:
            for words in (
                "", "{", "[]", '{"source": "here"}',
                '{"source":"h","kind":"moon","name":"n","cause":"rate_limit","remaining_s":9}',
                '{"source":"h","kind":"key","name":"n","cause":"rate_limit","remaining_s":"NaN"}',
            ):  # fmt: skip
                stranger.execute("SELECT pg_notify('healing_cooldown', %s)", (words,))
        one.tell()
        wait_for(lambda: other.heard)
        assert [each.name for each in other.heard] == ["primary"]
