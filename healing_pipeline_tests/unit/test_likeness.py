"""When another provider's numbers may stand for an answer: never under too good a label."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.likeness import (
    FINISHED_TOLERANCE,
    LIVE_TOLERANCE,
    OLDER_TOLERANCE,
    WIDEST_TOLERANCE,
    StandIn,
    stand_in,
)
from healing_pipeline.healing.strategy import Snapshot
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import Verdict

NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
TODAY = NOW.replace(hour=0)
DAY = timedelta(days=1)
BAR = {"open": 100.0, "high": 110.0, "low": 90.0, "close": 105.0, "volume": 5000.0}


def daily(days, *, until=TODAY, change=None, instrument="IBM", fields=tuple(BAR), as_of=None):
    """Bars of so many days up to `until`; `change` maps (days before, field) to a factor."""
    change = change or {}
    points = tuple(
        sorted(
            Point(until - back * DAY, field, BAR[field] * change.get((back, field), 1.0))
            for back in range(days)
            for field in fields
        )
    )
    return Reading(instrument, "1d", points, as_of or points[-1].at)


def live(at=NOW, instrument="USD", **values):
    points = tuple(sorted(Point(at, field, value) for field, value in values.items()))
    return Reading(instrument, "now", points, at)


def known(reading, fetched_at=NOW - timedelta(minutes=1)):
    return Snapshot(fetched_at, reading, b"", "yahoo")


def dates(reading):
    return sorted({point.at for point in reading.points})


def test_the_same_bars_are_exact():
    found = stand_in(daily(10), known(daily(10)), now=NOW)
    assert (found.fidelity, found.reading) == (Fidelity.EXACT, daily(10))
    # Four prices of nine days: today's bar is not finished.
    assert "36 finished numbers" in found.evidence


@given(more=st.integers(0, 60), rows=st.integers(2, 30))
def test_rows_before_the_window_are_cut_off(more, rows):
    found = stand_in(daily(rows + more), known(daily(rows)), now=NOW)
    assert (found.fidelity, found.reading) == (Fidelity.EXACT, daily(rows))


def test_fields_that_were_not_asked_for_are_left_out_and_one_that_lacks_is_refused():
    prices = tuple(BAR)[:4]
    found = stand_in(daily(10), known(daily(10, fields=prices)), now=NOW)
    assert found.reading == daily(10, fields=prices)
    refused = stand_in(daily(10, fields=prices), known(daily(10)), now=NOW)
    assert isinstance(refused, Verdict)
    assert "no volume" in refused.evidence


@given(days=st.integers(1, 5))
def test_a_window_that_moved_along_is_exact_where_theirs_begins_there(days):
    own = known(daily(30, until=TODAY - days * DAY), NOW - days * DAY)
    found = stand_in(daily(30), own, now=NOW)
    assert (found.fidelity, found.reading) == (Fidelity.EXACT, daily(30))


def test_where_the_window_may_have_moved_or_grown_the_smaller_one_is_coarser():
    own = known(daily(30, until=TODAY - DAY), NOW - DAY)
    found = stand_in(daily(60), own, now=NOW)
    assert (found.fidelity, found.reading) == (Fidelity.COARSER, daily(30))
    assert "window" in found.evidence


@given(lost=st.integers(1, 8))
def test_rows_of_ours_that_are_missing_make_it_coarser(lost):
    whole = daily(10)
    gone = TODAY - lost * DAY
    theirs = replace(whole, points=tuple(each for each in whole.points if each.at != gone))
    found = stand_in(theirs, known(whole), now=NOW)
    assert (found.fidelity, found.reading) == (Fidelity.COARSER, theirs)
    assert "1 rows are missing" in found.evidence


def test_rows_missing_at_the_begin_make_it_coarser_when_no_day_has_passed():
    assert stand_in(daily(9), known(daily(10)), now=NOW).fidelity is Fidelity.COARSER


def test_a_part_of_a_row_is_refused():
    whole = daily(10)
    holed = tuple(p for p in whole.points if (p.at, p.field) != (TODAY - 3 * DAY, "low"))
    verdict = stand_in(replace(whole, points=holed), known(whole), now=NOW)
    assert isinstance(verdict, Verdict)
    assert "2026-03-01 00:00 has no low" in verdict.evidence


@given(
    back=st.integers(1, 9),
    field=st.sampled_from(["open", "high", "low", "close"]),
    factor=st.sampled_from([0.1, 0.25, 0.5, 0.97, 1.03, 2.0, 4.0, 20.0]),
)
def test_one_finished_price_that_differs_is_enough_to_refuse(back, field, factor):
    verdict = stand_in(daily(10, change={(back, field): factor}), known(daily(10)), now=NOW)
    assert isinstance(verdict, Verdict)
    assert verdict.failure_class is FailureClass.INVALID_DATA
    assert field in verdict.evidence


def test_prices_before_a_split_are_refused_where_the_split_lies_within_the_window():
    """Alpha Vantage's daily bars are raw, the others' adjusted: four for one, five days ago."""
    raw = daily(
        10, change={(back, field): 4.0 for back in range(5, 10) for field in tuple(BAR)[:4]}
    )
    verdict = stand_in(raw, known(daily(10)), now=NOW)
    assert isinstance(verdict, Verdict)
    assert "differs from the last known value" in verdict.evidence


@given(factor=st.floats(1 - FINISHED_TOLERANCE * 0.9, 1 + FINISHED_TOLERANCE * 0.9))
def test_two_tapes_of_one_market_agree(factor):
    theirs = daily(10, change={(back, "close"): factor for back in range(10)})
    assert stand_in(theirs, known(daily(10)), now=NOW).fidelity is Fidelity.EXACT


def test_volumes_and_a_bar_that_was_not_finished_are_not_compared():
    theirs = daily(10, change={(0, "close"): 0.7, (0, "low"): 0.6, (4, "volume"): 3.0})
    assert stand_in(theirs, known(daily(10)), now=NOW).fidelity is Fidelity.EXACT
    finished = known(daily(10), TODAY + DAY)
    assert isinstance(stand_in(theirs, finished, now=TODAY + DAY), Verdict)


@given(days=st.integers(1, 5))
def test_bars_that_end_before_those_that_are_known_are_stale(days):
    verdict = stand_in(daily(20, until=TODAY - days * DAY), known(daily(10)), now=NOW)
    assert isinstance(verdict, Verdict)
    assert verdict.failure_class is FailureClass.STALE_DATA


def test_with_no_finished_row_in_common_it_is_coarser_and_a_split_is_refused():
    own = known(daily(1, until=TODAY - DAY), NOW - DAY)  # the bar of the day before, fetched early
    assert stand_in(daily(1), own, now=NOW).fidelity is Fidelity.COARSER
    split = {(0, field): 1.5 for field in BAR}
    assert isinstance(stand_in(daily(1, change=split), own, now=NOW), Verdict)


def test_another_instrument_or_interval_is_refused():
    for theirs in (daily(10, instrument="MSFT"), replace(daily(10), interval="1w")):
        assert isinstance(stand_in(theirs, known(daily(10)), now=NOW), Verdict)


def test_without_a_last_known_value_a_series_is_its_newest_row_and_a_table_is_refused():
    found = stand_in(daily(10), None, now=NOW)
    assert (found.fidelity, found.reading) == (Fidelity.COARSER, daily(1))
    assert stand_in(live(price=5.0), None, now=NOW).fidelity is Fidelity.COARSER
    assert isinstance(stand_in(live(EUR=0.9, GBP=0.8), None, now=NOW), Verdict)


def test_a_table_is_cut_to_the_one_rate_that_was_asked_for():
    found = stand_in(live(EUR=0.9, GBP=0.8, USD=1.0), known(live(EUR=0.91)), now=NOW)
    assert (found.fidelity, found.reading) == (Fidelity.EXACT, live(EUR=0.9))
    verdict = stand_in(live(GBP=0.8, USD=1.0), known(live(EUR=0.91)), now=NOW)
    assert isinstance(verdict, Verdict)
    assert "no EUR" in verdict.evidence


@given(factor=st.floats(0.2, 5.0))
def test_a_quote_far_from_the_last_known_one_is_refused(factor):
    found = stand_in(live(price=100.0 * factor), known(live(price=100.0)), now=NOW)
    # math.isclose takes the larger of both as the measure; on the very edge rounding decides.
    margin = LIVE_TOLERANCE * max(factor, 1) - abs(factor - 1)
    assume(abs(margin) > 1e-9)
    near = margin > 0
    assert isinstance(found, StandIn) is near


def test_over_a_week_a_quote_may_wander_but_never_as_far_as_a_split():
    own = known(live(price=100.0, at=NOW - 7 * DAY), NOW - 7 * DAY)
    assert isinstance(stand_in(live(price=110.0), own, now=NOW), StandIn)
    ages_ago = known(live(price=100.0, at=NOW - 700 * DAY), NOW - 700 * DAY)
    assert isinstance(stand_in(live(price=150.0), ages_ago, now=NOW), Verdict)
    assert 1 - WIDEST_TOLERANCE > 1 / 1.5


@given(older_s=st.floats(0, 1e6))
def test_a_quote_older_than_the_known_one_is_stale_and_says_so(older_s):
    theirs = live(price=100.0, at=NOW - timedelta(seconds=older_s))
    found = stand_in(theirs, known(live(price=100.0)), now=NOW)
    late = timedelta(seconds=older_s) > OLDER_TOLERANCE
    assert found.fidelity is (Fidelity.STALE if late else Fidelity.EXACT)


def test_whoever_states_days_is_answered_in_days():
    """Alpha Vantage dates its quotes by the day, Yahoo by the second."""
    own = known(live(price=100.0, at=TODAY))
    found = stand_in(live(price=101.0, at=NOW), own, now=NOW)
    assert (found.fidelity, found.reading) == (Fidelity.EXACT, live(price=101.0, at=TODAY))
    yesterdays = stand_in(live(price=101.0, at=NOW - DAY), own, now=NOW)
    assert yesterdays.fidelity is Fidelity.STALE


def test_a_quote_of_which_only_the_day_is_known_is_not_as_new_as_one_of_that_day():
    found = stand_in(live(price=101.0, at=TODAY), known(live(price=100.0)), now=NOW)
    assert found.fidelity is Fidelity.STALE


@given(
    ours=st.integers(1, 20),
    theirs=st.integers(1, 20),
    ours_ago=st.integers(0, 5),
    theirs_ago=st.integers(0, 5),
    odd=st.tuples(st.integers(0, 9), st.sampled_from(sorted(BAR)), st.floats(0.9, 1.1)),
    lost=st.sets(st.integers(0, 19)),
)
def test_no_number_is_invented_and_no_claim_is_newer_than_theirs(
    ours, theirs, ours_ago, theirs_ago, odd, lost
):
    own = known(daily(ours, until=TODAY - ours_ago * DAY), NOW - ours_ago * DAY)
    whole = daily(theirs, until=TODAY - theirs_ago * DAY, change={odd[:2]: odd[2]})
    kept = tuple(p for p in whole.points if (TODAY - p.at).days not in lost)
    if not kept:
        return
    given_ = replace(whole, points=kept, as_of=kept[-1].at)
    found = stand_in(given_, own, now=NOW)
    if isinstance(found, Verdict):
        assert not found.is_ok
        return
    assert set(found.reading.points) <= set(kept)
    assert found.reading.points == tuple(sorted(found.reading.points))
    assert found.reading.as_of <= given_.as_of
    assert max(dates(found.reading)) == max(dates(given_))
    if found.fidelity is Fidelity.EXACT:
        # Of what was known, nothing is missing but what a moved window has left behind.
        moved = max(dates(given_)) - max(dates(own.reading))
        window = [at for at in dates(own.reading) if at >= min(dates(own.reading)) + moved]
        assert set(window) <= set(dates(found.reading))
