"""What several statements say of the same facts is the same."""

from __future__ import annotations

import random
from datetime import timedelta

from storage_samples import NOON, answer, begin, probe

from healing_pipeline.storage.dashboards import day_by_endpoint
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.health_quarters import (
    fold_quarters,
    quarters_of_endpoint,
    totals_by_source,
)
from healing_pipeline.storage.pages import learning_days, source_letters
from healing_pipeline.web.dashboard.bars import worst
from healing_pipeline.web.dashboard.day_bar import letter_of

NAMES = ("yahoo/a", "yahoo/b", "fred/c")
SINCE, UNTIL = NOON, NOON + timedelta(hours=6)


def some_facts(chance: random.Random):
    for name in NAMES:
        source = name.split("/")[0]
        for _ in range(60):
            at = SINCE + (UNTIL - SINCE) * chance.random()
            failure = chance.choice([None, None, "timeout", "bad_request"])
            failed = failure is not None and chance.random() < 0.3
            yield answer(endpoint=name, source=source, at=at, failure_class=failure, failed=failed)
            found = chance.choice(["ok", "ok", "ok", "timeout", "not_found"])
            yield probe(endpoint=name, source=source, at=at, failure_class=found)


def test_a_quarter_has_one_letter_on_the_overview_on_its_page_and_in_its_sources_bar(
    database, database_url
):
    store = FactStore(database_url)
    store.store(list(some_facts(random.Random(4))))
    store.close()
    with database.connection() as connection:
        begin(connection, "fred/c", began_at=SINCE, at=SINCE + timedelta(minutes=40))
        fold_quarters(connection, UNTIL + timedelta(minutes=1), most=1000)
        overview = day_by_endpoint(connection, SINCE, UNTIL)
        of_sources = source_letters(connection, SINCE, UNTIL)
        by_quarter: dict[tuple[str, int], list[str]] = {}
        for name in NAMES:
            rows = quarters_of_endpoint(connection, name, SINCE, UNTIL)
            letters = [letter_of(each) for each in rows]
            assert "".join(letters) == overview[name].letters
            numbers = [int(each.quarter.timestamp()) // 900 for each in rows]
            assert numbers == list(overview[name].quarters)
            for number, letter in zip(numbers, letters, strict=True):
                by_quarter.setdefault((name.split("/")[0], number), []).append(letter)
    assert {letter for letters in by_quarter.values() for letter in letters} == {"f", "h", "l"}
    together = {
        (source, number): letter for source, rows in of_sources.items() for number, letter in rows
    }
    assert together == {key: worst(letters) for key, letters in by_quarter.items()}


def test_a_day_of_healing_is_the_same_from_quarters_as_from_the_facts(database, database_url):
    store = FactStore(database_url)
    store.store(list(some_facts(random.Random(5))))
    store.close()
    with database.connection() as connection:
        fold_quarters(connection, UNTIL + timedelta(minutes=1), most=1000)
        (day,) = learning_days(connection, SINCE - timedelta(hours=12), UNTIL)
        totals = totals_by_source(connection, SINCE, UNTIL)
    met, healed = sum(each.met_fault for each in totals), sum(each.healed for each in totals)
    assert 0 < healed < met
    assert (day.day, day.healed) == (NOON.date(), healed / met)
