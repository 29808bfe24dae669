"""Shares of a minute's calls: together never over the quota, and none of them unused."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from healing_pipeline.catalog.values import ApiKey, Host, Quota, Source
from healing_pipeline.healing.facts import Origin
from healing_pipeline.healing.guard import Guard
from healing_pipeline.healing.guard.bucket import MINUTE_S, SLACK_S, Bucket
from healing_pipeline.healing.guard.shares import Claim, Use, fair_shares, next_share

PERIOD_S = MINUTE_S + SLACK_S
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@given(st.integers(0, 500), st.lists(st.integers(0, 600), min_size=1, max_size=12))
def test_all_is_given_away_and_nobody_gets_less_than_an_equal_part_who_wants_it(quota, wanted):
    shares = fair_shares(quota, wanted)
    assert sum(shares) == quota
    for share, wish in zip(shares, wanted, strict=True):
        assert share >= min(wish, quota // len(wanted))


def test_worked_examples():
    # One wants all: the others keep what they have use for, 3 each of 60.
    assert fair_shares(60, [60, 3, 3]) == [54, 3, 3]
    # All want all: a third each. Nobody wants much: what is left is shared too.
    assert fair_shares(60, [60, 60, 60]) == [20, 20, 20]
    assert fair_shares(60, [3, 3, 3]) == [20, 20, 20]
    assert fair_shares(5, [5, 5]) == [2, 3]
    assert fair_shares(2, [5, 5, 5]) == [0, 1, 1]
    assert next_share("b", Use(60, 0, 60), [Claim("a", 60, 60)]) == (0, 30)
    assert next_share("b", Use(60, 0, 60), [Claim("a", 45, 60)]) == (15, 30)


def test_a_bucket_lets_its_share_through_in_any_minute_and_says_so():
    bucket = Bucket(60, 0.2)
    bucket.share = 20
    for second in range(20):
        assert bucket.refusal(float(second), is_probe=False) is None
        bucket.take(float(second), is_probe=False)
    refusal = bucket.refusal(20.0, is_probe=False)
    assert refusal == "its share of 20 of 60 calls a minute is used, the next in 41.0 s"
    assert (bucket.back_at(), bucket.used(20.0), bucket.spent(20.0)) == (PERIOD_S, 20, 1.0)
    assert bucket.wanted(20.0) == 60  # it was short
    assert bucket.wanted(20.0) == 21  # and not again since
    bucket.share = 25
    assert bucket.refusal(20.0, is_probe=False) is None
    bucket.share = 0
    assert bucket.refusal(500.0, is_probe=False) == "other processes make its 60 calls a minute"
    assert math.isfinite(bucket.back_at())


def test_who_probes_wants_the_probes_part_and_who_does_nothing_a_little():
    bucket = Bucket(60, 0.2)
    assert bucket.wanted(0.0) == 3
    bucket.take(0.0, is_probe=True)
    assert bucket.wanted(PERIOD_S + 1) == 12


def test_a_guard_shares_out_the_buckets_of_keys_and_no_others():
    hosts, keys = (Host("a", "https://a.test"),), (ApiKey("primary", "P", "s"),)
    guard = Guard(
        {
            "keyed": Source("keyed", "any", hosts, keys, Quota(per_minute=60)),
            "by_address": Source("by_address", "any", hosts, (), Quota(per_minute=60)),
            "unmetered": Source("unmetered", "any", hosts, keys),
        }
    )
    (way,) = guard.ways("keyed", 0.0, NOON)
    uses = guard.share_out({("keyed", "primary"): 1, ("gone", "primary"): 9}, 0.0)
    assert uses == {("keyed", "primary"): Use(60, 0, 3)}

    def admitted() -> bool:
        return None is guard.admit(
            "keyed", way, origin=Origin.READER, healing=False, now=1.0, wall_now=NOON
        )

    assert [admitted(), admitted()] == [True, False]
    assert guard.share_out({("keyed", "primary"): 999}, 2.0)[("keyed", "primary")].used == 1
    assert [admitted() for _ in range(60)].count(True) == 59


class SharedQuota(RuleBasedStateMachine):
    """Three processes that settle in any order, make calls and die; one row each in a table."""

    QUOTA = 12

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.buckets = {name: Bucket(self.QUOTA, 0.2) for name in "abc"}
        self.held: dict[str, tuple[int, int, float]] = {}
        self.calls: list[float] = []
        for each in self.buckets.values():
            each.share = 0  # readers come after the first turn

    @rule(seconds=st.floats(0.0, 30.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=st.sampled_from("abc"))
    def settle(self, name: str) -> None:
        bucket = self.buckets[name]
        use = Use(self.QUOTA, bucket.used(self.now), bucket.wanted(self.now))
        others = [Claim(each, held, wanted) for each, (held, wanted, seen) in self.held.items()
                  if each != name and seen > self.now - 75.0]  # fmt: skip
        share, _ = next_share(name, use, others)
        if self.held.get(name, (0, 0, 0.0))[2] <= self.now - 75.0 and name in self.held:
            # It was away for so long that the others took it for gone: it begins anew.
            bucket.share = 0
        bucket.share = share
        self.held[name] = max(share, use.used), use.wanted, self.now

    @rule(name=st.sampled_from("abc"), times=st.integers(1, 15))
    def ask(self, name: str, times: int) -> None:
        # Who has not settled for long may have lost its share: processes settle every few seconds.
        if self.held.get(name, (0, 0, -99.0))[2] <= self.now - 10.0:
            return
        for _ in range(times):
            if self.buckets[name].refusal(self.now, is_probe=False) is None:
                self.buckets[name].take(self.now, is_probe=False)
                self.calls.append(self.now)

    @invariant()
    def no_minute_has_more_calls_than_the_quota(self) -> None:
        assert sum(at > self.now - MINUTE_S for at in self.calls) <= self.QUOTA


TestSharedQuota = SharedQuota.TestCase
