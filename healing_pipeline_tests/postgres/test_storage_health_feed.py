"""The health of all endpoints, followed: at once, and again after the database was away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from storage_samples import AAPL, answer, begin

from healing_pipeline.installation import system_clock
from healing_pipeline.storage import health_feed
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.health_feed import HealthFeed, HealthNews
from healing_pipeline.storage.health_quarters import QUARTER

AT_ONCE_S = 5.0  # on a machine that does other work too
now = system_clock().now


class Heard:
    """News, for a test that waits for one."""

    def __init__(self) -> None:
        self.news: list[HealthNews] = []
        self._more = threading.Condition()

    def take(self, news: HealthNews) -> None:
        with self._more:
            self.news.append(news)
            self._more.notify_all()

    def wait_for(self, is_wanted, since: int = 0) -> HealthNews:
        deadline = time.monotonic() + AT_ONCE_S
        with self._more:
            while not (found := [each for each in self.news[since:] if is_wanted(each)]):
                assert self._more.wait(deadline - time.monotonic()), "no such news"
            return found[0]


@pytest.fixture
def heard(database_url) -> Iterator[Heard]:
    heard = Heard()
    feed = HealthFeed(lambda: database_url, [AAPL], now=now, take=heard.take)
    feed.start()
    heard.wait_for(lambda news: news.day is not None)
    yield heard
    feed.close()


def is_ill(news: HealthNews) -> bool:
    return news.standings is not None and AAPL in news.standings


def test_a_step_of_an_incident_is_news_at_once_and_so_is_what_a_reader_met(
    heard, database, database_url
):
    assert not any(is_ill(each) for each in heard.news)
    with database.connection() as connection:
        begin(connection, began_at=now(), at=now())
    standing = heard.wait_for(is_ill).standings[AAPL]
    assert (standing.state, standing.failure_class, standing.strategy) == ("open", "timeout", None)
    store = FactStore(database_url)
    store.store([answer(at=now(), failed=True, fidelity=None, failure_class="timeout")])
    store.close()
    news = heard.wait_for(
        lambda news: (
            news.lately is not None and news.lately[AAPL].reader_errors == 1
            if news.lately and AAPL in news.lately
            else False
        )
    )
    assert news.lately[AAPL].letters[-1] == "f"


def cut_off(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_it_says_since_when_the_database_is_away_and_reads_all_anew_once_it_is_back(
    heard, database_url
):
    known = len(heard.news)
    cut_off(database_url)
    away = heard.wait_for(lambda news: news.away_since is not None, known)
    assert away.standings is None
    with psycopg.connect(connection_info(database_url)) as connection:
        begin(connection, began_at=now(), at=now())
    heard.wait_for(is_ill, known)
    heard.wait_for(lambda news: news.day is not None, known)
    known = len(heard.news)
    cut_off(database_url)
    again = heard.wait_for(lambda news: news.away_since is not None, known)
    assert again.away_since > away.away_since


def test_what_nobody_folded_is_folded_in_parts_that_keep_no_news_waiting(
    database, database_url, monkeypatch
):
    monkeypatch.setattr(health_feed, "FOLDS_AT_ONCE", 3)
    monkeypatch.setattr(health_feed, "RATES_EVERY_S", 0.1)
    monkeypatch.setattr(health_feed, "BUSY_SHARE", 1.0)
    store, latest = FactStore(database_url), now()
    store.store([answer(at=latest - number * QUARTER) for number in range(1, 12)])
    store.close()
    heard = Heard()
    feed = HealthFeed(lambda: database_url, [AAPL], now=now, take=heard.take)
    feed.start()
    heard.wait_for(lambda news: bool(news.day) and news.day[AAPL].requests >= 10)
    feed.close()
    counts = [news.day[AAPL].requests for news in heard.news if news.day]
    assert counts == sorted(counts)
    assert counts[0] <= 3


def test_a_database_that_nobody_found_yet_is_looked_for_again():
    heard, tries = Heard(), []

    def url() -> str:
        tries.append(None)
        raise ConnectionError("nobody knows")

    feed = HealthFeed(url, [AAPL], now=now, take=heard.take)
    feed.start()
    first = heard.wait_for(lambda news: news.away_since is not None)
    again = heard.wait_for(lambda news: len(tries) > 1)
    assert again.away_since == first.away_since
    feed.close()
