"""Worked examples: what each provider writes, and the one thing it means."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from provider_bodies import AGGREGATES, CHART, DAILY, QUOTE, SERIES, TABLE, render_polygon

from healing_pipeline.probing.reading import Point, Reading, Unreadable
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.alpha_vantage import reading as alpha_vantage
from healing_pipeline.providers.exchange_rate import reading as exchange_rate
from healing_pipeline.providers.fred import reading as fred
from healing_pipeline.providers.polygon import reading as polygon
from healing_pipeline.providers.yahoo import reading as yahoo


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def stamp(*parts: int) -> int:
    return int(utc(*parts).timestamp())


def chart(stamps, closes, *, symbol="AAPL", interval="1d", zone="America/New_York", **more):
    meta = {"symbol": symbol, "dataGranularity": interval, "exchangeTimezoneName": zone}
    quote = {"close": closes, **more.pop("quote", {})}
    result = {"meta": meta | more, "timestamp": stamps, "indicators": {"quote": [quote]}}
    line = RequestLine(f"/v8/finance/chart/{symbol}")
    return yahoo.read(json.dumps({"chart": {"result": [result], "error": None}}).encode(), line)


def closes(found: Reading | Unreadable) -> dict[datetime, float]:
    assert isinstance(found, Reading), found
    return {each.at: each.value for each in found.points if each.field == "close"}


def as_json(read, body: object, line: RequestLine) -> Reading | Unreadable:
    return read(json.dumps(body).encode(), line)


class TestYahoo:
    def test_a_summer_day_stays_that_day_when_asked_in_winter(self):
        # A bar of midnight in London's summer is 23:00 UTC of the day before, and `gmtoffset`
        # in January is 0: only the zone's name tells that it is 2 July.
        found = chart(
            [stamp(2024, 7, 1, 23)], [1.08], symbol="EURUSD=X", zone="Europe/London", gmtoffset=0
        )
        assert closes(found) == {utc(2024, 7, 2): 1.08}

    def test_an_unknown_zone_is_replaced_by_the_offset(self):
        found = chart([stamp(2024, 7, 1, 23)], [1.08], zone="Nowhere/Land", gmtoffset=3600)
        assert closes(found) == {utc(2024, 7, 2): 1.08}

    def test_the_time_of_the_last_trade_counts_only_for_the_newest_bar(self):
        # With an old window Yahoo still states today's last trade: the bars are no fresher for it.
        old = chart([stamp(2020, 1, 2, 14, 30)], [75.0], regularMarketTime=stamp(2024, 1, 5, 21))
        assert old.as_of == utc(2020, 1, 2)
        today = chart([stamp(2024, 1, 5, 14, 30)], [75.0], regularMarketTime=stamp(2024, 1, 5, 21))
        assert today.as_of == utc(2024, 1, 5, 21)

    def test_null_rows_are_left_out(self):
        found = chart([stamp(2024, 1, d, 14, 30) for d in (4, 5)], [75.0, None])
        assert closes(found) == {utc(2024, 1, 4): 75.0}
        assert found.as_of == utc(2024, 1, 4)

    def test_the_row_of_the_running_session_replaces_todays_row(self):
        found = chart([stamp(2024, 1, 5, 14, 30), stamp(2024, 1, 5, 17, 3)], [75.0, 76.0])
        assert closes(found) == {utc(2024, 1, 5): 76.0}

    def test_the_row_of_the_running_session_joins_its_week(self):
        # Monday 1 January's bar, then Friday's live row.
        found = chart(
            [stamp(2024, 1, 1, 5), stamp(2024, 1, 5, 17, 3)],
            [75.0, 76.0],
            interval="1wk",
            quote={"open": [70, 74], "high": [79, 77], "low": [69, 68], "volume": [900, 50]},
        )
        assert (found.interval, {each.at for each in found.points}) == ("1w", {utc(2024, 1, 1)})
        assert {each.field: each.value for each in found.points} == {
            "open": 70, "high": 79, "low": 68, "close": 76, "volume": 950,
        }  # fmt: skip

    def test_a_time_in_milliseconds_is_left_out_and_never_believed(self):
        good = stamp(2024, 1, 5, 14, 30)
        assert closes(chart([good * 1000, good], [1.0, 2.0])) == {utc(2024, 1, 5): 2.0}
        assert isinstance(chart([good * 1000], [1.0]), Unreadable)

    @pytest.mark.parametrize("close", [0.0, -1.0, "1.0", True, [], float("inf"), float("nan")])
    def test_a_close_that_cannot_be_makes_the_whole_body_unreadable(self, close):
        stamps = [stamp(2024, 1, d, 14, 30) for d in (4, 5)]
        found = chart(stamps, [75.0, close])
        assert isinstance(found, Unreadable)
        assert "close at 2024-01-05" in found.evidence

    def test_oil_may_trade_below_zero(self):
        found = chart([stamp(2020, 4, 20, 4)], [-37.63], symbol="CL=F")
        assert closes(found) == {utc(2020, 4, 20): -37.63}

    @pytest.mark.parametrize(
        ("stamps", "values"), [([1704465000], [1.0, 2.0]), ([1704465000, 1704551400], [1.0])]
    )
    def test_columns_of_another_length_than_the_times_are_refused(self, stamps, values):
        assert "timestamps" in chart(stamps, values).evidence

    def test_two_different_closes_of_one_moment_are_refused(self):
        at = stamp(2024, 1, 5, 14, 30)
        found = chart([at, at], [1.0, 2.0], interval="5m")
        assert "two values for close" in found.evidence

    def test_numbers_of_another_instrument_are_refused(self):
        body = b'{"chart":{"error":null,"result":[{"meta":{"symbol":"MSFT"}}]}}'
        assert yahoo.read(body, CHART) == Unreadable("the body speaks of 'MSFT', asked was 'AAPL'")

    def test_several_quotes_are_told_apart_by_their_fields(self):
        rows = [
            {"symbol": name, "regularMarketPrice": price, "regularMarketTime": 1704488400}
            for name, price in [("MSFT", 370.0), ("JPY=X", 144.6), ("GONE", None)]
        ]
        line = RequestLine("/v7/finance/quote", {"symbols": "MSFT,JPY=X,GONE"})
        body = {"quoteResponse": {"error": None, "result": rows}}
        found = as_json(yahoo.read, body, line)
        at = utc(2024, 1, 5, 21)
        points = (Point(at, "MSFT.price", 370.0), Point(at, "USDJPY=X.price", 144.6))
        assert found == Reading("MSFT,USDJPY=X", "now", points, at)

    def test_an_unknown_symbols_empty_list_is_unreadable(self):
        body = {"quoteResponse": {"error": None, "result": []}}
        assert as_json(yahoo.read, body, QUOTE) == Unreadable("quoteResponse.result is empty")

    def test_a_download_is_read_without_its_null_rows(self):
        line = RequestLine("/v7/finance/download/^RUT", {"interval": "1d"})
        head = b"Date,Open,High,Low,Close,Adj Close,Volume\n"
        rows = b"2024-01-04,null,null,null,null,null,null\n2024-01-05,1,3,1,2,1.9,10\n"
        found = yahoo.read(head + rows, line)
        assert (found.instrument, closes(found)) == ("^RUT", {utc(2024, 1, 5): 2.0})
        assert "line 3 has 5 of 7" in yahoo.read(head + rows[:-9], line).evidence


class TestFred:
    @pytest.mark.parametrize(
        ("step_days", "interval"),
        [(1, "1d"), (7, "1w"), (14, "2w"), (30, "1mo"), (91, "3mo"), (182, "6mo"), (365, "1y")],
    )
    def test_the_spacing_of_the_dates_tells_the_interval(self, step_days, interval):
        days = [date(2000, 1, 1) + timedelta(days=step_days * n) for n in range(6)]
        rows = [{"date": day.isoformat(), "value": "1.5"} for day in days]
        assert as_json(fred.read, {"observations": rows}, SERIES).interval == interval

    def test_the_frequency_asked_for_goes_before_the_spacing(self):
        rows = [{"date": "2024-01-01", "value": "-1.5"}]
        line = RequestLine(SERIES.path, {"series_id": "gdp", "frequency": "q"})
        found = as_json(fred.read, {"observations": rows}, line)
        assert found == Reading(
            "GDP", "3mo", (Point(utc(2024, 1, 1), "value", -1.5),), utc(2024, 1, 1)
        )

    def test_the_newest_vintage_of_a_date_counts(self):
        rows = [
            {"date": "2024-01-01", "realtime_start": day, "value": value}
            for day, value in [("2024-03-01", "2"), ("2024-04-01", "3"), ("2024-02-01", "1")]
        ]
        found = as_json(fred.read, {"observations": rows}, SERIES)
        assert [each.value for each in found.points] == [3.0]

    @pytest.mark.parametrize("value", ["", "nan", "1,5", "1_0", "#N/A", None, "inf"])
    def test_a_value_that_is_no_number_is_refused(self, value):
        rows = [{"date": "2024-01-01", "value": "1"}, {"date": "2024-01-02", "value": value}]
        assert "2024-01-02" in as_json(fred.read, {"observations": rows}, SERIES).evidence

    def test_xml_is_unreadable(self):
        assert "not JSON" in fred.read(b"<?xml version='1.0'?><observations/>", SERIES).evidence


class TestPolygon:
    def bars(self, path: str, *stamps: datetime, ticker: str = "AAPL", **more) -> Reading:
        rows = [{"t": int(at.timestamp()) * 1000, "c": 1.5, "v": 1.2e8} for at in stamps]
        line = RequestLine(f"/v2/aggs/ticker/{ticker}/{path}")
        return as_json(polygon.read, {"ticker": ticker, "results": rows, **more}, line)

    def test_the_previous_bar_is_stamped_with_the_close_and_is_that_days(self):
        found = self.bars("prev", utc(2024, 1, 5, 21))
        assert (found.interval, closes(found)) == ("1d", {utc(2024, 1, 5): 1.5})

    def test_days_of_coins_and_currencies_begin_at_midnight_utc(self):
        for ticker, name in [("X:BTCUSD", "BTC-USD"), ("C:EURUSD", "EURUSD=X")]:
            found = self.bars("range/1/day/2024-01-05/2024-01-05", utc(2024, 1, 5), ticker=ticker)
            assert (found.instrument, closes(found)) == (name, {utc(2024, 1, 5): 1.5})

    def test_a_week_from_sunday_is_the_week_of_the_monday_after(self):
        found = self.bars("range/1/week/2024-01-01/2024-01-31", utc(2024, 1, 7, 5))
        assert (found.interval, closes(found)) == ("1w", {utc(2024, 1, 8): 1.5})

    def test_a_class_of_shares_goes_by_one_name(self):
        assert self.bars("prev", utc(2024, 1, 5, 21), ticker="BRK.B").instrument == "BRK-B"

    @pytest.mark.parametrize("status", ["ERROR", "NOT_AUTHORIZED", 7, None])
    def test_a_status_that_is_not_good_is_refused(self, status):
        assert "status" in self.bars("prev", utc(2024, 1, 5, 21), status=status).evidence

    def test_seconds_in_place_of_milliseconds_are_not_believed(self):
        body = {"ticker": "AAPL", "results": [{"t": stamp(2024, 1, 5), "c": 1.5}]}
        assert isinstance(as_json(polygon.read, body, AGGREGATES), Unreadable)

    def test_numbers_of_another_instrument_are_refused(self):
        line = RequestLine("/v2/aggs/ticker/MSFT/prev")
        assert (
            "'AAPL'" in polygon.read(render_polygon({utc(2024, 1, 5): {"close": 1}}), line).evidence
        )


class TestAlphaVantage:
    def series(self, name: str, meta: dict, rows: dict, params: dict | None = None):
        meta = {f"{n}. {key}": said for n, (key, said) in enumerate(meta.items(), start=1)}
        body = {"Meta Data": {"1. Information": "Information", **meta}, name: rows}
        return as_json(alpha_vantage.read, body, RequestLine("/query", params or {}))

    def test_a_week_dated_by_its_friday_is_the_week_of_its_monday(self):
        meta = {"Symbol": "IBM", "Last Refreshed": "2024-01-05", "Time Zone": "US/Eastern"}
        found = self.series("Weekly Time Series", meta, {"2024-01-05": {"4. close": "160.1"}})
        assert (found.interval, closes(found)) == ("1w", {utc(2024, 1, 1): 160.1})
        assert found.as_of == utc(2024, 1, 5)

    def test_times_are_in_the_zone_it_names_winter_and_summer(self):
        meta = {"Symbol": "IBM", "Interval": "60min", "Time Zone": "US/Eastern"}
        rows = {f"2024-{m}-05 10:00:00": {"4. close": "1"} for m in ("01", "07")}
        found = self.series("Time Series (60min)", meta, rows)
        assert (found.interval, set(closes(found))) == (
            "1h", {utc(2024, 1, 5, 15), utc(2024, 7, 5, 14)},
        )  # fmt: skip

    def test_a_coin_is_read_in_its_markets_currency(self):
        meta = {"Digital Currency Code": "BTC", "Market Code": "CNY", "Time Zone": "UTC"}
        row = {"4a. close (CNY)": "325812.4", "4b. close (USD)": "50151.2", "5. volume": "None"}
        found = self.series("Time Series (Digital Currency Daily)", meta, {"2021-04-25": row})
        assert found.instrument == "BTC-CNY"
        assert found.points == (Point(utc(2021, 4, 25), "close", 325812.4),)

    def test_a_currency_pair_goes_by_yahoos_name(self):
        meta = {"From Symbol": "EUR", "To Symbol": "USD", "Time Zone": "UTC"}
        row = {"2021-04-25": {"4. close": "1.2"}}
        asked = {"from_symbol": "EUR", "to_symbol": "USD"}
        assert self.series("Time Series FX (Daily)", meta, row, asked).instrument == "EURUSD=X"
        asked = {"from_symbol": "EUR", "to_symbol": "GBP"}
        assert "asked was" in self.series("Time Series FX (Daily)", meta, row, asked).evidence

    def test_an_exchange_rate_is_a_table_of_one(self):
        rate = {
            "1. From_Currency Code": "USD", "3. To_Currency Code": "JPY",
            "5. Exchange Rate": "144.62", "6. Last Refreshed": "2024-01-05 21:58:03",
            "7. Time Zone": "UTC",
        }  # fmt: skip
        body = {"Realtime Currency Exchange Rate": rate}
        at = utc(2024, 1, 5, 21, 58, 3)
        found = as_json(alpha_vantage.read, body, RequestLine("/query"))
        assert found == Reading("USD", "now", (Point(at, "JPY", 144.62),), at)

    def test_its_notices_are_unreadable(self):
        found = as_json(alpha_vantage.read, {"Information": "Thank you for using ..."}, DAILY)
        assert isinstance(found, Unreadable)


class TestExchangeRate:
    def test_a_pair_is_a_table_of_one(self):
        body = {
            "result": "success", "time_last_update_unix": stamp(2025, 9, 10),
            "base_code": "USD", "target_code": "CNY", "conversion_rate": 7.1241,
        }  # fmt: skip
        at = utc(2025, 9, 10)
        wanted = Reading("USD", "now", (Point(at, "CNY", 7.1241),), at)
        assert as_json(exchange_rate.read, body, RequestLine("/v6/pair/USD/CNY")) == wanted
        swapped = as_json(exchange_rate.read, body, RequestLine("/v6/pair/CNY/USD"))
        assert "asked was 'CNY'" in swapped.evidence

    def test_rates_of_an_amount_are_divided_by_it(self):
        body = {"amount": 50, "base": "EUR", "date": "2025-12-17", "rates": {"USD": 58.5}}
        found = as_json(exchange_rate.read, body, RequestLine("/v1/latest"))
        assert found.points == (Point(utc(2025, 12, 17), "USD", 1.17),)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"result": "error"}, "result"),
            ({"rates": {}}, "no row"),
            ({"rates": {"USD": 1.5}}, "one USD is 1.5 USD"),
            ({"rates": {"EUR": 0}}, "more than 0"),
            ({"rates": {"2025-01-01": {"EUR": 0.9}}}, "currency code"),
            ({"amount": 0}, "amount"),
            ({"base": "EUR"}, "asked was 'USD'"),
            ({"date": "0001-01-01"}, "date"),
            ({"timestamp": 10**13}, "timestamp"),
        ],
    )
    def test_a_table_that_cannot_be_is_refused(self, change, said):
        body = {"base": "USD", "date": "2025-12-17", "rates": {"EUR": 0.9}}
        assert isinstance(as_json(exchange_rate.read, body, TABLE), Reading)
        assert said in as_json(exchange_rate.read, body | change, TABLE).evidence
