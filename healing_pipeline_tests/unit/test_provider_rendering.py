"""A body written from a reading says that reading, in a form the provider's own rules call good."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import RequestLine, Response
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.providers.renderings import line_of
from healing_pipeline.simulator.truth import Truth

NOW = datetime(2026, 3, 2, 15, 4, 5, 678_000, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
QUERY, OBSERVATIONS = "/query", "/fred/series/observations"
CHART, QUOTE = "/v8/finance/chart/{}", "/v7/finance/quote"
BARS = "/v2/aggs/ticker/{}/range/{}/{{today-90d}}/{{today}}"
FIELDS = ("open", "high", "low", "close", "volume")
TRUTH = Truth(7)


@dataclass(frozen=True)
class Asked:
    """A question, and how a provider names what is asked for."""

    provider: str
    path: str
    params: dict[str, str]

    @property
    def line(self) -> RequestLine:
        return line_of(self.path, self.params, NOW)

    def rendered(self, reading: Reading) -> bytes | None:
        return PROVIDERS[self.provider].rendered(reading, self.path, self.params, NOW)

    def read_back(self, reading: Reading) -> Reading:
        """What the rendering says, once the provider's own rules have called it good."""
        body = self.rendered(reading)
        assert body is not None
        verdict, found = PROVIDERS[self.provider].examine(Response(200, {}, body), self.line)
        assert verdict.is_ok, verdict
        assert found is not None
        assert found.as_of <= reading.as_of
        return found


def chart(symbol: str, interval: str, **params: str) -> Asked:
    return Asked("yahoo", CHART.format(symbol), {"interval": interval, **params})


def quote(*symbols: str) -> Asked:
    return Asked("yahoo", QUOTE, {"symbols": ",".join(symbols)})


def series(name: str = "DGS10", **params: str) -> Asked:
    return Asked("fred", OBSERVATIONS, {"series_id": name, "file_type": "json", **params})


def bars_of(ticker: str, every: str, **params: str) -> Asked:
    return Asked("polygon", BARS.format(ticker, every), params)


def function(name: str, **params: str) -> Asked:
    return Asked("alpha_vantage", QUERY, {"function": name, **params})


def rates(path: str) -> Asked:
    return Asked("exchange_rate", f"/v6/{path}", {})


prices = st.floats(1e-6, 1e9, allow_subnormal=False)
row = st.fixed_dictionaries(
    {"close": prices},
    optional={
        "open": prices,
        "high": prices,
        "low": prices,
        "volume": st.one_of(st.integers(0, 10**15).map(float), st.floats(0, 1e12)),
    },
)
days = st.dates(date(1991, 1, 1), date(2026, 3, 2))


def reading_of(
    instrument: str, interval: str, rows: dict[datetime, dict[str, float]], late: timedelta
) -> Reading:
    points = tuple(
        sorted(Point(at, name, each[name]) for at, each in rows.items() for name in each)
    )
    return Reading(instrument, interval, points, points[-1].at + late)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), UTC)


# Up to a little more than a day: a statement past the newest bar must not make it look newer.
lateness = st.one_of(st.just(0), st.integers(0, 100_000_000)).map(
    lambda thousandths: timedelta(milliseconds=thousandths)
)


def dated(instrument: str, interval: str = "1d", begins=lambda day: day) -> st.SearchStrategy:
    rows = st.dictionaries(days.map(begins).map(midnight), row, min_size=1, max_size=6)
    return st.builds(reading_of, st.just(instrument), st.just(interval), rows, lateness)


@st.composite
def within_a_day(draw: st.DrawFn, instrument: str, minutes: int, name: str) -> Reading:
    """Bars from 4:00 to 20:00 in New York, so that no local time is there twice."""
    begin = datetime.combine(draw(days), time(4), NEW_YORK).astimezone(UTC)
    found = draw(st.dictionaries(st.integers(0, 960 // minutes - 1), row, min_size=1, max_size=6))
    rows = {begin + timedelta(minutes=minutes * n): each for n, each in found.items()}
    return reading_of(instrument, name, rows, draw(lateness))


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def first_of_month(day: date) -> date:
    return day.replace(day=1)


SERIES = [
    (chart("AAPL", "1d", range="3mo"), dated("AAPL")),
    (chart("brk-b", "1d"), dated("BRK-B")),
    (chart("^GSPC", "1d"), dated("^GSPC")),
    (chart("EURUSD=X", "1d"), dated("EURUSD=X")),
    (chart("JPY=X", "1d"), dated("USDJPY=X")),
    (chart("BTC-USD", "1d"), dated("BTC-USD")),
    (chart("CL=F", "1d"), dated("CL=F")),
    (chart("AAPL", "1wk"), dated("AAPL", "1w", monday)),
    (chart("AAPL", "1mo"), dated("AAPL", "1mo", first_of_month)),
    (chart("AAPL", "1m"), within_a_day("AAPL", 1, "1m")),
    (chart("AAPL", "5m"), within_a_day("AAPL", 5, "5m")),
    (chart("EURUSD=X", "15m"), within_a_day("EURUSD=X", 15, "15m")),
    (chart("AAPL", "60m"), within_a_day("AAPL", 60, "1h")),
    (chart("AAPL", "90m"), within_a_day("AAPL", 90, "90m")),
    (bars_of("AAPL", "1/day"), dated("AAPL")),
    (bars_of("BRK.B", "1/day", sort="desc"), dated("BRK-B")),
    (bars_of("C:EURUSD", "1/day"), dated("EURUSD=X")),
    (bars_of("X:BTCUSD", "1/day"), dated("BTC-USD")),
    (bars_of("AAPL", "1/week"), dated("AAPL", "1w", monday)),
    (bars_of("AAPL", "1/month"), dated("AAPL", "1mo", first_of_month)),
    (bars_of("AAPL", "5/minute"), within_a_day("AAPL", 5, "5m")),
    (bars_of("C:EURUSD", "1/hour"), within_a_day("EURUSD=X", 60, "1h")),
    (function("TIME_SERIES_DAILY", symbol="IBM"), dated("IBM")),
    (function("TIME_SERIES_DAILY", symbol="BRK.B", outputsize="full"), dated("BRK-B")),
    (
        function("TIME_SERIES_INTRADAY", symbol="IBM", interval="5min"),
        within_a_day("IBM", 5, "5m"),
    ),
    (
        function("TIME_SERIES_INTRADAY", symbol="IBM", interval="60min"),
        within_a_day("IBM", 60, "1h"),
    ),
]


def kind_of(asked: Asked) -> str:
    every = asked.params.get("interval", asked.path)
    return f"{asked.provider}-{'intraday' if re.search(r'm(in)?(ute/|$)|hour', every) else 'dated'}"


KINDS = sorted({kind_of(asked) for asked, _ in SERIES})


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_rendered_series_reads_as_the_same_numbers(kind, data):
    cases = [each for each in SERIES if kind_of(each[0]) == kind]
    asked, readings = data.draw(st.sampled_from(cases))
    reading = data.draw(readings)
    found = asked.read_back(reading)
    assert replace(found, as_of=reading.as_of) == reading


@given(reading=dated("AAPL"), moment=st.integers(0, 86_399))
def test_a_chart_keeps_the_time_of_the_last_trade_to_the_second(reading, moment):
    newest = datetime.combine(reading.points[-1].at.date(), time(0), NEW_YORK)
    traded = newest.astimezone(UTC) + timedelta(seconds=min(moment, 82_000), milliseconds=900)
    said = replace(reading, as_of=traded)
    assert chart("AAPL", "1d").read_back(said).as_of == traded.replace(microsecond=0)
    said = replace(said, instrument="IBM")
    asked = function("TIME_SERIES_DAILY", symbol="IBM")
    assert asked.read_back(said).as_of == traded.replace(microsecond=0)


def test_the_rates_of_fx_daily_have_no_volume():
    prices_of_day = {"open": 1.08, "high": 1.09, "low": 1.07, "close": 1.085}
    at = midnight(date(2026, 3, 2))
    reading = reading_of("EURUSD=X", "1d", {at: {**prices_of_day, "volume": 0.0}}, timedelta(0))
    found = function("FX_DAILY", from_symbol="EUR", to_symbol="usd").read_back(reading)
    assert found == reading_of("EURUSD=X", "1d", {at: prices_of_day}, timedelta(0))


steps = st.sampled_from([("1d", 1), ("1w", 7)])


@given(
    step=steps,
    begin=days,
    values=st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=30),
    order=st.sampled_from(["asc", "desc"]),
)
def test_rendered_observations_read_as_the_same_numbers(step, begin, values, order):
    interval, apart = step
    points = tuple(
        Point(midnight(begin + timedelta(days=apart * n)), "value", value)
        for n, value in enumerate(values)
    )
    reading = Reading("DGS10", interval, points, points[-1].at)
    asked = series(sort_order=order, limit="100")
    assert asked.read_back(reading) == reading
    body = json.loads(asked.rendered(reading) or b"")
    listed = [each["date"] for each in body["observations"]]
    assert listed == sorted(listed, reverse=order == "desc")
    assert (body["count"], body["limit"], body["sort_order"]) == (len(values), 100, order)


moments = st.datetimes(datetime(2000, 1, 1), datetime(2026, 3, 2)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=UTC)
)
symbols = st.sampled_from(["AAPL", "MSFT", "EURUSD=X", "BTC-USD", "7203.T", "^N225"])


@given(found=st.dictionaries(symbols, st.tuples(moments, prices), min_size=1))
def test_rendered_quotes_read_as_the_same_prices_to_the_second(found):
    several = len(found) > 1
    points = tuple(
        sorted(
            Point(at, f"{symbol}.price" if several else "price", price)
            for symbol, (at, price) in found.items()
        )
    )
    reading = Reading(",".join(sorted(found)), "now", points, points[-1].at)
    expected = tuple(sorted(replace(each, at=each.at.replace(microsecond=0)) for each in points))
    back = quote(*found).read_back(reading)
    assert back.points == expected
    assert back == replace(reading, points=expected, as_of=expected[-1].at)


def test_two_quotes_of_one_second_come_in_the_order_of_their_names():
    """Cutting off their fractions once left them in an order that no reading has."""
    later = NOW.replace(microsecond=1)
    points = Point(NOW.replace(microsecond=0), "MSFT.price", 2.0), Point(later, "AAPL.price", 1.0)
    found = quote("AAPL", "MSFT").read_back(Reading("AAPL,MSFT", "now", points, later))
    assert [each.field for each in found.points] == ["AAPL.price", "MSFT.price"]


@given(at=moments, price=prices)
def test_a_global_quote_is_dated_by_its_day_and_never_newer(at, price):
    reading = Reading("IBM", "now", (Point(at, "price", price),), at)
    found = function("GLOBAL_QUOTE", symbol="IBM").read_back(reading)
    assert found == Reading(
        "IBM", "now", (Point(midnight(at.date()), "price", price),), midnight(at.date())
    )
    assert function("GLOBAL_QUOTE", symbol="IBM").read_back(found) == found


codes = st.sampled_from(["USD", "EUR", "GBP", "JPY", "CHF"])


@given(at=moments, table=st.dictionaries(codes, prices, min_size=3))
def test_rendered_rates_read_as_the_same_rates(at, table):
    table["USD"] = 1.0
    at = at.replace(microsecond=0)
    points = tuple(sorted(Point(at, code, rate) for code, rate in table.items()))
    reading = Reading("USD", "now", points, at)
    assert rates("latest/USD").read_back(reading) == reading
    for code, rate in table.items():
        one = Reading("USD", "now", (Point(at, code, rate),), at)
        pair = function("CURRENCY_EXCHANGE_RATE", from_currency="usd", to_currency=code)
        for asked in (rates(f"pair/USD/{code}"), pair):
            assert asked.read_back(reading) == one
            assert asked.read_back(one) == one


@pytest.mark.parametrize("asked", [rates("pair/USD/EUR"), rates("latest/USD")])
def test_a_fraction_of_a_second_is_cut_off_and_never_rounded_up(asked):
    points = tuple(Point(NOW, code, 0.9) for code in ("EUR", "GBP"))
    found = asked.read_back(Reading("USD", "now", points, NOW))
    assert found.as_of == NOW.replace(microsecond=0)


def one_bar(instrument: str, day: date = date(2026, 2, 27)) -> Reading:
    bar = {"open": 1.5, "high": 2.0, "low": 1.0, "close": 1.75, "volume": 100.0}
    return reading_of(instrument, "1d", {midnight(day): bar}, timedelta(0))


def test_the_previous_days_bar_is_stamped_with_its_close():
    asked = Asked("polygon", "/v2/aggs/ticker/AAPL/prev", {"adjusted": "true"})
    assert asked.read_back(one_bar("AAPL")) == one_bar("AAPL")
    (row,) = json.loads(asked.rendered(one_bar("AAPL")) or b"")["results"]
    assert row["T"] == "AAPL"
    assert datetime.fromtimestamp(row["t"] / 1000, NEW_YORK).isoformat() == (
        "2026-02-27T16:00:00-05:00"
    )


TWO_DAYS = reading_of(
    "AAPL",
    "1d",
    {midnight(date(2026, 2, day)): {"close": 1.0} for day in (26, 27)},
    timedelta(0),
)
PRICE = Reading("AAPL", "now", (Point(NOW, "price", 1.0),), NOW)
NEWER = replace(one_bar("AAPL"), as_of=datetime(2000, 1, 1, tzinfo=UTC))
TWICE_AN_HOUR = reading_of(
    "IBM",
    "30m",
    {datetime(2025, 11, 2, hour, 30, tzinfo=UTC): {"close": 1.0 + hour} for hour in (5, 6)},
    timedelta(0),
)


@pytest.mark.parametrize(
    ("asked", "reading"),
    [
        # another instrument, another interval, other fields
        (chart("MSFT", "1d"), one_bar("AAPL")),
        (chart("AAPL", "5m"), one_bar("AAPL")),
        (chart("AAPL", "1wk"), one_bar("AAPL")),
        (chart("AAPL", "1d"), PRICE),
        (chart("AAPL", "1d"), replace(PRICE, interval="1d")),
        (quote("AAPL"), one_bar("AAPL")),
        (quote("MSFT"), PRICE),
        (series("AAPL"), one_bar("AAPL")),
        (series("DGS2"), replace(one_bar("DGS10"), points=(Point(NOW, "value", 1.0),))),
        (bars_of("MSFT", "1/day"), one_bar("AAPL")),
        (function("TIME_SERIES_DAILY", symbol="MSFT"), one_bar("AAPL")),
        (function("TIME_SERIES_INTRADAY", symbol="AAPL", interval="5min"), one_bar("AAPL")),
        (function("GLOBAL_QUOTE", symbol="AAPL"), one_bar("AAPL")),
        (rates("latest/EUR"), Reading("USD", "now", (Point(NOW, "EUR", 0.9),), NOW)),
        # an exchange whose time zone the symbol does not tell
        (chart("7203.T", "1d"), one_bar("7203.T")),
        (chart("^N225", "1d"), one_bar("^N225")),
        # a form that is not written here
        (Asked("yahoo", "/v7/finance/download/AAPL", {}), one_bar("AAPL")),
        (Asked("yahoo", QUOTE, {"symbols": "AAPL", "formatted": "true"}), PRICE),
        (Asked("polygon", "/v2/last/trade/AAPL", {}), PRICE),
        (function("TIME_SERIES_DAILY", symbol="AAPL", datatype="csv"), one_bar("AAPL")),
        # numbers that a reading does not have: raw prices, adjusted closes, today's as yesterday's
        (bars_of("AAPL", "1/day", adjusted="false"), one_bar("AAPL")),
        (function("TIME_SERIES_DAILY_ADJUSTED", symbol="AAPL"), one_bar("AAPL")),
        (function("TIME_SERIES_WEEKLY", symbol="AAPL"), one_bar("AAPL")),
        (Asked("polygon", "/v2/aggs/ticker/AAPL/prev", {}), one_bar("AAPL", NOW.date())),
        (Asked("polygon", "/v2/aggs/ticker/AAPL/prev", {}), TWO_DAYS),
        (rates("latest/USD"), Reading("USD", "now", (Point(NOW, "EUR", 0.9),), NOW)),
        (rates("pair/USD/EUR/5"), Reading("USD", "now", (Point(NOW, "EUR", 0.9),), NOW)),
        # what would look newer than it is
        (chart("AAPL", "1d"), NEWER),
        (bars_of("AAPL", "1/day"), NEWER),
        # two bars of the hour that the clock shows twice
        (function("TIME_SERIES_INTRADAY", symbol="IBM", interval="30min"), TWICE_AN_HOUR),
    ],
)
def test_what_cannot_be_said_in_this_form_is_not_said(asked, reading):
    assert asked.rendered(reading) is None


def test_a_single_monthly_observation_is_not_passed_off_as_a_days():
    point = Point(midnight(date(2026, 2, 1)), "value", 4.1)
    reading = Reading("GS10", "1mo", (point,), point.at)
    assert series("GS10").rendered(reading) is None
    assert series("GS10", frequency="m").read_back(reading) == reading


def test_no_number_is_made_up_where_a_reading_has_none():
    """A row without open is null at Yahoo and left out elsewhere, and nothing stands for it."""
    reading = reading_of("AAPL", "1d", {midnight(date(2026, 2, 27)): {"close": 1.75}}, timedelta(0))
    body = json.loads(chart("AAPL", "1d").rendered(reading) or b"")
    (result,) = body["chart"]["result"]
    (columns,) = result["indicators"]["quote"]
    assert columns == {name: [1.75 if name == "close" else None] for name in FIELDS}
    assert numbers_in(result["meta"]) == {
        1.75,  # the last close
        int(reading.as_of.timestamp()),
        -18_000,  # New York's offset now
    }
    (row,) = json.loads(bars_of("AAPL", "1/day").rendered(reading) or b"")["results"]
    assert row.keys() == {"c", "t"}
    daily = json.loads(function("TIME_SERIES_DAILY", symbol="AAPL").rendered(reading) or b"")
    assert daily["Time Series (Daily)"] == {"2026-02-27": {"4. close": "1.7500"}}


def numbers_in(value: object) -> set[float]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return set().union(*map(numbers_in, inner))
    return {value} if isinstance(value, int | float) else set()


@pytest.mark.parametrize(
    ("instead", "of"),
    [
        (chart("AAPL", "1d", range="3mo"), bars_of("AAPL", "1/day")),
        (bars_of("AAPL", "1/day", adjusted="true"), chart("AAPL", "1d", range="3mo")),
        (bars_of("AAPL", "5/minute"), chart("AAPL", "5m", range="1d")),
        (chart("AAPL", "5m"), bars_of("AAPL", "5/minute", limit="5000")),
        (function("TIME_SERIES_DAILY", symbol="IBM"), chart("IBM", "1d", range="6mo")),
        (
            function("FX_DAILY", from_symbol="EUR", to_symbol="USD"),
            chart("EURUSD=X", "1d", range="6mo"),
        ),
        (function("GLOBAL_QUOTE", symbol="IBM"), quote("IBM")),
        (
            function("CURRENCY_EXCHANGE_RATE", from_currency="USD", to_currency="EUR"),
            rates("latest/USD"),
        ),
        (
            rates("pair/GBP/USD"),
            function("CURRENCY_EXCHANGE_RATE", from_currency="GBP", to_currency="USD"),
        ),
    ],
    ids=lambda each: each.provider,
)
def test_a_client_of_one_provider_is_answered_with_the_numbers_of_another(instead, of):
    truth = TRUTH.reading(of.provider, of.line, NOW)
    assert truth is not None
    found = instead.read_back(truth)
    assert found.points
    if truth.interval == "now":
        assert {each.value for each in found.points} <= {each.value for each in truth.points}
    else:
        said = {(each.at, each.field): each.value for each in truth.points}
        assert {each.at for each in found.points} == {each.at for each in truth.points}
        assert all(said[each.at, each.field] == each.value for each in found.points)


def test_the_xml_of_fred_holds_what_its_json_holds():
    points = tuple(
        Point(midnight(date(2026, 2, day)), "value", value)
        for day, value in ((2, -0.25), (3, 4.0), (4, 27720.709))
    )
    reading = Reading("DGS10", "1d", points, points[-1].at)
    body = series(file_type="xml", sort_order="desc").rendered(reading)
    assert body is not None
    line = RequestLine(OBSERVATIONS, {"series_id": "DGS10"})
    assert PROVIDERS["fred"].classify(Response(200, {}, body), line).is_ok
    assert b'<observation date="2026-02-04" value="27720.709"/>' in body
    assert body.index(b"2026-02-04") < body.index(b"2026-02-02")
    assert series(file_type="xlsx").rendered(reading) is None


@given(
    instrument=st.sampled_from(["AAPL", "DGS10", "USD", "", "é\\n"]),
    interval=st.sampled_from(["1d", "5m", "1mo", "now", "soon"]),
    points=st.lists(
        st.builds(
            Point,
            moments,
            st.sampled_from(["close", "price", "AAPL.price", "value", "EUR", "x", ""]),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda each: (each.at, each.field),
    ),
    asked=st.sampled_from(
        [
            chart("AAPL", "1d"),
            chart("AAPL", "5m"),
            quote("AAPL"),
            quote("AAPL", "MSFT"),
            series(),
            bars_of("AAPL", "1/day"),
            function("TIME_SERIES_DAILY", symbol="AAPL"),
            function("GLOBAL_QUOTE", symbol="AAPL"),
            function("CURRENCY_EXCHANGE_RATE", from_currency="USD", to_currency="EUR"),
            rates("latest/USD"),
            rates("pair/USD/EUR"),
        ]
    ),
)
def test_any_reading_at_all_is_said_right_or_not_at_all(instrument, interval, points, asked):
    points = tuple(sorted(points))
    reading = Reading(instrument, interval, points, points[-1].at)
    if asked.rendered(reading) is None:
        return
    found = asked.read_back(reading)
    assert (found.instrument, found.interval) == (instrument, interval)
    assert numbers_of(found) <= numbers_of(reading)


def numbers_of(reading: Reading) -> set[tuple[str, float]]:
    """Fields and values; a symbol's price is its price beside other symbols and alone."""
    return {(each.field.removeprefix("AAPL."), each.value) for each in reading.points}
