"""The drill's judge: an honest answer passes, and no lie does. It guards `wrong_as_good`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from healing_pipeline.catalog.values import Alternates
from healing_pipeline.drill.judge import fault_of, rights_of
from healing_pipeline.drill.world import drill_catalog, line_of
from healing_pipeline.healing.answer import PLAIN, Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.market import Market
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.simulator.truth import Truth
from healing_pipeline.simulator.upstreams import UPSTREAMS
from healing_pipeline.simulator.upstreams.contract import Ask


@dataclass(frozen=True)
class Remembering:
    """The truth, which is slow to compute, once for every second of every question."""

    truth: Truth
    known: dict[object, Reading | None] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        return self.truth.seed

    def reading(self, provider: str, line: RequestLine, now: datetime) -> Reading | None:
        second = now.replace(microsecond=0)
        key = (provider, line.path, *sorted(line.params.items()), second)
        if key not in self.known:
            self.known[key] = self.truth.reading(provider, line, second)
        return self.known[key]


TRUTH = Remembering(Truth(7))
CATALOG = drill_catalog(addresses(21_000), load_scenario("calm"))
EVERY = tuple(CATALOG.endpoints)
# One of each kind of question: bars by day and by minute, quotes of one and of many, observations
# by day and by quarter, rates of a table (with very small ones) and of a pair.
SAMPLE = (
    "yahoo/chart-aapl-1d",
    "yahoo/chart-eurusd-1d",
    "yahoo/chart-spy-5m",
    "yahoo/quote-ibm",
    "yahoo/quote-tech",
    "fred/dgs10",
    "fred/t10y2y",
    "fred/gdp",
    "polygon/aggs-aapl-5m",
    "polygon/aggs-spy-1d",
    "polygon/prev-tsla",
    "alpha_vantage/daily-ibm",
    "alpha_vantage/quote-ibm",
    "alpha_vantage/fx-daily-eurusd",
    "alpha_vantage/rate-gbp-usd",
    "exchange_rate/latest-jpy",
    "exchange_rate/pair-usd-eur",
)
# Their numbers are others a second later.
MOVING = ("yahoo/chart-aapl-1d", "yahoo/chart-spy-5m", "polygon/aggs-aapl-5m", "yahoo/quote-tech")

ASKED = datetime(2026, 3, 4, 15, 0, 7, 400_000, tzinfo=UTC)
FETCHED = ASKED + timedelta(seconds=0.2)
ANSWERED = ASKED + timedelta(seconds=0.3)
MINUTE = timedelta(minutes=1)

samples = st.sampled_from(SAMPLE)


def question(name: str, now: datetime = FETCHED) -> tuple[str, RequestLine]:
    endpoint = CATALOG.endpoints[name]
    return CATALOG.sources[endpoint.source].provider, line_of(CATALOG, endpoint, now)


def true_reading(name: str, at: datetime = FETCHED, line: RequestLine | None = None) -> Reading:
    provider, whole = question(name, at)
    reading = TRUTH.reading(provider, line or whole, at)
    assert reading is not None
    return reading


def answer(
    name: str,
    reading: Reading,
    fidelity: Fidelity = Fidelity.EXACT,
    fetched_at: datetime = FETCHED,
) -> Answer:
    return Answer(
        request_id=UUID(int=1),
        endpoint=name,
        fidelity=fidelity,
        as_of=reading.as_of,
        fetched_at=fetched_at,
        reading=reading,
        body=b"",
        strategy=PLAIN,
        provider=name.partition("/")[0],
        attempts=1,
        seconds=0.3,
    )


def judged(given: Answer) -> str | None:
    return fault_of(given, catalog=CATALOG, truth=TRUTH, asked_at=ASKED, answered_at=ANSWERED)


def changed(reading: Reading, index: int, value: float) -> Reading:
    points = list(reading.points)
    points[index] = replace(points[index], value=value)
    return replace(reading, points=tuple(points))


def newest_rows(reading: Reading, count: int) -> Reading:
    rows = sorted({point.at for point in reading.points})[-count:]
    return replace(reading, points=tuple(each for each in reading.points if each.at in rows))


# What is true passes.


@pytest.mark.parametrize("name", EVERY)
def test_the_true_reading_passes_as_exact(name):
    assert judged(answer(name, true_reading(name))) is None


@pytest.mark.parametrize("name", SAMPLE)
def test_what_the_providers_reader_makes_of_a_simulated_body_passes_as_exact(name):
    provider, line = question(name)
    host = CATALOG.sources[CATALOG.endpoints[name].source].hosts[0]
    ask, now = Ask(host.name, line.path, line.params), FETCHED.replace(microsecond=0)
    body = UPSTREAMS[provider].render(
        ask, UPSTREAMS[provider].question(ask, now), Market(TRUTH.seed), now
    )
    assert judged(answer(name, PROVIDERS[provider].read(body.body, line))) is None


@given(name=samples, rendered_s=st.floats(0.0, 0.2))
@settings(max_examples=60)
def test_data_of_any_moment_of_the_call_passes_as_exact(name, rendered_s):
    rendered_at = ASKED + timedelta(seconds=rendered_s)
    assert judged(answer(name, true_reading(name, rendered_at))) is None


@given(name=samples, age_s=st.floats(1.0, 900.0), call_s=st.floats(0.0, 2.0))
@settings(max_examples=30)
def test_an_honest_stale_answer_passes(name, age_s, call_s):
    fetched_at = ASKED - timedelta(seconds=age_s)
    reading = true_reading(name, fetched_at - timedelta(seconds=call_s))
    assert judged(answer(name, reading, Fidelity.STALE, fetched_at)) is None


def test_data_that_is_younger_than_it_says_is_no_lie():
    """A strategy that dates its data by when it began to ask understates it."""
    name, began_at = "yahoo/quote-ibm", ASKED - MINUTE
    reading = true_reading(name, began_at + timedelta(seconds=1.4))
    assert judged(answer(name, reading, Fidelity.STALE, began_at)) is None


@given(name=samples, data=st.data())
@settings(max_examples=60)
def test_the_newest_rows_of_the_truth_pass_as_coarser(name, data):
    reading = true_reading(name)
    rows = len({point.at for point in reading.points})
    count = data.draw(st.integers(1, rows))
    assert judged(answer(name, newest_rows(reading, count), Fidelity.COARSER)) is None


@pytest.mark.parametrize("name", EVERY)
def test_a_true_answer_to_a_smaller_question_passes_as_coarser(name):
    endpoint = CATALOG.endpoints[name]
    provider, line = question(name)
    smaller = PROVIDERS[provider].smaller(endpoint, endpoint.params, 0.5, FETCHED)
    if smaller is None:
        assert "series" not in line.path  # a series can always be asked for less
        return
    path, params = smaller
    asked = replace(endpoint, path=path, params=params)
    reading = true_reading(name, line=line_of(CATALOG, asked, FETCHED))
    assert len(reading.points) < len(true_reading(name).points)
    assert judged(answer(name, reading, Fidelity.COARSER)) is None
    assert judged(answer(name, reading, Fidelity.EXACT)) is not None


# What is not does not.


@given(name=samples, data=st.data(), factor=st.sampled_from([0.999, 1.001, 0.5, -1.0, 3.0]))
@settings(max_examples=200)
def test_a_single_number_that_is_off_by_a_thousandth_is_wrong_under_every_label(name, data, factor):
    reading = true_reading(name)
    index = data.draw(st.integers(0, len(reading.points) - 1))
    value = reading.points[index].value
    assume(value != 0)
    for fidelity in (Fidelity.EXACT, Fidelity.STALE, Fidelity.COARSER):
        assert judged(answer(name, changed(reading, index, value * factor), fidelity)) is not None


@given(name=samples, data=st.data(), value=st.sampled_from([math.nan, math.inf, -math.inf, 0.0]))
def test_what_is_no_number_is_wrong(name, data, value):
    reading = true_reading(name)
    index = data.draw(st.integers(0, len(reading.points) - 1))
    assume(reading.points[index].value != value)
    assert judged(answer(name, changed(reading, index, value))) is not None


@given(name=samples, data=st.data())
@settings(max_examples=100)
def test_a_missing_number_is_wrong_for_exact_and_stale(name, data):
    reading = true_reading(name)
    index = data.draw(st.integers(0, len(reading.points) - 1))
    lacking = replace(reading, points=reading.points[:index] + reading.points[index + 1 :])
    for fidelity in (Fidelity.EXACT, Fidelity.STALE):
        assert judged(answer(name, lacking, fidelity)) is not None


@given(name=samples, data=st.data())
@settings(max_examples=100)
def test_a_number_that_lost_its_row_is_wrong_for_coarser_too(name, data):
    """Coarser means fewer rows: a lost key or a dropped ticker is a failure, not a coarser row."""
    reading = true_reading(name)
    index = data.draw(st.integers(0, len(reading.points) - 1))
    at = reading.points[index].at
    assume(sum(point.at == at for point in reading.points) > 1)
    lacking = replace(reading, points=reading.points[:index] + reading.points[index + 1 :])
    assert judged(answer(name, lacking, Fidelity.COARSER)) is not None


@given(name=samples, data=st.data())
def test_a_number_that_is_there_twice_or_is_made_up_is_wrong(name, data):
    reading = true_reading(name)
    index = data.draw(st.integers(0, len(reading.points) - 1))
    point = reading.points[index]
    for extra in (point, Point(point.at, "made_up", 1.0), replace(point, at=point.at - MINUTE)):
        points = tuple(sorted((*reading.points, extra)))
        given_answer = answer(name, replace(reading, points=points), Fidelity.COARSER)
        assert judged(given_answer) is not None


@given(name=samples, data=st.data())
def test_two_numbers_that_changed_places_are_wrong(name, data):
    reading = true_reading(name)
    one, other = (data.draw(st.integers(0, len(reading.points) - 1)) for _ in range(2))
    values = reading.points[one].value, reading.points[other].value
    assume(values[0] != values[1])
    swapped = changed(changed(reading, one, values[1]), other, values[0])
    assert judged(answer(name, swapped)) is not None


@pytest.mark.parametrize("fidelity", [Fidelity.EXACT, Fidelity.STALE, Fidelity.COARSER])
def test_a_reading_without_numbers_is_wrong(fidelity):
    reading = replace(true_reading("fred/dgs10"), points=())
    assert judged(answer("fred/dgs10", reading, fidelity)) is not None


@pytest.mark.parametrize("age", [timedelta(seconds=3), MINUTE, timedelta(hours=3)])
@pytest.mark.parametrize("name", MOVING)
def test_an_older_reading_called_exact_is_wrong_however_little_the_market_moved(name, age):
    reading = true_reading(name, ASKED - age)
    assert judged(answer(name, reading)) is not None


@pytest.mark.parametrize("name", MOVING)
def test_old_prices_under_fresh_dates_are_wrong(name):
    """The fault `frozen_value`: dates of now, numbers of seconds ago."""
    provider, line = question(name)
    host = CATALOG.sources[CATALOG.endpoints[name].source].hosts[0]
    ask, now = Ask(host.name, line.path, line.params), FETCHED.replace(microsecond=0)
    for age_s, fidelity in ((3, Fidelity.EXACT), (8, Fidelity.STALE), (8, Fidelity.COARSER)):
        frozen = Market(TRUTH.seed).frozen(now - timedelta(seconds=age_s))
        body = UPSTREAMS[provider].render(ask, UPSTREAMS[provider].question(ask, now), frozen, now)
        reading = PROVIDERS[provider].read(body.body, line)
        assert judged(answer(name, reading, fidelity)) is not None


@pytest.mark.parametrize("name", [each for each in SAMPLE if each.startswith(("yahoo", "polygon"))])
def test_rows_of_five_days_ago_called_exact_are_wrong(name):
    then = ASKED - timedelta(days=5)
    assert judged(answer(name, true_reading(name, then))) is not None


@given(name=samples, fidelity=st.sampled_from(Fidelity), ahead_s=st.floats(0.5, 1e6))
def test_an_answer_from_the_future_is_wrong(name, fidelity, ahead_s):
    fetched_at = ANSWERED + timedelta(seconds=ahead_s)
    given_answer = answer(name, true_reading(name), fidelity, fetched_at)
    assert judged(given_answer) is not None


@given(name=samples, before_s=st.floats(0.3, 1e6))
@settings(max_examples=60)
def test_what_was_fetched_before_it_was_asked_for_is_not_exact(name, before_s):
    fetched_at = ASKED - timedelta(seconds=before_s)
    given_answer = answer(name, true_reading(name, fetched_at), Fidelity.EXACT, fetched_at)
    assert "before it was asked" in judged(given_answer)


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("by", [timedelta(seconds=8), timedelta(minutes=10)])
def test_stale_data_that_says_it_is_younger_than_it_is_is_wrong(name, by):
    fetched_at = ASKED - MINUTE
    reading = true_reading(name, fetched_at - by)
    assert judged(answer(name, reading, Fidelity.STALE, fetched_at)) is not None


@given(name=samples, data=st.data())
@settings(max_examples=60)
def test_stale_data_that_never_was_true_is_wrong(name, data):
    fetched_at = ASKED - timedelta(seconds=data.draw(st.integers(1, 900)))
    reading = true_reading(name, fetched_at)
    index = data.draw(st.integers(0, len(reading.points) - 1))
    value = reading.points[index].value
    lie = changed(reading, index, value * 1.001 + 0.001)
    assert judged(answer(name, lie, Fidelity.STALE, fetched_at)) is not None


@pytest.mark.parametrize("name", ["yahoo/chart-aapl-1d", "fred/dgs10", "polygon/aggs-aapl-5m"])
def test_coarser_data_without_the_newest_row_is_wrong(name):
    reading = true_reading(name)
    newest = reading.points[-1].at
    older = tuple(point for point in reading.points if point.at < newest)
    lie = replace(reading, points=older, as_of=older[-1].at)
    assert "ends at" in judged(answer(name, lie, Fidelity.COARSER))


def test_a_newest_row_that_stands_first_does_not_hide_an_older_end():
    """The order of a reading is its provider's word; the judge looks at the dates."""
    reading = true_reading("fred/dgs10")
    newest = reading.points[-1].at
    older = [point for point in reading.points if point.at < newest]
    lie = replace(reading, points=tuple(reversed(older)))
    assert judged(answer("fred/dgs10", lie, Fidelity.COARSER)) is not None


@given(name=samples, fidelity=st.sampled_from(Fidelity))
def test_data_of_another_instrument_is_wrong(name, fidelity):
    reading = replace(true_reading(name), instrument="XLK")
    assert judged(answer(name, reading, fidelity)) is not None


def test_another_instruments_numbers_under_the_right_name_are_wrong():
    reading = replace(true_reading("yahoo/chart-msft-1d"), instrument="AAPL")
    for fidelity in Fidelity:
        assert judged(answer("yahoo/chart-aapl-1d", reading, fidelity)) is not None


@given(name=samples)
def test_numbers_by_another_interval_than_they_say_are_wrong(name):
    reading = replace(true_reading(name), interval="7d")
    for fidelity in (Fidelity.EXACT, Fidelity.STALE):
        assert judged(answer(name, reading, fidelity)) is not None


@given(name=samples, later_s=st.integers(1, 1_000_000), fidelity=st.sampled_from(Fidelity))
def test_data_that_says_it_speaks_of_a_later_moment_is_wrong(name, later_s, fidelity):
    reading = true_reading(name)
    later = reading.as_of + timedelta(seconds=later_s)
    honest = answer(name, reading, fidelity)
    assert judged(replace(honest, as_of=later)) is not None
    assert judged(replace(honest, reading=replace(reading, as_of=later))) is not None


@dataclass(frozen=True)
class NoTruth:
    seed: int = 7

    def reading(self, provider: str, line: RequestLine, now: datetime) -> None:
        return None


def test_numbers_about_what_does_not_exist_are_wrong():
    given_answer = answer("yahoo/chart-aapl-1d", true_reading("yahoo/chart-aapl-1d"))
    fault = fault_of(
        given_answer, catalog=CATALOG, truth=NoTruth(), asked_at=ASKED, answered_at=ANSWERED
    )
    assert "there is none" in fault


# Answers that another provider served.

SERVED = (
    ("yahoo/chart-aapl-1d", "polygon/aggs-aapl-1d"),
    ("polygon/aggs-spy-1d", "yahoo/chart-spy-1d"),
    ("alpha_vantage/daily-ibm", "yahoo/chart-ibm-1d"),
    ("alpha_vantage/quote-ibm", "yahoo/quote-ibm"),
    ("alpha_vantage/rate-gbp-usd", "exchange_rate/pair-gbp-usd"),
    ("exchange_rate/pair-usd-eur", "alpha_vantage/rate-usd-eur"),
)
served = st.sampled_from(SERVED)


def served_by(name, other, reading=None, fidelity=Fidelity.EXACT, fetched_at=FETCHED):
    """The question's own numbers, said by its own provider, though another one served them."""
    reading = true_reading(name, fetched_at) if reading is None else reading
    provider, line = question(name, fetched_at)
    asked = CATALOG.endpoints[name]
    body = PROVIDERS[provider].rendered(reading, line.path, line.params, fetched_at)
    assert body is not None, asked
    said = PROVIDERS[provider].read(body, line)
    given_answer = answer(name, said, fidelity, fetched_at)
    return replace(given_answer, body=body, provider=other.partition("/")[0])


@pytest.mark.parametrize(("name", "other"), SERVED)
def test_the_whole_truth_passes_as_exact_whoever_served_it(name, other):
    assert judged(served_by(name, other)) is None


@given(pair=served, data=st.data())
@settings(max_examples=60)
def test_one_digit_off_is_wrong_whoever_served_it(pair, data):
    name, other = pair
    reading = true_reading(name)
    index = data.draw(st.integers(0, len(reading.points) - 1))
    value = reading.points[index].value
    lie = changed(reading, index, float(f"{value * 1.0003:.6g}"))
    assume(lie.points[index].value != value)
    for fidelity in (Fidelity.EXACT, Fidelity.STALE, Fidelity.COARSER):
        assert judged(served_by(name, other, lie, fidelity)) is not None


@pytest.mark.parametrize(("name", "other"), SERVED[:3])
def test_a_missing_row_is_coarser_and_not_exact_whoever_served_it(name, other):
    reading = true_reading(name)
    rows = sorted({point.at for point in reading.points})
    middle, newest = rows[len(rows) // 2], rows[-1]
    for left_out, is_coarser in ((middle, True), (rows[0], True), (newest, False)):
        points = tuple(point for point in reading.points if point.at != left_out)
        lacking = Reading(reading.instrument, reading.interval, points, points[-1].at)
        for fidelity in (Fidelity.EXACT, Fidelity.STALE):
            assert judged(served_by(name, other, lacking, fidelity)) is not None
        coarser = judged(served_by(name, other, lacking, Fidelity.COARSER))
        assert (coarser is None) is is_coarser


def test_live_numbers_may_bear_another_providers_date_but_no_later_one():
    """Alpha Vantage dates by the day what the Exchange Rate API dates by its last renewal."""
    name, other = "exchange_rate/pair-usd-eur", "alpha_vantage/rate-usd-eur"
    own, theirs = true_reading(name), true_reading(other)
    assert own.points[-1].at < theirs.points[-1].at

    def dated(at):
        points = tuple(replace(point, at=at) for point in own.points)
        given_answer = served_by(name, other)
        body = PROVIDERS["exchange_rate"].rendered(
            Reading(own.instrument, "now", points, at), *_asked(name), FETCHED
        )
        said = PROVIDERS["exchange_rate"].read(body, question(name)[1])
        return replace(given_answer, reading=said, body=body, as_of=at)

    assert judged(dated(theirs.as_of)) is None
    assert judged(dated(own.as_of - timedelta(hours=2))) is None
    assert "speaks of" in judged(dated(theirs.as_of + timedelta(seconds=9)))


def _asked(name):
    _, line = question(name)
    return line.path, line.params


def test_who_carries_nothing_of_an_endpoint_cannot_have_served_it():
    given_answer = served_by("yahoo/chart-aapl-1d", "fred/dgs10")
    assert "carries nothing" in judged(given_answer)


@pytest.mark.parametrize(("name", "other"), SERVED)
def test_a_body_that_says_other_numbers_than_its_reading_is_wrong(name, other):
    honest = served_by(name, other)
    index = len(honest.reading.points) - 1
    value = honest.reading.points[index].value
    lie = served_by(name, other, changed(honest.reading, index, value * 1.01))
    assert "its body" in judged(replace(honest, body=lie.body))
    assert "cannot be read" in judged(replace(honest, body=b"{}"))


@pytest.mark.parametrize(("name", "other"), SERVED[:1])
def test_another_providers_older_numbers_called_exact_are_wrong(name, other):
    older = true_reading(name, ASKED - timedelta(seconds=3))
    assert judged(served_by(name, other, older)) is not None


# Daily bars for those within the day.


@pytest.mark.parametrize("name", ["polygon/aggs-aapl-5m", "yahoo/chart-spy-5m"])
def test_the_truth_by_days_passes_as_coarser_and_as_nothing_better(name):
    endpoint = CATALOG.endpoints[name]
    provider, _ = question(name)
    path, params = PROVIDERS[provider].daily(endpoint.path, endpoint.params, FETCHED)
    line = line_of(CATALOG, replace(endpoint, path=path, params=params), FETCHED)
    daily = true_reading(name, line=line)
    assert judged(answer(name, daily, Fidelity.COARSER)) is None
    assert judged(answer(name, newest_rows(daily, 2), Fidelity.COARSER)) is None
    for fidelity in (Fidelity.EXACT, Fidelity.STALE, Fidelity.PROXY):
        assert judged(answer(name, daily, fidelity)) is not None
    for index in (0, len(daily.points) - 1):
        lie = changed(daily, index, daily.points[index].value * 1.001)
        assert judged(answer(name, lie, Fidelity.COARSER)) is not None
    older = Reading(daily.instrument, daily.interval, daily.points[:-5], daily.points[-6].at)
    assert judged(answer(name, older, Fidelity.COARSER)) is not None


# Another instrument.

PROXIES = (("yahoo/chart-aapl-1d", "XLK"), ("fred/dgs10", "GS10"), ("fred/cpiaucsl", "CPIAUCNS"))


def proxy_reading(name, substitute, at=FETCHED):
    endpoint = CATALOG.endpoints[name]
    provider, _ = question(name, at)
    path, params = PROVIDERS[provider].substituted(endpoint.path, endpoint.params, substitute)
    line = line_of(CATALOG, replace(endpoint, path=path, params=params), at)
    return true_reading(name, at, line)


@pytest.mark.parametrize(("name", "substitute"), PROXIES)
def test_the_truth_of_the_catalogued_substitute_passes_as_a_proxy_only(name, substitute):
    reading = proxy_reading(name, substitute)
    assert reading.instrument == substitute
    assert judged(answer(name, reading, Fidelity.PROXY)) is None
    for fidelity in (Fidelity.EXACT, Fidelity.STALE, Fidelity.COARSER):
        assert judged(answer(name, reading, fidelity)) is not None


@pytest.mark.parametrize(("name", "substitute"), PROXIES)
def test_a_proxy_under_the_asked_instruments_name_is_wrong(name, substitute):
    own = true_reading(name)
    assert judged(answer(name, own, Fidelity.PROXY)) is not None
    renamed = replace(proxy_reading(name, substitute), instrument=own.instrument)
    for fidelity in Fidelity:
        assert judged(answer(name, renamed, fidelity)) is not None


@pytest.mark.parametrize(("name", "substitute"), PROXIES)
def test_a_proxy_has_to_be_true_and_the_one_that_the_catalog_names(name, substitute):
    reading = proxy_reading(name, substitute)
    for index in (0, len(reading.points) // 2, len(reading.points) - 1):
        lie = changed(reading, index, reading.points[index].value * 1.0003 + 0.0001)
        assert judged(answer(name, lie, Fidelity.PROXY)) is not None
    newest = reading.points[-1].at
    older = tuple(point for point in reading.points if point.at < newest)
    ends = Reading(reading.instrument, reading.interval, older, older[-1].at)
    assert "ends at" in judged(answer(name, ends, Fidelity.PROXY))
    other = proxy_reading(name, "XLF" if name.startswith("yahoo") else "GDP")
    assert judged(answer(name, other, Fidelity.PROXY)) is not None


def test_an_endpoint_without_a_substitute_has_no_proxy():
    reading = true_reading("yahoo/chart-spy-5m")
    assert "no such thing" in judged(answer("yahoo/chart-spy-5m", reading, Fidelity.PROXY))


def test_an_instrument_that_is_catalogued_as_its_own_substitute_has_no_proxy():
    endpoint = replace(CATALOG.endpoints["fred/dgs10"], alternates=Alternates(series="DGS10"))
    assert rights_of(Fidelity.PROXY, endpoint, CATALOG, FETCHED) == ()


# Answers that several readers share.


def test_a_shared_answer_may_be_a_quarter_of_a_second_older_than_its_asking_and_no_more():
    name = "yahoo/quote-ibm"
    asked_at = FETCHED.replace(microsecond=0) + timedelta(seconds=1.4)
    fetched_at = asked_at + timedelta(seconds=0.1)

    def fault(shared):
        # Rendered in the second before the last one that a plain answer may be of.
        reading = true_reading(name, asked_at - timedelta(seconds=0.45))
        given_answer = replace(answer(name, reading, fetched_at=fetched_at), shared=shared)
        return fault_of(
            given_answer,
            catalog=CATALOG,
            truth=TRUTH,
            asked_at=asked_at,
            answered_at=fetched_at + timedelta(seconds=0.1),
        )

    assert fault(shared=True) is None
    assert "called exact" not in (fault(shared=False) or "")
    assert fault(shared=False) is not None
