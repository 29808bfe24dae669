"""What one guard learns of limits, and another takes over: no more, no less, and no longer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog.values import ApiKey, Host, Quota, Source
from healing_pipeline.healing.facts import Origin
from healing_pipeline.healing.guard import Guard
from healing_pipeline.healing.guard.cooldowns import (
    LONGEST_S,
    NEAR_S,
    Cooldown,
    CooldownEnd,
    CooldownNews,
    Kind,
    Untold,
)
from healing_pipeline.healing.strategy import Way
from healing_pipeline.probing.failure_class import FailureClass

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
HOSTS = (Host("one", "https://a.test"), Host("two", "https://b.test"))
KEYS = (ApiKey("primary", "P", "secret-p"), ApiKey("spare", "S", "secret-s"))
OK, LIMIT, SPENT = FailureClass.OK, FailureClass.RATE_LIMIT, FailureClass.QUOTA_EXHAUSTED
REFUSED = (LIMIT, SPENT, FailureClass.AUTH_ERROR, FailureClass.BOT_BLOCK)


@dataclass
class Two:
    """Two guards of one source; what the first tells is heard by the second when a test says so.

    Their monotonic clocks differ by `ahead`, as those of two machines do.
    """

    keys: tuple[ApiKey, ...] = KEYS
    quota: Quota = field(default_factory=lambda: Quota(per_day=100))
    ahead: float = 5_000.0
    now: float = 1_000.0
    told: list[CooldownNews] = field(default_factory=list)

    def __post_init__(self) -> None:
        sources = {"here": Source("here", "any", HOSTS, self.keys, self.quota)}
        self.first = Guard(sources, tell=self.told.append)
        self.second = Guard(sources, tell=lambda _: pytest.fail("what is taken over is no news"))

    @property
    def wall_now(self) -> datetime:
        return START + timedelta(seconds=self.now - 1_000.0)

    def way(self, host: str = "one", key: str | None = "primary") -> Way:
        found = {(each.way.host.name, each.way.key.name if each.way.key else None): each.way
                 for each in self.first._source("here")._by_names.values()}  # fmt: skip
        return found[host, key]

    def call(
        self, verdict: FailureClass, way: Way, *, retry_after: str | None = None, took: float = 0.0
    ) -> None:
        """The first asks, and this comes of it."""
        self.first.admit(
            "here", way, origin=Origin.READER, healing=False, now=self.now, wall_now=self.wall_now,
            last=True,
        )  # fmt: skip
        self.now += took
        self.first.done(
            "here",
            way,
            verdict_class=verdict,
            headers={} if retry_after is None else {"retry-after": retry_after},
            seconds=took,
            now=self.now,
            wall_now=self.wall_now,
            healing=False,
        )

    def hear(self) -> None:
        """All that was told reaches the second now, moments by its own clock."""
        for each in self.told:
            moved = (
                replace(each, until=each.until + self.ahead)
                if isinstance(each, Cooldown)
                else replace(each, began=each.began + self.ahead)
            )
            self.second.take_over(moved, self.now + self.ahead, self.wall_now)
        self.told.clear()

    def shut_at_second(self) -> list[str]:
        ways = self.second.ways("here", self.now + self.ahead, self.wall_now)
        return [f"{way.host.name}/{way.key.name if way.key else '-'}" for way in ways
                if not way.is_open]  # fmt: skip


def test_another_process_waits_for_what_remains_and_not_for_what_was_asked():
    two = Two()
    two.call(LIMIT, two.way(), retry_after="30")
    two.now += 10
    two.hear()
    assert two.shut_at_second() == ["one/primary", "two/primary"]
    met = two.second.met("here", two.way(), two.now + two.ahead, two.wall_now)
    assert met.failure_class is LIMIT
    assert "met by another process), not asked for another 20.0 s" in met.evidence
    two.now += 19.9
    assert two.shut_at_second()
    two.now += 0.2
    assert two.shut_at_second() == []


@pytest.mark.parametrize("verdict", [*sorted(FailureClass)])
def test_only_refusals_are_told_and_of_those_without_a_key_only_with_their_seconds(verdict):
    keyed, keyless, named = Two(), Two(keys=()), Two(keys=())
    for _ in range(10):
        keyed.call(verdict, keyed.way())
        keyless.call(verdict, keyless.way(key=None))
        named.call(verdict, named.way(key=None), retry_after="20")
    told_of_keys = {each.kind for each in keyed.told} - {Kind.QUOTA}
    assert told_of_keys == ({Kind.KEY} if verdict in REFUSED[:3] else set())
    assert {each.kind for each in keyless.told} == set()
    blocked = {LIMIT, SPENT, FailureClass.BOT_BLOCK}
    assert {each.kind for each in named.told} == ({Kind.HOST} if verdict in blocked else set())


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 40.0),
            st.sampled_from([*REFUSED, OK, FailureClass.TIMEOUT, FailureClass.NOT_FOUND]),
            st.sampled_from([None, "1", "15", "3600"]),
            st.sampled_from(["primary", "spare"]),
        ),
        max_size=30,
    )
)
def test_whatever_happens_the_second_asks_no_key_while_the_first_is_told_to_wait(story):
    """It may wait for longer: a probe that got through before its time is its sender's luck."""
    two = Two()
    for pause, verdict, retry_after, key in story:
        two.now += pause
        two.call(verdict, two.way(key=key), retry_after=retry_after)
        two.hear()
        for each in KEYS:
            ours = two.first._source("here").key(each.name)
            theirs = two.second._source("here").key(each.name)
            if ours.until is not None and ours.until > two.now:
                assert theirs.refusal(two.now + two.ahead) is not None
                assert theirs.until >= ours.until + two.ahead - 1e-6
            if theirs.until is not None:
                assert theirs.until <= two.now + two.ahead + LONGEST_S


def test_a_trial_that_succeeds_opens_the_way_for_all_and_an_early_one_only_for_its_own():
    two = Two()
    two.call(LIMIT, two.way(), retry_after="20")
    two.hear()
    two.now += 5
    two.call(OK, two.way())  # a probe, which asks at its own pace
    assert two.told == []
    assert two.shut_at_second() == ["one/primary", "two/primary"]
    two.call(LIMIT, two.way(), retry_after="20")
    two.hear()
    two.now += 20.1
    two.call(OK, two.way())
    assert two.told == [CooldownEnd("here", Kind.KEY, "primary", began=two.now)]
    two.hear()
    assert two.second._source("here").key("primary").until is None


def test_an_end_is_not_believed_while_we_ourselves_were_told_to_wait_for_longer():
    two = Two()
    two.call(LIMIT, two.way(), retry_after="20")
    two.hear()
    key = two.second._source("here").key("primary")
    key.eject(two.now + two.ahead + 19, two.now + two.ahead + 19, LIMIT, at_least_s=30)
    two.now += 20.1
    two.call(OK, two.way())
    two.hear()
    assert key.until == pytest.approx(two.now + two.ahead - 20.1 + 49)
    assert NEAR_S < 29


def test_a_host_that_this_machine_alone_cannot_reach_stays_closed_whatever_others_say():
    two = Two(keys=())
    host = two.second._source("here").host("one")
    host.eject(two.now + two.ahead, two.now + two.ahead, FailureClass.NETWORK_ERROR)
    two.now += 1.5
    two.second.take_over(
        CooldownEnd("here", Kind.HOST, "one", two.now + two.ahead),
        two.now + two.ahead,
        two.wall_now,
    )
    assert host.until is not None


def test_a_spent_day_is_spent_for_all_until_a_call_shows_otherwise():
    two = Two()
    two.call(SPENT, two.way())
    assert {each.kind for each in two.told} == {Kind.KEY, Kind.QUOTA}
    two.hear()
    two.now += 3_600
    assert two.shut_at_second() == ["one/primary", "two/primary"]
    two.call(OK, two.way())
    assert CooldownEnd("here", Kind.QUOTA, "primary", two.now) in two.told
    two.hear()
    assert two.shut_at_second() == []


def test_what_was_said_of_yesterdays_quota_spends_none_of_todays():
    two = Two()
    # A second before midnight by the clock of who tells, a second after it by ours.
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    two.second.take_over(
        Cooldown("here", Kind.QUOTA, "primary", SPENT, 100.0 + 1.0), 100.0,
        midnight + timedelta(seconds=1),
    )  # fmt: skip
    assert not two.second._source("here").ledger("primary").is_marked_spent


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("source", ["here", "elsewhere"])
def test_names_that_this_configuration_does_not_have_are_passed_over(kind, source):
    two = Two()
    for news in (
        Cooldown(source, kind, "no such name", LIMIT, two.now + 10),
        CooldownEnd(source, kind, "no such name", two.now),
    ):
        two.second.take_over(news, two.now, two.wall_now)
    assert two.shut_at_second() == []


def test_a_refusal_that_several_tell_of_counts_once_in_the_row():
    two = Two()
    key = two.second._source("here").key("primary")
    for more in (10.0, 10.5, 11.0):
        key.eject_until(two.now + more, two.now, LIMIT, "told")
    assert key.until == two.now + 11.0
    key.eject(two.now + 12, two.now + 12, LIMIT)
    # The second in the row, not the fourth: twice the first ejection.
    assert key.until == two.now + 12 + 4.0


def lasting(until: float) -> Cooldown:
    return Cooldown("here", Kind.KEY, "primary", LIMIT, until)


@given(st.lists(st.floats(1.0, 100.0), min_size=1), st.integers(0, 10))
def test_of_what_waits_to_be_told_the_longest_is_told_also_when_telling_failed(untils, fails_at):
    untold = Untold()
    for place, until in enumerate(untils):
        untold.put(lasting(until))
        if place == fails_at % len(untils):
            taken = untold.take()
            untold.put(lasting(0.5))  # a shorter one, met while the longer was being told
            untold.put_back(taken)
    assert untold.take() == [lasting(max(untils))]
    assert len(untold) == 0


def test_an_end_takes_the_place_of_what_it_ends_and_a_new_cooldown_that_of_an_end():
    untold, end = Untold(), CooldownEnd("here", Kind.KEY, "primary", began=50.0)
    untold.put(lasting(40.0))
    untold.put(end)
    taken = untold.take()
    assert taken == [end]
    untold.put(lasting(60.0))
    untold.put_back(taken)
    assert untold.take() == [lasting(60.0)]
