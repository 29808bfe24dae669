"""Questions to a model as rows: a budget that is kept, a question a matter, and its worth."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any

import psycopg
import pytest
from storage_samples import NOON, at_once, attempt, begin, later

from healing_pipeline.incidents.cause import RootCause
from healing_pipeline.second_opinion.advice import Advice
from healing_pipeline.second_opinion.price import Tokens
from healing_pipeline.second_opinion.reply import Outcome, Reply
from healing_pipeline.storage.database import Database, connection_info
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.incidents import incident_by_id, move_incident
from healing_pipeline.storage.second_opinions import (
    ASK_AGAIN_AFTER,
    HeldBack,
    LetOut,
    Wish,
    calls_about,
    cases_between,
    committed_usd,
    let_out,
    settle,
)
from healing_pipeline.web.dashboard.incident_page import opinion_steps
from healing_pipeline.web.dashboard.striking import Striking

ADVICE = Advice(RootCause.KEY, ("alternate_host", "use_cached_data"), 0.7, "the key is refused")
GOOD = Reply(Outcome.ADVICE, 1.5, ADVICE, tokens=Tokens(900, 100, 0, 0), cost_usd=0.01)


@pytest.fixture
def incident(database: Database) -> int:
    with database.connection() as connection:
        return begin(connection).incident_id


def wish_for(incident_id: int, **changes: Any) -> Wish:
    wish = Wish(
        incident_id=incident_id,
        joint_id=incident_id,
        digest="",
        service="anthropic",
        model="a-model",
        because="unhealed",
        diagnosis={"choices": ["exponential_backoff_retry", "alternate_host"]},
        most_usd=0.10,
        daily_budget_usd=1.0,
    )
    return replace(wish, **changes)


def asked(database: Database, wish: Wish, at: datetime = NOON) -> LetOut | HeldBack:
    with database.connection() as connection:
        return let_out(connection, wish, at)


def ended(database: Database, told: LetOut | HeldBack, reply: Reply, at: datetime = NOON) -> bool:
    assert isinstance(told, LetOut)
    with database.connection() as connection:
        return settle(connection, told.call_id, reply, at)


def committed(database: Database, at: datetime = NOON) -> float:
    with database.connection() as connection:
        return committed_usd(connection, at)


def ask_ten_times(url: str, wish: Wish) -> list[LetOut | HeldBack]:
    told = []
    with psycopg.connect(connection_info(url)) as connection:
        for _ in range(10):
            told.append(let_out(connection, wish, NOON))
            connection.commit()
    return told


def test_processes_that_ask_at_once_never_spend_more_than_the_day_has(
    database_url, database, incident
):
    wish = wish_for(incident, most_usd=0.07, daily_budget_usd=0.5)
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as processes:
        many = processes.map(ask_ten_times, [database_url] * 4, [wish] * 4)
        told = [each for some in many for each in some]
    assert len(told) == 40
    assert sum(isinstance(each, LetOut) for each in told) == 7
    assert committed(database) == pytest.approx(0.49)
    assert all("of the day's $0.5" in each.because for each in told if isinstance(each, HeldBack))


def test_a_question_that_cost_less_gives_the_rest_back_once(database, incident):
    told = asked(database, wish_for(incident))
    assert committed(database) == pytest.approx(0.10)
    assert ended(database, told, GOOD)
    assert not ended(database, told, replace(GOOD, cost_usd=0.0))
    assert committed(database) == pytest.approx(0.01)


def test_what_nobody_put_an_end_to_stays_counted(database, incident):
    wish = wish_for(incident, most_usd=0.6)
    assert isinstance(asked(database, wish), LetOut)
    assert isinstance(asked(database, wish, later(3600)), HeldBack)
    assert isinstance(asked(database, wish, NOON + timedelta(days=1)), LetOut)


def test_an_end_of_unknown_cost_leaves_what_was_set_aside(database, incident):
    ended(database, asked(database, wish_for(incident)), Reply(Outcome.TIMEOUT, 8.0))
    assert committed(database) == pytest.approx(0.10)


def test_a_question_that_ended_after_midnight_is_of_the_day_it_was_asked(database, incident):
    night = NOON.replace(hour=23, minute=59, second=59)
    told = asked(database, wish_for(incident), night)
    ended(database, told, GOOD, night + timedelta(seconds=5))
    assert committed(database, night) == pytest.approx(0.01)
    assert committed(database, night + timedelta(seconds=5)) == 0.0


def test_the_same_matter_is_asked_once_and_its_parts_share_the_advice(database):
    with database.connection() as connection:
        parent = begin(connection).incident_id
        member = begin(connection, "yahoo/chart-msft-1d").incident_id
    wish = wish_for(parent, digest="d1")
    told = asked(database, wish)
    shared = asked(database, replace(wish, incident_id=member))
    assert (type(shared), shared.advice, shared.is_under_way) == (HeldBack, None, True)
    ended(database, told, GOOD)
    assert asked(database, replace(wish, incident_id=member)).advice == ADVICE.written()
    own = asked(database, wish)
    assert (own.advice, own.is_under_way) == (None, False), "its own advice was tried"
    assert isinstance(asked(database, replace(wish, digest="d2")), LetOut)
    assert isinstance(asked(database, wish, NOON + ASK_AGAIN_AFTER * 1.01), LetOut)


def test_a_service_that_fails_is_left_alone_by_every_process(database_url, database, incident):
    wish = wish_for(incident)
    for number in range(3):
        told = asked(database, wish, later(number))
        ended(database, told, Reply(Outcome.OVERLOADED, 0.1, cost_usd=0.0), later(number))
    told = at_once(database_url, lambda connection, _: let_out(connection, wish, later(10)), 3)
    assert all("not asked for another" in each.because for each in told)
    again = at_once(database_url, lambda connection, _: let_out(connection, wish, later(70)), 5)
    assert sum(isinstance(each, LetOut) for each in again) == 1, "one of them tries it"


def test_what_became_of_questions_is_read_with_their_incident(database, incident):
    ended(database, asked(database, wish_for(incident)), GOOD)
    told = asked(database, wish_for(incident, because="on demand"), later(1))
    ended(database, told, Reply(Outcome.REFUSED, 0.4, reason="no JSON: 'Sure!'"), later(2))
    with database.connection() as connection:
        first, second = calls_about(connection, incident)
    assert (first.outcome, first.advice, first.cost_usd) == ("advice", ADVICE.written(), 0.01)
    assert (second.outcome, second.reason) == ("refused", "no JSON: 'Sure!'")
    assert first.said == "key; alternate_host, then use_cached_data: the key is refused"
    assert second.said == "refused: no JSON: 'Sure!'"
    with database.connection() as connection:
        row = incident_by_id(connection, incident)
    told = opinion_steps(row, [first, second], Striking((), frozenset()))
    assert [each.word for each in told] == ["second opinion"] * 2
    assert first.said in told[0].note


def test_advice_is_read_with_what_then_healed_and_what_was_tried_before(
    database_url, database, incident
):
    ended(database, asked(database, wish_for(incident), later(2)), GOOD, later(4))
    uses = [("exponential_backoff_retry", False, 1), ("alternate_host", True, 5)]
    with closing(FactStore(database_url)) as store:
        store.store(
            [
                attempt(
                    at=later(seconds),
                    attempt_no=number,
                    origin="heal",
                    strategy=strategy,
                    healed=healed,
                    incident_id=incident,
                )
                for number, (strategy, healed, seconds) in enumerate(uses, 1)
            ]
        )
    with database.connection() as connection:
        for from_state, to_state, signal in (
            ("open", "healing", "heal_started"),
            ("healing", "healed", "heal_succeeded"),
        ):
            move_incident(
                connection,
                incident_id=incident,
                from_state=from_state,
                to_state=to_state,
                signal=signal,
                at=later(6),
                note="",
                root_cause="key",
            )
        (case,) = cases_between(connection, NOON, later(3600), later(60))
        assert cases_between(connection, later(3600), later(7200), later(7200)) == []
    assert (case.healed_by, case.is_over) == ("alternate_host", True)
    assert case.tried == ("exponential_backoff_retry", "alternate_host")
    assert case.plan == ("exponential_backoff_retry", "alternate_host")
    assert (case.root_cause, case.settled_root_cause) == ("key", "key")
    assert case.order == ADVICE.order
    assert case.after_plan


def test_nothing_is_judged_before_its_time_is_over(database, incident):
    ended(database, asked(database, wish_for(incident)), GOOD)
    with database.connection() as connection:
        (soon,) = cases_between(connection, NOON, later(1), later(60))
        (then,) = cases_between(connection, NOON, later(1), NOON + ASK_AGAIN_AFTER * 1.01)
    assert (soon.healed_by, soon.is_over, then.is_over) == (None, False, True)
