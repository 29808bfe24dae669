"""What nobody could have known of a frozen feed is told apart; all that could be known is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from healing_pipeline.drill.fates import Evidence, Read
from healing_pipeline.drill.frozen import LOGGED_WITHIN_S, frozen_looks
from healing_pipeline.drill.judge import LAG_S, LAGGING, MOST_PER_SECOND, fault_of
from healing_pipeline.drill.schedule import Arrival
from healing_pipeline.drill.world import EPOCH, drill_catalog, line_of
from healing_pipeline.healing.answer import PLAIN, Answer
from healing_pipeline.healing.facts import Attempt
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.simulator.faults import Fault, FaultKind, FaultPlan, Match
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.market import Market, moment, seconds_of
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.simulator.truth import Truth

CATALOG = drill_catalog(addresses(21_000), load_scenario("calm"))
NAME = "yahoo/quote-ibm"
LINE = line_of(CATALOG, CATALOG.endpoints[NAME], EPOCH)
FROZEN = Fault(0, 5.0, 20.0, Match("yahoo"), FaultKind.FROZEN_VALUE)
OLD = Fault(1, 5.0, 20.0, Match("yahoo"), FaultKind.STALE_DATA)


def seconds(number):
    return timedelta(seconds=number)


def quote(at_s):
    return Reading("IBM", "now", (Point(EPOCH, "price", 1.0),), EPOCH + seconds(at_s))


def read(number, at_s, fidelity=Fidelity.EXACT, fetched_s=None, strategy=PLAIN):
    asked_at = EPOCH + seconds(at_s)
    end = Answer(
        request_id=UUID(int=number),
        endpoint=NAME,
        fidelity=fidelity,
        as_of=asked_at,
        fetched_at=asked_at if fetched_s is None else EPOCH + seconds(fetched_s),
        reading=quote(at_s),
        body=b"",
        strategy=strategy,
        provider="yahoo",
        attempts=1,
        seconds=0.1,
    )
    return Read(Arrival(at_s, NAME), f"r{number}", asked_at, asked_at + seconds(0.1), end)


def attempt(number, strategy=PLAIN, healed=True, calls=1, attempt_no=1):
    return Attempt(
        id=UUID(int=1000 * attempt_no + number),
        request_id=UUID(int=number),
        attempt_no=attempt_no,
        at=EPOCH,
        origin="reader",
        source="yahoo",
        endpoint=NAME,
        strategy=strategy,
        host="query1" if calls else None,
        key_name=None,
        failure_class="ok" if healed else "stale_data",
        evidence="",
        healed=healed,
        fidelity=None,
        seconds=0.1,
        status=200,
        upstream_calls=calls,
    )


def served(mark, at_s, fault=FROZEN):
    return {
        "request_id": mark,
        "at_s": at_s,
        "source": "yahoo",
        "path": LINE.path,
        "params": dict(LINE.params),
        "fault": None if fault is None else fault.index,
        "fault_kind": None if fault is None else fault.kind.value,
        "status": 200,
    }


def looks(attempts, *log, faults=(FROZEN, OLD)):
    by_request = {}
    for each in attempts:
        by_request.setdefault(each.request_id, []).append(each)
    marks = {each["request_id"]: each for each in log}
    return frozen_looks(Evidence(CATALOG, FaultPlan(1, faults), EPOCH, marks, by_request))


def test_the_first_answers_of_a_feed_that_froze_may_lag_and_later_ones_may_not():
    log = [served("r1.1", 6.0), served("r2.1", 6.0 + LAG_S), served("r3.1", 6.1 + LAG_S)]
    found = looks([attempt(1), attempt(2), attempt(3)], *log)
    assert found.may_lag(read(1, 6.0))
    assert found.may_lag(read(2, 6.0 + LAG_S))
    assert not found.may_lag(read(3, 6.1 + LAG_S))


def test_looks_of_the_control_loop_count_for_what_could_have_been_known():
    found = looks([attempt(1)], served("control.7", 5.0), served("r1.1", 5.1 + LAG_S))
    assert not found.may_lag(read(1, 5.1 + LAG_S))


def test_a_feed_that_freezes_again_is_news_again():
    again = replace(FROZEN, for_s=2.0, period_s=30.0)
    found = looks([attempt(1)], served("x.1", 5.5), served("r1.1", 35.5), faults=(again,))
    assert found.may_lag(read(1, 35.5))


@pytest.mark.parametrize("calls", [0, 1])
def test_memory_that_is_handed_out_as_exact_is_not_excused(calls):
    """Neither without any call, nor after a frozen one that was refused."""
    tried = [attempt(1, healed=False, calls=calls)]
    tried.append(attempt(1, "use_cached_data", calls=0, attempt_no=2))
    found = looks(tried, *([served("r1.1", 6.0)] if calls else []), served("r9.1", 6.0))
    assert not found.may_lag(read(1, 6.0, strategy="use_cached_data"))


def test_other_faults_and_good_calls_excuse_nothing():
    assert not looks([attempt(1)], served("r1.1", 6.0, OLD)).may_lag(read(1, 6.0))
    assert not looks([attempt(1)], served("r1.1", 6.0, None)).may_lag(read(1, 6.0))


def test_stale_data_may_lag_where_it_was_taken_from_a_frozen_feed_then():
    found = looks([attempt(1, "use_cached_data", calls=0)], served("r7.1", 6.0))
    kept = read(1, 9.0, Fidelity.STALE, fetched_s=6.05)
    assert found.may_lag(kept)
    dated_anew = read(1, 9.0, Fidelity.STALE, fetched_s=6.01 + LOGGED_WITHIN_S)
    assert not found.may_lag(dated_anew)
    assert not found.may_lag(read(1, 6.1, Fidelity.COARSER, fetched_s=6.05))


def judged(reading, at, live_within):
    end = replace(read(1, 0.0).end, reading=reading, as_of=at, fetched_at=at)
    end = replace(end, endpoint="yahoo/chart-spy-5m") if reading.interval == "5m" else end
    return fault_of(
        end,
        catalog=CATALOG,
        truth=Truth(7),
        asked_at=at,
        answered_at=at,
        live_within=live_within,
    )


def changed(reading, share, newest=True):
    points = list(reading.points)
    last = points[-1].at
    number = next(n for n, each in enumerate(points) if (each.at == last) == newest)
    points[number] = replace(points[number], value=points[number].value * (1 + share))
    return replace(reading, points=tuple(points))


@pytest.mark.parametrize("name", [NAME, "yahoo/chart-spy-5m"])
def test_a_lagging_number_is_a_live_one_as_far_off_as_a_market_goes_in_that_time(name):
    at = EPOCH + seconds(100)
    true = Truth(7).reading("yahoo", line_of(CATALOG, CATALOG.endpoints[name], at), at)
    assert judged(true, at, LAGGING) is None
    near, far = changed(true, 0.9 * LAGGING), changed(true, 1.5 * LAGGING)
    assert judged(near, at, LAGGING) is None
    assert judged(far, at, LAGGING) is not None
    assert fault_of(
        replace(read(1, 100.0).end, reading=near, endpoint=name, fetched_at=at, as_of=at),
        catalog=CATALOG,
        truth=Truth(7),
        asked_at=at,
        answered_at=at,
    )
    if name != NAME:
        finished = changed(true, 0.1 * LAGGING, newest=False)
        assert judged(finished, at, LAGGING) is not None


def test_the_simulated_market_goes_no_further_in_a_second_than_is_said():
    furthest = 0.0
    for seed in range(1, 6):
        market, began_s = Market(seed), seconds_of(EPOCH)
        for symbol in ("AAPL", "IBM", "SPY", "MSFT"):
            prices = [market.price(symbol, moment(began_s + n)) for n in range(600)]
            steps = pairwise(prices)
            furthest = max(furthest, *(abs(after / before - 1) for before, after in steps))
    assert MOST_PER_SECOND / 4 < furthest < MOST_PER_SECOND
