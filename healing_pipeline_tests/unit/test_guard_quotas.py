"""Bucket, ledger, retry budget and `Retry-After`: how much may be asked, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog.values import Quota
from healing_pipeline.healing.guard.bucket import MINUTE_S, SLACK_S, Bucket, share_of
from healing_pipeline.healing.guard.budget import RetryBudget
from healing_pipeline.healing.guard.ledger import Ledger
from healing_pipeline.healing.guard.retry_after import retry_after_s

NOON = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)


@given(
    per_minute=st.integers(min_value=1, max_value=30),
    share=st.floats(min_value=0.0, max_value=1.0),
    wishes=st.lists(
        st.tuples(st.floats(min_value=0.0, max_value=20.0), st.booleans()), max_size=150
    ),
)
def test_no_minute_holds_more_calls_than_a_key_may_make_nor_more_probes(per_minute, share, wishes):
    bucket, now, made = Bucket(per_minute, share), 500.0, []
    for seconds, is_probe in wishes:
        now += seconds
        if bucket.refusal(now, is_probe=is_probe) is None:
            bucket.take(now, is_probe=is_probe)
            made.append((now, is_probe))
        minute = [each for each in made if each[0] > now - MINUTE_S]
        assert len(minute) <= per_minute
        assert sum(is_probe for _, is_probe in minute) <= share_of(per_minute, share)


@given(share=st.floats(min_value=0.0, max_value=0.8), eager=st.integers(0, 200))
def test_however_eager_the_probes_the_readers_share_is_there(share, eager):
    bucket = Bucket(10, share)
    for _ in range(eager):
        if bucket.refusal(0.0, is_probe=True) is None:
            bucket.take(0.0, is_probe=True)
    left = 0
    while bucket.refusal(0.0, is_probe=False) is None:
        bucket.take(0.0, is_probe=False)
        left += 1
    assert left >= 10 - share_of(10, share)


def test_a_token_comes_back_a_minute_after_it_was_taken():
    bucket = Bucket(5, 0.2)
    for at in (0.0, 1.0, 2.0, 3.0, 4.0):
        assert bucket.refusal(at, is_probe=False) is None
        bucket.take(at, is_probe=False)
    # Polygon's five are gone: the next at 0 + 60 s and one for what is late on its way.
    assert (
        bucket.refusal(5.0, is_probe=False) == "its 5 calls a minute are used, the next in 56.0 s"
    )
    assert bucket.back_at() == pytest.approx(MINUTE_S + SLACK_S)
    assert bucket.refusal(60.9, is_probe=False) is not None
    assert bucket.refusal(61.0, is_probe=False) is None


@pytest.mark.parametrize(
    ("quota", "share", "calls"),
    [(25, 0.2, 5), (5, 0.2, 1), (5, 0.0, 0), (3, 0.2, 1), (100, 0.29, 29), (7, 1.0, 7)],
)
def test_a_share_is_whole_calls_and_never_rounded_to_nothing(quota, share, calls):
    assert share_of(quota, share) == calls


calls_over_months = st.lists(
    st.tuples(st.integers(min_value=0, max_value=90_000), st.booleans()), max_size=200
)


@given(
    per_day=st.none() | st.integers(1, 12),
    per_month=st.none() | st.integers(1, 40),
    share=st.floats(min_value=0.0, max_value=1.0),
    wishes=calls_over_months,
)
def test_no_day_and_no_month_of_the_calendar_holds_more_than_its_quota(
    per_day, per_month, share, wishes
):
    ledger, now, made = Ledger(Quota(None, per_day, per_month), share), NOON, []
    for seconds, is_probe in wishes:
        now += timedelta(seconds=seconds)
        if ledger.refusal(now, is_probe=is_probe) is None:
            ledger.count(now, is_probe=is_probe)
            made.append((now, is_probe))
    for quota, form in ((per_day, "%F"), (per_month, "%Y-%m")):
        for each in {at.strftime(form) for at, _ in made}:
            period = [is_probe for at, is_probe in made if at.strftime(form) == each]
            assert quota is None or len(period) <= quota
            assert quota is None or sum(period) <= share_of(quota, share)


def test_a_new_day_gives_the_days_calls_back_and_a_new_month_the_months():
    ledger = Ledger(Quota(per_day=2, per_month=3), 0.2)
    ledger.count(NOON, is_probe=False)
    ledger.count(NOON, is_probe=False)
    assert ledger.refusal(NOON, is_probe=False) == "its 2 calls of the day are spent"
    april = datetime(2026, 4, 1, tzinfo=UTC)
    assert ledger.refusal(april - timedelta(seconds=1), is_probe=False) is not None
    assert ledger.refusal(april, is_probe=False) is None
    # March's two are no matter any more: April has three of its own.
    for day in (april, april, april + timedelta(days=1)):
        assert ledger.refusal(day, is_probe=False) is None
        ledger.count(day, is_probe=False)
    assert ledger.refusal(april + timedelta(days=2), is_probe=False) == (
        "its 3 calls of the month are spent"
    )


@pytest.mark.parametrize(
    ("quota", "calls", "back_at"),
    [
        (Quota(per_day=2), 1, None),
        (Quota(per_day=2), 2, datetime(2026, 12, 31, tzinfo=UTC)),
        (Quota(per_month=2), 2, datetime(2027, 1, 1, tzinfo=UTC)),
        (Quota(per_day=2, per_month=2), 2, datetime(2027, 1, 1, tzinfo=UTC)),
        (Quota(per_day=2, per_month=3), 2, datetime(2026, 12, 31, tzinfo=UTC)),
    ],
)
def test_a_spent_day_is_back_at_midnight_and_a_spent_month_with_the_next(quota, calls, back_at):
    now = datetime(2026, 12, 30, 12, tzinfo=UTC)
    ledger = Ledger(quota, 0.2)
    for _ in range(calls):
        ledger.count(now, is_probe=False)
    assert ledger.back_in_s(now) == (0 if back_at is None else (back_at - now).total_seconds())


def test_a_restart_does_not_forget_what_was_spent():
    ledger = Ledger(Quota(per_day=25), 0.2)
    ledger.seed(NOON, day_count=24, month_count=24)
    assert ledger.refusal(NOON, is_probe=True) is not None  # its share may have been used
    ledger.count(NOON, is_probe=False)
    assert ledger.refusal(NOON, is_probe=False) == "its 25 calls of the day are spent"


def test_counts_from_elsewhere_never_take_back_what_was_counted_here():
    ledger = Ledger(Quota(per_day=3), 0.2)
    for _ in range(3):
        ledger.count(NOON, is_probe=False)
    ledger.seed(NOON, day_count=1, month_count=1, probes_day=0, probes_month=0)
    assert ledger.refusal(NOON, is_probe=False) is not None


def test_counts_of_yesterday_that_come_after_midnight_are_not_todays():
    ledger, midnight = Ledger(Quota(per_day=3), 0.2), datetime(2026, 4, 1, tzinfo=UTC)
    ledger.count(midnight, is_probe=False)
    ledger.seed(midnight - timedelta(seconds=1), day_count=3, month_count=3)
    assert ledger.refusal(midnight, is_probe=False) is None


def test_a_quota_the_provider_calls_exhausted_is_so_until_midnight_utc():
    ledger = Ledger(Quota(per_day=25), 0.2)
    ledger.count(NOON, is_probe=False)
    ledger.mark_spent(NOON)
    assert ledger.refusal(NOON, is_probe=False) is None  # by our own count there is plenty
    assert ledger.marked(datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)) == (
        "the provider calls its quota exhausted, asked again from 2026-04-01 on"
    )
    assert ledger.marked(datetime(2026, 4, 1, tzinfo=UTC)) is None


@given(st.lists(st.sampled_from(["plain", "healing", "plain over", "healing over"]), max_size=300))
def test_healing_calls_begin_only_as_a_fifth_of_all_or_as_three(story):
    budget, plain = RetryBudget(), 0
    for what in story:
        if what == "plain":
            plain += 1
            budget.begin(healing=False)
        elif what == "healing" and budget.refusal() is None:
            budget.begin(healing=True)
            assert budget.healing <= max(3, 0.2 * (plain + budget.healing))
        elif what == "plain over" and plain:
            plain -= 1
            budget.end(healing=False)
        elif what == "healing over" and budget.healing:
            budget.end(healing=True)
        assert budget.in_flight == plain + budget.healing
        assert budget.healing > 2 or budget.refusal() is None, "three may always"


@pytest.mark.parametrize(
    # The last two: 3 of 18 and a fourth would be 4 of 19, more than a fifth; 4 of 20 are a fifth.
    ("plain", "healing"),
    [(0, 3), (100, 25), (15, 3), (16, 4)],
)
def test_so_many_plain_calls_bear_so_many_that_heal(plain, healing):
    budget = RetryBudget()
    for _ in range(plain):
        budget.begin(healing=False)
    begun = 0
    while budget.refusal() is None:
        budget.begin(healing=True)
        begun += 1
    assert begun == healing
    assert budget.refusal() == f"{healing} healing calls are under way, {healing} may be"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("5", 5.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        ("86400", 60.0),
        ("-1", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("Tue, 31 Mar 2026 12:00:07 GMT", 7.0),
        ("Tue, 31 Mar 2026 12:00:07 -0000", 7.0),
        ("Tue, 31 Mar 2026 14:00:07 +0200", 7.0),
        ("Tue, 31 Mar 2026 11:00:00 GMT", 0.0),
        ("Tue, 31 Mar 2099 11:00:00 GMT", 60.0),
        ("Tue, 99 Mar 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_more_than_the_cap(told, seconds):
    assert retry_after_s({"retry-after": told}, NOON, 60.0) == seconds


def test_no_header_says_nothing():
    assert retry_after_s({}, NOON, 60.0) is None


@given(st.integers(-(10**7), 10**7), st.floats(0.0, 1e6))
def test_a_date_says_the_seconds_until_it(seconds, cap_s):
    header = format_datetime(NOON + timedelta(seconds=seconds), usegmt=True)
    told = retry_after_s({"retry-after": header}, NOON, cap_s)
    assert told == min(cap_s, max(0.0, float(seconds)))


@given(st.text(max_size=40))
def test_whatever_a_header_says_it_is_read_as_seconds_or_not_at_all(told):
    seconds = retry_after_s({"retry-after": told}, NOON, 60.0)
    assert seconds is None or 0.0 <= seconds <= 60.0
