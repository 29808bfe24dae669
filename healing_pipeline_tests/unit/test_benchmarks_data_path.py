"""The benchmark's pure parts: what an answer was worth, and what nginx is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from healing_pipeline.drill.world import drill_catalog, line_of
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading
from healing_pipeline.providers.registry import provider_named
from healing_pipeline.simulator.faults import Fault, FaultKind, FaultPlan, Match
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.market import Market
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.simulator.upstreams import UPSTREAMS
from healing_pipeline.simulator.upstreams.contract import Ask

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SEED = 7
CATALOG = drill_catalog(addresses(21_000), load_scenario("calm"))
QUOTE = "yahoo/quote-aapl"
BEGAN = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
ASKED = BEGAN + timedelta(seconds=30)
ANSWERED = ASKED + timedelta(seconds=0.02)


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [each for each in sys.modules if each.partition(".")[0] == "peers"]:
        del sys.modules[name]


@pytest.fixture
def judge() -> Any:
    from peers.judging import Judge, RememberedTruth

    return Judge(CATALOG, RememberedTruth(SEED), BEGAN)


def body_of(endpoint_id: str, at: datetime, market: Market | None = None) -> bytes:
    """The body a healthy upstream renders at a moment, of its own market or another one."""
    endpoint = CATALOG.endpoints[endpoint_id]
    source = CATALOG.sources[endpoint.source]
    line = line_of(CATALOG, endpoint, at)
    ask, upstream = Ask(source.hosts[0].name, line.path, line.params), UPSTREAMS[source.provider]
    return upstream.render(ask, upstream.question(ask, at), market or Market(SEED), at).body


def worth_of(judge: Any, body: bytes, label: str = "exact", status: int = 200) -> str:
    from peers.contract import Handed, Label

    handed = Handed(status, body, Label(label))
    return judge.worth(QUOTE, handed, ASKED, ANSWERED).worth.value


def test_true_data_without_a_label_is_exact(judge: Any) -> None:
    assert worth_of(judge, body_of(QUOTE, ASKED)) == "exact"


def test_data_of_ten_seconds_ago_without_a_label_is_wrong_as_good(judge: Any) -> None:
    assert worth_of(judge, body_of(QUOTE, ASKED - timedelta(seconds=10))) == "wrong_as_good"


@pytest.mark.parametrize("label", ["stale", "fresh_enough"])
@pytest.mark.parametrize("age_s", [4, 10, 19, 29])
def test_the_same_data_is_honest_when_it_is_called_stale(
    judge: Any, label: str, age_s: int
) -> None:
    body = body_of(QUOTE, ASKED - timedelta(seconds=age_s))
    assert worth_of(judge, body, label) == "labelled"


def test_a_cache_s_fresh_data_is_exact_while_it_is_true(judge: Any) -> None:
    assert worth_of(judge, body_of(QUOTE, ASKED), "fresh_enough") == "exact"


def test_data_that_is_called_stale_counts_as_stale_even_while_it_is_true(judge: Any) -> None:
    assert worth_of(judge, body_of(QUOTE, ASKED), "stale") == "labelled"


def test_stale_is_no_better_a_label_for_data_that_was_never_true(judge: Any) -> None:
    frozen = Market(SEED).frozen(ASKED - timedelta(hours=3))
    assert worth_of(judge, body_of(QUOTE, ASKED, frozen), "stale") == "wrong_as_good"


def test_data_of_before_the_first_read_cannot_be_a_cache_s(judge: Any) -> None:
    assert (
        worth_of(judge, body_of(QUOTE, BEGAN - timedelta(seconds=60)), "stale") == "wrong_as_good"
    )


def test_a_200_without_data_is_an_error_passed_as_success(judge: Any) -> None:
    assert worth_of(judge, b"<html>Too Many Requests</html>") == "error_as_success"


def test_another_status_is_an_error_whatever_its_body_says(judge: Any) -> None:
    assert worth_of(judge, body_of(QUOTE, ASKED), status=503) == "error"


def test_an_answer_of_ours_is_held_to_its_own_label(judge: Any) -> None:
    from peers.contract import Told

    told = Told(answer(body_of(QUOTE, ASKED), ASKED))
    old = Told(answer(body_of(QUOTE, BEGAN), ASKED))
    stale = Told(replace(old.answer, fidelity=Fidelity.STALE, fetched_at=BEGAN))
    ends = [judge.worth(QUOTE, each, ASKED, ANSWERED).worth.value for each in (told, old, stale)]
    assert ends == ["exact", "wrong_as_good", "labelled"]


def answer(body: bytes, fetched_at: datetime) -> Answer:
    line = line_of(CATALOG, CATALOG.endpoints[QUOTE], fetched_at)
    reading = provider_named("yahoo").read(body, line)
    assert isinstance(reading, Reading)
    return Answer(
        request_id=UUID(int=1),
        endpoint=QUOTE,
        fidelity=Fidelity.EXACT,
        as_of=reading.as_of,
        fetched_at=fetched_at,
        reading=reading,
        body=body,
        strategy="plain",
        provider="yahoo",
        attempts=1,
        seconds=0.01,
    )


def exact_way(endpoint_id: str, *faults: Fault) -> str | None:
    from peers.existing import exact_way
    from peers.judging import RememberedTruth

    found = exact_way(
        CATALOG,
        CATALOG.endpoints[endpoint_id],
        RememberedTruth(SEED),
        FaultPlan(SEED, faults),
        ASKED,
        5.0,
    )
    return None if found is None else str(found)


def fault(source: str, for_s: float = 60.0, share: float = 1.0, host: str | None = None) -> Fault:
    match = Match(source=source, share=share, host=host)
    return Fault(0, 0.0, for_s, match, FaultKind.SERVER_ERROR)


def test_exact_data_is_at_the_other_host_at_once() -> None:
    assert exact_way(QUOTE, fault("yahoo", host="query1")) == "yahoo/query2 at once"


def test_half_of_the_calls_failing_leaves_it_to_luck() -> None:
    assert exact_way(QUOTE, fault("yahoo", share=0.5)) == "yahoo/query1 with luck or patience"


def test_a_fault_that_ends_within_the_deadline_leaves_it_for_later() -> None:
    assert exact_way(QUOTE, fault("yahoo", for_s=5.5)) == "yahoo/query1 a second or two later"


def test_a_source_that_is_all_down_has_exact_data_nowhere() -> None:
    assert exact_way(QUOTE, fault("yahoo")) is None


def test_an_alternate_counts_only_when_it_carries_every_number() -> None:
    # Polygon's ninety days lie within Yahoo's three months, its four days not within Yahoo's one.
    daily = exact_way("polygon/aggs-aapl-1d", fault("polygon"))
    assert daily == "yahoo/query1 at once"
    assert exact_way("polygon/aggs-aapl-5m", fault("polygon")) is None


def test_a_host_that_does_not_have_the_question_is_no_way() -> None:
    keyed = fault("exchange_rate", host="v6")
    assert exact_way("exchange_rate/latest-usd", keyed) == "exchange_rate/open at once"
    pair = exact_way("exchange_rate/pair-gbp-usd", keyed, fault("alpha_vantage"))
    assert pair == "exchange_rate/open at once"  # in the table of latest-gbp
    assert (
        exact_way("exchange_rate/pair-gbp-usd", fault("exchange_rate"), fault("alpha_vantage"))
        is None
    )


def test_every_way_of_a_question_is_offered_once_and_the_plain_one_first() -> None:
    from peers.contract import World, question_of

    from healing_pipeline.installation import system_clock

    world = World(CATALOG, system_clock(), SEED)
    ways = question_of(world, "exchange_rate/latest-usd").ways
    assert [(each.host_name, each.key_name) for each in ways] == [
        ("v6", "primary"),
        ("open", None),
        ("v6", "spare"),
    ]
    polygon = question_of(world, "polygon/prev-aapl")
    assert len(polygon.ways) == 4
    assert [each.host_name for each in polygon.hosts()] == ["polygon", "massive"]


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.99, 4.0), (0.25, 1.0), (1.0, 4.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    from peers.account import percentile

    assert percentile([1.0, 2.0, 3.0, 4.0], share) == value
