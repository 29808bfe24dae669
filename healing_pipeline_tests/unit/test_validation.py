"""The last gate before a reader: data that is old, goes backwards or cannot be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.healing.validation import (
    BACKWARDS_TOLERANCE,
    FUTURE_TOLERANCE,
    IMPOSSIBLE_RATIO,
    SAME_SESSION,
    judge,
)
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
AGES = Endpoint(id="yahoo/x", source="yahoo", path="/x", max_age_s=900)
AGELESS = replace(AGES, max_age_s=None)


def quote(value=100.0, at=NOW, field="price", instrument="IBM", interval="now"):
    return Reading(instrument, interval, (Point(at, field, value),), at)


prices = st.floats(0.01, 10_000)


@given(value=prices, age_s=st.floats(0, 900))
def test_young_data_passes(value, age_s):
    assert judge(quote(value, NOW - timedelta(seconds=age_s)), AGES, None, NOW) is None


@given(age_s=st.floats(901, 1e8))
def test_data_older_than_the_endpoint_allows_is_stale_and_says_by_how_much(age_s):
    verdict = judge(quote(at=NOW - timedelta(seconds=age_s)), AGES, None, NOW)
    assert verdict.failure_class is FailureClass.STALE_DATA
    assert "900 s" in verdict.evidence


@given(age_s=st.floats(0, 1e8))
def test_where_the_providers_calendar_decides_no_age_is_too_old(age_s):
    assert judge(quote(at=NOW - timedelta(seconds=age_s)), AGELESS, None, NOW) is None


@pytest.mark.parametrize("field", ["close", "volume", "price", "AAPL.price", "EUR"])
def test_prices_and_rates_of_the_future_are_invalid_but_a_date_east_of_us_is_not(field):
    ahead = NOW + FUTURE_TOLERANCE
    assert judge(quote(at=ahead, field=field), AGES, None, NOW) is None
    verdict = judge(quote(at=ahead + timedelta(seconds=1), field=field), AGES, None, NOW)
    assert verdict.failure_class is FailureClass.INVALID_DATA
    assert "future" in verdict.evidence


def test_a_projection_among_economic_series_may_speak_of_years_to_come():
    years = quote(at=NOW + timedelta(days=900), field="value", instrument="GDPPOT")
    assert judge(years, AGELESS, None, NOW) is None


def test_data_that_goes_back_in_time_is_stale():
    last = quote(at=NOW - timedelta(minutes=1))
    back = last.as_of - BACKWARDS_TOLERANCE
    assert judge(quote(at=back), AGES, last, NOW) is None
    verdict = judge(quote(at=back - timedelta(seconds=1)), AGES, last, NOW)
    assert verdict.failure_class is FailureClass.STALE_DATA
    assert "served before" in verdict.evidence


@pytest.mark.parametrize("field", ["close", "price", "AAPL.price", "EUR"])
@given(old=prices, ratio=st.floats(1.01, 1e6))
def test_a_number_that_jumps_between_two_looks_is_invalid(field, old, ratio):
    last = quote(old, NOW - timedelta(minutes=5), field)
    for new in (old * IMPOSSIBLE_RATIO * ratio, old / IMPOSSIBLE_RATIO / ratio):
        verdict = judge(quote(new, field=field), AGES, last, NOW)
        assert verdict.failure_class is FailureClass.INVALID_DATA
        assert field in verdict.evidence


@given(old=prices, ratio=st.floats(1 / 2.99, 2.99))
def test_a_number_that_moves_like_a_market_passes(old, ratio):
    last = quote(old, NOW - timedelta(minutes=5))
    assert judge(quote(old * ratio), AGES, last, NOW) is None


@pytest.mark.parametrize("new", [0.0, -5.0, float("nan")])
def test_a_price_that_vanished_is_invalid(new):
    verdict = judge(quote(new), AGES, quote(at=NOW - timedelta(minutes=1)), NOW)
    assert verdict.failure_class is FailureClass.INVALID_DATA


def test_volumes_and_economic_series_may_jump():
    for field in ("volume", "value"):
        last = quote(1.0, NOW - timedelta(minutes=5), field)
        assert judge(quote(1000.0, field=field), AGES, last, NOW) is None


def test_a_ten_to_one_split_over_night_does_not_shut_the_endpoint_out():
    """What is refused is never remembered: compared with Friday for ever, Monday never passes."""
    friday = quote(1200.0, NOW - SAME_SESSION - timedelta(seconds=1))
    assert judge(quote(120.0), AGES, friday, NOW) is None
    today = quote(1200.0, NOW - SAME_SESSION)
    assert judge(quote(120.0), AGES, today, NOW) is not None


def test_only_the_newest_number_of_each_field_is_compared():
    """A year of bars may well have grown tenfold."""
    year = tuple(Point(NOW - timedelta(days=days), "close", 1000.0 / days) for days in (300, 30, 3))
    last = Reading("IBM", "1d", year, year[-1].at)
    again = Reading("IBM", "1d", (*year[1:], Point(NOW, "close", 350.0)), NOW)
    assert judge(again, AGELESS, replace(last, as_of=NOW - timedelta(hours=1)), NOW) is None


@pytest.mark.parametrize("other", [{"instrument": "MSFT"}, {"interval": "1d"}])
def test_what_is_not_the_same_thing_is_not_compared(other):
    last = quote(1.0, NOW - timedelta(minutes=1), **other)
    assert judge(quote(1000.0), AGES, last, NOW) is None
