"""The simulated bodies against the project's own classifiers and readers, and against the truth."""

import json
import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine, Response
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.simulator.faults import Fault, FaultKind, Match
from healing_pipeline.simulator.keys import default_keys
from healing_pipeline.simulator.market import Market, moment
from healing_pipeline.simulator.outcome import Delivery
from healing_pipeline.simulator.simulation import Request, Simulation
from healing_pipeline.simulator.truth import Truth, digest, question_of
from healing_pipeline.simulator.upstreams import UPSTREAMS
from healing_pipeline.simulator.upstreams.contract import Answer, Ask

NOW = datetime(2026, 1, 5, 15, 0, 7, tzinfo=UTC)
HOST = {
    "yahoo": "query1",
    "fred": "api",
    "polygon": "polygon",
    "alpha_vantage": "www",
    "exchange_rate": "v6",
}


def lines(now):
    """Every kind of question that has numbers for an answer."""
    today, week, quarter = ((now.date() - timedelta(days=days)).isoformat() for days in (0, 7, 91))
    second = int(now.timestamp())
    observations = "/fred/series/observations"
    newest = {"file_type": "json", "sort_order": "desc", "limit": "100"}
    return [
        ("yahoo", "/v8/finance/chart/AAPL", {"interval": "1d", "range": "3mo"}),
        ("yahoo", "/v8/finance/chart/AAPL", {"interval": "1d", "range": "ytd"}),
        ("yahoo", "/v8/finance/chart/^GSPC", {"interval": "5m", "range": "1d"}),
        ("yahoo", "/v8/finance/chart/SPY", {"interval": "1m", "range": "1d"}),
        ("yahoo", "/v8/finance/chart/EURUSD=X", {"interval": "1d", "range": "1mo"}),
        ("yahoo", "/v8/finance/chart/JPY=X", {"interval": "60m", "range": "5d"}),
        (
            "yahoo",
            "/v8/finance/chart/IBM",
            {"interval": "1d", "period1": str(second - 9_000_000), "period2": str(second)},
        ),
        ("yahoo", "/v7/finance/quote", {"symbols": "IBM"}),
        ("yahoo", "/v7/finance/quote", {"symbols": "AAPL,MSFT,NONEXIST"}),
        ("yahoo", "/v7/finance/download/IBM", {"range": "6mo"}),
        ("fred", observations, {"series_id": "DGS10", **newest}),
        ("fred", observations, {"series_id": "GS10", **newest}),
        ("fred", observations, {"series_id": "GDP", **newest}),
        ("fred", observations, {"series_id": "MORTGAGE30US", **newest}),
        (
            "fred",
            observations,
            {"series_id": "CPIAUCSL", "file_type": "json", "observation_start": "2020-01-01"},
        ),
        ("polygon", f"/v2/aggs/ticker/AAPL/range/1/day/{quarter}/{today}", {"limit": "5000"}),
        ("polygon", f"/v2/aggs/ticker/C:EURUSD/range/1/day/{week}/{today}", {"sort": "desc"}),
        ("polygon", f"/v2/aggs/ticker/X:BTCUSD/range/1/hour/{week}/{today}", {}),
        (
            "polygon",
            f"/v2/aggs/ticker/AAPL/range/5/minute/{week}/{today}",
            {"limit": "50", "sort": "desc"},
        ),
        ("polygon", "/v2/aggs/ticker/BRK.B/prev", {}),
        ("polygon", "/v2/last/trade/AAPL", {}),
        ("alpha_vantage", "/query", {"function": "TIME_SERIES_DAILY", "symbol": "IBM"}),
        (
            "alpha_vantage",
            "/query",
            {"function": "TIME_SERIES_INTRADAY", "symbol": "IBM", "interval": "15min"},
        ),
        ("alpha_vantage", "/query", {"function": "GLOBAL_QUOTE", "symbol": "IBM"}),
        (
            "alpha_vantage",
            "/query",
            {"function": "FX_DAILY", "from_symbol": "JPY", "to_symbol": "USD"},
        ),
        (
            "alpha_vantage",
            "/query",
            {"function": "CURRENCY_EXCHANGE_RATE", "from_currency": "KRW", "to_currency": "USD"},
        ),
        ("exchange_rate", "/v6/latest/USD", {}),
        ("exchange_rate", "/v6/pair/GBP/JPY", {}),
    ]


CASES = list(range(len(lines(NOW))))
NAMES = [f"{source}:{path}:{'-'.join(params.values())}" for source, path, params in lines(NOW)]


def healthy(seed, source, line, now):
    ask = Ask(HOST[source], line.path, line.params)
    asked = UPSTREAMS[source].question(ask, now)
    return (
        asked
        if isinstance(asked, Answer)
        else UPSTREAMS[source].render(ask, asked, Market(seed), now)
    )


def judged(source, answer, line):
    return PROVIDERS[source].classify(Response(answer.status, answer.headers, answer.body), line)


def assert_same(found, truth):
    assert isinstance(found, Reading), found
    assert (found.instrument, found.interval, found.as_of) == (
        truth.instrument,
        truth.interval,
        truth.as_of,
    )
    assert [(p.at, p.field) for p in found.points] == [(p.at, p.field) for p in truth.points]
    for one, other in zip(found.points, truth.points, strict=True):
        assert math.isclose(one.value, other.value, rel_tol=1e-4), (one, other)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@given(
    seed=st.integers(0, 99),
    now=st.integers(1_609_459_200, 2_051_222_400).map(moment),  # 2021 to 2034
)
@settings(max_examples=4, deadline=None)
def test_a_healthy_body_is_ok_and_reads_as_the_truth(case, seed, now):
    source, path, params = lines(now)[case]
    line = RequestLine(path, params)
    answer = healthy(seed, source, line, now)
    verdict = judged(source, answer, line)
    assert verdict.is_ok, verdict
    assert_same(PROVIDERS[source].read(answer.body, line), Truth(seed).reading(source, line, now))


@pytest.mark.parametrize(
    "now",
    [
        datetime(2025, 11, 2, 6, 31, tzinfo=UTC),  # the hour that New York's clocks show twice
        datetime(2026, 3, 8, 7, 1, tzinfo=UTC),  # the hour after the one they skip
        datetime(2026, 1, 1, 0, 0, tzinfo=UTC),  # a year begins
        datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
    ],
)
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_odd_moments_of_the_calendar_read_as_the_truth(case, now):
    source, path, params = lines(now)[case]
    line = RequestLine(path, params)
    answer = healthy(5, source, line, now)
    assert judged(source, answer, line).is_ok
    assert_same(PROVIDERS[source].read(answer.body, line), Truth(5).reading(source, line, now))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_value_of_each_point_at_the_moment_of_the_reading_is_its_own(case):
    source, path, params = lines(NOW)[case]
    line, truth = RequestLine(path, params), Truth(3)
    for point in truth.reading(source, line, NOW).points[-12:]:
        assert truth.value_at(source, line, point.at, point.field, NOW) == point.value


def test_a_live_bar_had_another_value_earlier_and_none_before_it_began():
    source, path, params = lines(NOW)[0]
    line, truth = RequestLine(path, params), Truth(3)
    midnight = datetime(2026, 1, 5, tzinfo=UTC)
    values = [
        truth.value_at(source, line, midnight, "close", midnight + timedelta(hours=hours))
        for hours in (1, 9)
    ]
    assert values[0] != values[1]
    assert values[1] == Market(3).price("AAPL", midnight + timedelta(hours=9))
    assert truth.value_at(source, line, midnight, "close", midnight - timedelta(hours=1)) is None
    assert truth.value_at(source, line, midnight, "gamma", NOW) is None


@pytest.mark.parametrize(
    ("source", "path", "params", "failure_class"),
    [
        ("yahoo", "/v8/finance/chart/NONEXIST", {}, "not_found"),
        ("yahoo", "/v8/finance/chart/AAPL", {"interval": "7m"}, "bad_request"),
        ("yahoo", "/v8/finance/chart/AAPL", {"interval": "5m", "range": "1y"}, "bad_request"),
        ("yahoo", "/v8/finance/chart/AAPL", {"range": "9d"}, "bad_request"),
        ("yahoo", "/v7/finance/quote", {"symbols": "NONEXIST"}, "empty"),
        ("yahoo", "/v7/finance/download/NONEXIST", {}, "not_found"),
        ("fred", "/fred/series/observations", {"series_id": "NONEXIST"}, "not_found"),
        ("fred", "/fred/series/observations", {}, "bad_request"),
        ("fred", "/fred/series/observations", {"series_id": "A", "limit": "0"}, "bad_request"),
        ("polygon", "/v2/aggs/ticker/NONEXIST/prev", {}, "not_found"),
        ("polygon", "/v2/aggs/ticker/AAPL/range/1/day/x/y", {}, "bad_request"),
        ("polygon", "/v2/last/trade/NONEXIST", {}, "not_found"),
        ("alpha_vantage", "/query", {"function": "TIME_SERIES_DAILY", "symbol": "ZZZ"}, None),
        ("alpha_vantage", "/query", {"function": "NO_SUCH"}, None),
        ("alpha_vantage", "/query", {"function": "FX_INTRADAY"}, "plan_limit"),
        ("exchange_rate", "/v6/latest/XXX", {}, "not_found"),
        ("exchange_rate", "/v6/nonsense", {}, "bad_request"),
        ("exchange_rate", "/v6/history/USD/2024/1/1", {}, "plan_limit"),
    ],
)
def test_a_question_without_an_answer_gets_the_real_refusal_and_has_no_truth(
    source, path, params, failure_class
):
    if source == "fred":
        params = {**params, "file_type": "json"}
    line = RequestLine(path, params)
    verdict = judged(source, healthy(1, source, line, NOW), line)
    # Alpha Vantage says the same about a bad call and an unknown symbol.
    expected = {failure_class} if failure_class else {"bad_request", "not_found"}
    assert verdict.failure_class in expected, verdict
    assert Truth(1).reading(source, line, NOW) is None


def test_a_digest_tells_seeds_and_days_apart_and_nothing_else():
    asked = [(source, RequestLine(path, params)) for source, path, params in lines(NOW)]
    first = digest(1, NOW, 30, asked)
    assert first == digest(1, NOW, 30, asked)
    assert len({first, digest(2, NOW, 30, asked), digest(1, NOW, 31, asked)}) == 3


def with_key(source, path, params):
    secret = default_keys().get((source, "primary"))
    if source == "exchange_rate":
        return Request(path.replace("/v6/", f"/v6/{secret}/", 1), params, {})
    name = {"fred": "api_key", "polygon": "apiKey", "alpha_vantage": "apikey"}.get(source)
    return Request(path, {**params, name: secret} if name else params, {})


def faulty(source, path, params, kind, **more):
    """The outcomes of one question under a fault, two in a row: both variants of a form."""
    fault = Fault(0, 0.0, 1e6, Match(), kind, **more)
    simulation = Simulation(3, NOW, (fault,), monotonic=lambda: 0.0)
    simulation.start()
    request = with_key(source, path, params)
    return [simulation.answer(source, HOST[source], request) for _ in range(2)]


SPOKEN = [
    kind
    for kind in FaultKind
    if kind not in (FaultKind.SLOW, FaultKind.STALE_DATA, FaultKind.FROZEN_VALUE)
]


@pytest.mark.parametrize("kind", SPOKEN)
def test_no_fault_s_body_is_ever_called_ok(kind):
    for source, path, params in lines(NOW):
        line = RequestLine(path, params)
        for outcome in faulty(source, path, params, kind):
            if outcome.delivery is Delivery.SEND:
                verdict = judged(source, outcome.answer, line)
                # New names in a known envelope are noticed only where the numbers are read.
                passes = verdict.is_ok and kind is not FaultKind.WRONG_SCHEMA
                assert not passes, (source, path, outcome.answer.body[:200])
                assert not isinstance(PROVIDERS[source].read(outcome.answer.body, line), Reading), (
                    source,
                    path,
                )
            else:
                assert outcome.delivery is not Delivery.DRIP or kind is FaultKind.SLOW_DRIP


EXPECTED = {
    FaultKind.SERVER_ERROR: {"server_error"},
    FaultKind.RATE_LIMIT: {"rate_limit"},
    FaultKind.AUTH_ERROR: {"auth_error"},
    FaultKind.PLAN_LIMIT: {"plan_limit"},
    FaultKind.BOT_BLOCK: {"bot_block", "rate_limit"},
    FaultKind.NOT_FOUND: {"not_found"},
    FaultKind.BAD_REQUEST: {"bad_request"},
    FaultKind.INVALID_DATA: {"invalid_data", "server_error"},  # a proxy's text may be either
    FaultKind.EMPTY: {"empty"},
    FaultKind.HTML_PAGE: {"invalid_data", "server_error"},
    FaultKind.GARBAGE: {"invalid_data"},
    FaultKind.QUOTA_EXHAUSTED: {"quota_exhausted"},
}
# Where a provider has no form of its own for a class, it says the nearest thing.
NEAREST = {
    ("yahoo", FaultKind.QUOTA_EXHAUSTED): {"rate_limit"},
    ("fred", FaultKind.QUOTA_EXHAUSTED): {"rate_limit"},
    ("polygon", FaultKind.QUOTA_EXHAUSTED): {"rate_limit"},
    ("exchange_rate", FaultKind.RATE_LIMIT): {"quota_exhausted", "rate_limit"},
    ("yahoo", FaultKind.PLAN_LIMIT): {"plan_limit", "auth_error", "bot_block"},
    ("yahoo", FaultKind.NOT_FOUND): {"not_found", "empty"},
    ("alpha_vantage", FaultKind.NOT_FOUND): {"not_found", "bad_request", "empty"},
    ("alpha_vantage", FaultKind.BAD_REQUEST): {"not_found", "bad_request"},
    ("fred", FaultKind.PLAN_LIMIT): {"plan_limit", "auth_error", "bot_block"},
    ("exchange_rate", FaultKind.EMPTY): {"empty", "not_found"},
}


@pytest.mark.parametrize("kind", EXPECTED)
@pytest.mark.parametrize("source", HOST)
def test_a_fault_looks_like_the_class_it_is_named_after(source, kind):
    expected = NEAREST.get((source, kind), EXPECTED[kind])
    for asked, path, params in lines(NOW):
        if asked != source:
            continue
        for outcome in faulty(source, path, params, kind):
            verdict = judged(source, outcome.answer, RequestLine(path, params))
            assert verdict.failure_class in {FailureClass(each) for each in expected}, (
                path,
                verdict,
                outcome.answer.body[:200],
            )


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_stale_data_is_true_of_its_time_and_says_so(case):
    source, path, params = lines(NOW)[case]
    line = RequestLine(path, params)
    outcome = faulty(source, path, params, FaultKind.STALE_DATA)[0]
    found = PROVIDERS[source].read(outcome.answer.body, line)
    if not isinstance(found, Reading):
        # A window of absolute dates may not reach as far back as the data is late.
        assert question_of(source, line, NOW - timedelta(days=5)) is not None
        return
    assert found.as_of < Truth(3).reading(source, line, NOW).as_of
    then = [NOW - timedelta(hours=3)] + [NOW - timedelta(days=d) for d in (5, 30, 100, 250)]
    readings = [Truth(3).reading(source, line, at) for at in then]
    assert found in readings


def test_a_frozen_value_has_old_numbers_under_fresh_timestamps():
    source, path, params = lines(NOW)[0]
    line = RequestLine(path, params)
    frozen = faulty(source, path, params, FaultKind.FROZEN_VALUE, age_s=86_400.0)[0]
    found = PROVIDERS[source].read(frozen.answer.body, line)
    truth = Truth(3).reading(source, line, NOW)
    assert found.as_of == truth.as_of
    assert [(p.at, p.field) for p in found.points] == [(p.at, p.field) for p in truth.points]
    closes = {p.at: p.value for p in found.points if p.field == "close"}
    assert closes[max(closes)] == Market(3).price("AAPL", NOW - timedelta(days=1))
    older = [p for p in found.points if p.at.date() < date(2026, 1, 4)]
    assert older == [p for p in truth.points if p.at.date() < date(2026, 1, 4)]


def test_a_client_s_stated_wait_is_sent_only_where_the_scenario_says_so():
    source, path, params = lines(NOW)[0]
    plain = faulty(source, path, params, FaultKind.RATE_LIMIT)[0].answer.headers
    told = faulty(source, path, params, FaultKind.RATE_LIMIT, retry_after_s=7)[0].answer.headers
    assert "retry-after" not in plain
    assert told["retry-after"] == "7"


def test_two_hosts_of_one_source_say_the_same():
    simulation = Simulation(3, NOW, monotonic=lambda: 0.0)
    request = Request("/v8/finance/chart/AAPL", {"range": "5d"}, {})
    bodies = [
        simulation.answer("yahoo", host, request).answer.body for host in ("query1", "query2")
    ]
    assert bodies[0] == bodies[1]
    assert json.loads(bodies[0])["chart"]["error"] is None
