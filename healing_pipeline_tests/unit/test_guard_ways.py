"""The guard: which ways are open, who is let through, and what an answer teaches about a way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog.values import ApiKey, Host, Quota, Source
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.facts import Origin
from healing_pipeline.healing.guard import Guard
from healing_pipeline.healing.strategy import Way
from healing_pipeline.probing.failure_class import CALLERS_FAULT, FailureClass
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.provider import UpstreamRequest

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
QUERY1, QUERY2 = Host("query1", "https://a.test"), Host("query2", "https://b.test")
PRIMARY, SPARE = ApiKey("primary", "P", "secret-p"), ApiKey("spare", "S", "secret-s")
UNMETERED = Quota()
OK, NETWORK = FailureClass.OK, FailureClass.NETWORK_ERROR
NOT_THE_WAYS = sorted(CALLERS_FAULT | {FailureClass.EMPTY, FailureClass.STALE_DATA})


@dataclass
class Play:
    """A guard in front of one source, and time that moves when told to."""

    hosts: tuple[Host, ...] = (QUERY1, QUERY2)
    keys: tuple[ApiKey, ...] = ()
    quota: Quota = UNMETERED
    keyless: tuple[tuple[str, str], ...] = ()
    now: float = 1000.0
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        source = Source("here", "any", self.hosts, self.keys, self.quota)
        self.guard = Guard({"here": source}, self.keyless)

    @property
    def wall_now(self) -> datetime:
        return START + timedelta(seconds=self.now - 1000.0)

    def chosen(self) -> Way:
        return self.guard.choose("here", self.now, self.wall_now)

    def names(self) -> list[str]:
        """Host and key of each way, in order, with a mark where it is closed."""
        ways = self.guard.ways("here", self.now, self.wall_now)
        return [
            f"{way.host.name}/{way.key.name if way.key else '-'}{'' if way.is_open else ' x'}"
            for way in ways
        ]

    def admit(self, way, *, origin=Origin.READER, healing=False, last=False) -> str | None:
        return self.guard.admit(
            "here",
            way,
            origin=origin,
            healing=healing,
            now=self.now,
            wall_now=self.wall_now,
            last=last,
        )

    def done(self, way, verdict_class, *, seconds=0.0, headers=None, healing=False) -> None:
        self.guard.done(
            "here",
            way,
            verdict_class=verdict_class,
            headers=headers or {},
            seconds=seconds,
            now=self.now,
            wall_now=self.wall_now,
            healing=healing,
        )

    def call(self, way, verdict_class, *, times=1, last=False, headers=None) -> None:
        for _ in range(times):
            assert self.admit(way, last=last) is None
            self.done(way, verdict_class, headers=headers)


def way(host: Host = QUERY1, key: ApiKey | None = None) -> Way:
    return Way(host, key)


stories = st.lists(
    st.tuples(
        st.floats(min_value=0.0, max_value=40.0),
        st.sampled_from(["ask chosen", "ask any", "ask last", "end"]),
        st.integers(0, 50),
        st.sampled_from([*FailureClass, None]),
    ),
    max_size=80,
)


@given(story=stories, keys=st.sampled_from([(), (PRIMARY,), (PRIMARY, SPARE)]))
def test_whatever_happened_the_last_candidate_is_let_through(story, keys):
    play = Play(keys=keys, quota=Quota(per_minute=3))
    under_way = []
    for seconds, what, which, verdict_class in story:
        play.now += seconds
        if what == "end":
            if under_way:
                ended, began = under_way.pop(which % len(under_way))
                play.done(ended, verdict_class, seconds=play.now - began)
            continue
        ways = play.guard.ways("here", play.now, play.wall_now)
        asked = play.chosen() if what != "ask any" else ways[which % len(ways)]
        assert asked.is_open is (not asked.why_closed)
        assert asked.is_open or what == "ask any" or not any(each.is_open for each in ways)
        refusal = play.admit(asked, last=what == "ask last")
        assert (refusal is None) == (asked.is_open or what == "ask last")
        if refusal is None:
            under_way.append((asked, play.now))
    assert play.admit(play.chosen(), last=True) is None


@given(story=stories, per_day=st.integers(0, 6).map(lambda calls: calls + 1))
def test_not_even_the_last_candidate_goes_over_a_keys_day(story, per_day):
    play = Play(keys=(PRIMARY, SPARE), quota=Quota(per_day=per_day))
    made = {}
    for seconds, what, _, verdict_class in story:
        play.now += seconds
        asked = play.chosen()
        if play.admit(asked, last=what == "ask last") is None:
            made[asked.key.name] = made.get(asked.key.name, 0) + 1
            play.done(asked, verdict_class)
    assert all(calls <= per_day for calls in made.values())


def test_a_spare_key_comes_before_a_second_host():
    play = Play(keys=(PRIMARY, SPARE))
    assert play.names() == ["query1/primary", "query1/spare", "query2/primary", "query2/spare"]


def test_a_revoked_key_is_closed_at_every_host_and_its_spare_at_none():
    play = Play(keys=(PRIMARY, SPARE))
    play.call(way(QUERY1, PRIMARY), FailureClass.AUTH_ERROR)
    assert play.names() == ["query1/primary x", "query1/spare", "query2/primary x", "query2/spare"]
    assert play.chosen() == way(QUERY1, SPARE)
    assert play.admit(way(QUERY2, PRIMARY)) == (
        "here: key primary: auth_error, not asked for another 2.0 s"
    )


@pytest.mark.parametrize("verdict_class", [FailureClass.BOT_BLOCK, NETWORK])
def test_a_bad_host_is_closed_with_every_key_and_the_other_host_with_none(verdict_class):
    play = Play(keys=(PRIMARY, SPARE))
    times = 1 if verdict_class is FailureClass.BOT_BLOCK else 5
    play.call(way(QUERY1, PRIMARY), verdict_class, times=times)
    assert play.names() == ["query1/primary x", "query1/spare x", "query2/primary", "query2/spare"]
    assert play.guard.met("here", way(QUERY1, SPARE), play.now, play.wall_now).failure_class is (
        verdict_class
    )


def test_failures_of_a_host_add_up_over_its_keys():
    play = Play(keys=(PRIMARY, SPARE))
    play.call(way(QUERY1, PRIMARY), NETWORK, times=3)
    play.call(way(QUERY1, SPARE), NETWORK, times=2)
    assert play.chosen().host == QUERY2


def test_a_key_that_works_at_one_host_is_open_at_the_other_again():
    play = Play(keys=(PRIMARY,))
    play.call(way(QUERY1, PRIMARY), FailureClass.AUTH_ERROR)
    play.now += 2.0
    play.call(way(QUERY2, PRIMARY), OK)
    assert play.names() == ["query1/primary", "query2/primary"]


def test_a_host_that_answers_no_is_a_host_that_works():
    play = Play()
    play.call(way(), NETWORK, times=5)
    play.now += 2.0
    play.call(way(), FailureClass.NOT_FOUND)  # the trial
    assert [play.admit(way()) for _ in range(9)] == [None] * 9


@given(st.lists(st.sampled_from(NOT_THE_WAYS), min_size=1, max_size=60))
def test_what_is_the_callers_or_the_datas_never_closes_a_way(classes):
    play = Play(keys=(PRIMARY, SPARE))
    for each in classes:
        play.call(way(QUERY1, PRIMARY), each)
    assert not [name for name in play.names() if name.endswith("x")]


def test_an_expired_session_does_not_close_the_host_that_renews_it():
    play = Play()
    play.call(way(), FailureClass.AUTH_ERROR, times=8)
    assert play.chosen() == way()


def test_a_rate_limit_without_a_key_is_the_hosts():
    play = Play()
    play.call(way(), FailureClass.RATE_LIMIT, headers={"retry-after": "7"})
    assert play.names() == ["query1/- x", "query2/-"]
    play.now += 6.9
    assert play.chosen().host == QUERY2
    play.now += 0.2
    assert play.chosen().host == QUERY1


def test_an_hour_of_retry_after_is_believed_for_a_minute():
    play = Play(hosts=(QUERY1,), keys=(PRIMARY,))
    play.call(way(QUERY1, PRIMARY), FailureClass.RATE_LIMIT, headers={"retry-after": "3600"})
    assert play.chosen().why_closed == "key primary: rate_limit, not asked for another 60.0 s"


def test_a_host_without_keys_is_one_way_that_no_keys_trouble_closes():
    play = Play(
        keys=(PRIMARY, SPARE), keyless=(("here", "query2"),), quota=Quota(per_minute=1, per_day=1)
    )
    assert play.names() == ["query1/primary", "query1/spare", "query2/-"]
    play.call(way(QUERY1, PRIMARY), FailureClass.AUTH_ERROR)
    play.call(way(QUERY1, SPARE), OK)
    assert play.names() == ["query1/primary x", "query1/spare x", "query2/-"]
    for _ in range(10):
        play.call(way(QUERY2, None), OK)


def test_of_ways_that_are_all_closed_the_first_to_open_is_chosen():
    play = Play()
    play.call(way(QUERY1), FailureClass.BOT_BLOCK, headers={"retry-after": "9"})
    play.call(way(QUERY2), FailureClass.BOT_BLOCK, headers={"retry-after": "4"})
    chosen = play.chosen()
    assert (chosen.host, chosen.is_open) == (QUERY2, False)
    assert play.admit(chosen) is not None
    assert play.admit(chosen, last=True) is None


@given(
    story=st.lists(
        st.tuples(
            st.floats(0.0, 40.0),
            st.integers(0, 3),
            st.sampled_from([OK, NETWORK, *FailureClass]),
            st.sampled_from([{}, {"retry-after": "30"}]),
        ),
        max_size=30,
    ),
    keys=st.sampled_from([(), (PRIMARY,), (PRIMARY, SPARE)]),
    quota=st.builds(
        Quota,
        per_minute=st.none() | st.integers(1, 4),
        per_day=st.none() | st.integers(1, 6),
        per_month=st.none() | st.integers(1, 6),
    ),
)
def test_a_source_opens_when_it_was_said_to_and_not_before(story, keys, quota):
    play = Play(keys=keys, quota=quota)
    ways = [Way(host, key) for host in play.hosts for key in keys or (None,)]
    for pause, number, verdict_class, headers in story:
        play.now += pause
        chosen = ways[number % len(ways)]
        if play.admit(chosen, last=True) is None:
            play.done(chosen, verdict_class, headers=headers)
    wait_s = play.guard.opens_in("here", play.now, play.wall_now)
    assert (wait_s is None) == play.chosen().is_open
    if wait_s is not None:
        assert wait_s > 0
        play.now += wait_s - 0.01
        assert not play.chosen().is_open
        play.now += 0.02
        assert play.chosen().is_open


def test_nobody_knows_how_long_a_trial_takes():
    play = Play(hosts=(QUERY1,))
    play.call(way(), FailureClass.BOT_BLOCK)
    assert play.guard.opens_in("here", play.now, play.wall_now) == 2.0
    play.now += 2.0
    assert play.admit(way()) is None
    assert not play.chosen().is_open
    assert play.guard.opens_in("here", play.now, play.wall_now) is None


def test_a_closed_key_with_calls_left_is_chosen_before_one_without():
    play = Play(hosts=(QUERY1,), keys=(PRIMARY, SPARE), quota=Quota(per_day=2))
    play.call(way(QUERY1, PRIMARY), OK, times=2)
    play.call(way(QUERY1, SPARE), FailureClass.AUTH_ERROR)
    assert play.names() == ["query1/primary x", "query1/spare x"]
    assert play.chosen().key == SPARE
    assert play.admit(way(QUERY1, PRIMARY), last=True) == (
        "here: key primary: its 2 calls of the day are spent"
    )
    assert play.admit(way(QUERY1, SPARE), last=True) is None


def test_a_call_that_was_given_up_says_nothing_and_frees_its_trial():
    play = Play(hosts=(QUERY1,))
    play.call(way(), FailureClass.BOT_BLOCK)
    play.now += 2.0
    assert play.admit(way()) is None
    assert play.admit(way()) == "here: host query1: bot_block, a trial is under way"
    play.done(way(), None, seconds=0.5)
    assert play.admit(way()) is None  # the next trial
    assert play.admit(way()) is not None  # half-open as before


def test_a_quota_called_exhausted_is_asked_again_only_as_the_last_and_at_the_breakers_pace():
    play = Play(hosts=(QUERY1,), keys=(PRIMARY,), quota=Quota(per_day=25))
    only = way(QUERY1, PRIMARY)
    play.call(only, FailureClass.QUOTA_EXHAUSTED)
    assert play.admit(only, last=True) is not None  # the breaker's 2 s
    play.now += 2.1
    assert "calls its quota exhausted" in str(play.admit(only))
    assert play.chosen().is_open is False
    play.call(only, FailureClass.QUOTA_EXHAUSTED, last=True)
    play.now += 2.1
    assert play.admit(only, last=True) is not None  # 4 s now
    play.now += 2.0
    play.call(only, OK, last=True)  # it was misread, or raised
    assert play.chosen().is_open


def test_the_last_good_answer_of_a_day_does_not_hide_that_it_was_the_last():
    play = Play(hosts=(QUERY1,), keys=(PRIMARY,), quota=Quota(per_day=25))
    only = way(QUERY1, PRIMARY)
    assert play.admit(only) is None
    assert play.admit(only) is None
    play.now += 0.3
    play.done(only, FailureClass.QUOTA_EXHAUSTED, seconds=0.3)
    play.now += 0.1
    play.done(only, OK, seconds=0.4)  # begun before the quota was called exhausted
    play.now += 3.0
    assert "calls its quota exhausted" in play.chosen().why_closed


def test_a_quota_called_exhausted_is_whole_again_at_midnight():
    play = Play(hosts=(QUERY1,), keys=(PRIMARY,), quota=Quota(per_day=25))
    play.call(way(QUERY1, PRIMARY), FailureClass.QUOTA_EXHAUSTED)
    play.now += 9 * 3600 - 1  # START is at 15:00
    assert not play.chosen().is_open
    play.now += 1
    assert play.chosen().is_open


def test_counts_of_the_database_are_taken_over_per_key():
    play = Play(hosts=(QUERY1,), keys=(PRIMARY, SPARE), quota=Quota(per_day=25))
    play.guard.seed("here", "primary", wall_now=START, day_count=25, month_count=300)
    play.guard.seed("here", "of last year", wall_now=START, day_count=25, month_count=300)
    assert play.names() == ["query1/primary x", "query1/spare"]


def test_probes_leave_the_readers_share_of_a_key():
    play = Play(hosts=(QUERY1,), keys=(PRIMARY,), quota=Quota(per_day=25))  # a fifth is five
    only = way(QUERY1, PRIMARY)
    for _ in range(5):
        assert play.admit(only, origin=Origin.PROBE) is None
        play.done(only, OK)
    refusal = play.admit(only, origin=Origin.PROBE, last=True)
    assert refusal == "here: key primary: the probes' share of its 25 calls of the day is spent"
    play.call(only, OK, times=20)
    assert play.admit(only, last=True) == "here: key primary: its 25 calls of the day are spent"


def test_a_probe_waits_for_its_minute_unless_a_schedule_paces_it():
    play = Play(hosts=(QUERY1,), keys=(PRIMARY,), quota=Quota(per_minute=5))  # a fifth is one
    only = way(QUERY1, PRIMARY)
    assert play.admit(only, origin=Origin.PROBE) is None
    assert play.admit(only, origin=Origin.PROBE) == (
        "here: key primary: the probes' share of its 5 calls a minute is used"
    )
    assert play.admit(only, origin=Origin.PROBE, last=True) is None
    assert [play.admit(only) for _ in range(3)] == [None] * 3
    assert play.admit(only) is not None
    assert play.admit(only, last=True) is None  # a reader is not left without a candidate


def test_a_healing_call_that_is_over_makes_room_for_another():
    play = Play(hosts=(QUERY1,))
    for _ in range(20):
        assert play.admit(way(), healing=True) is None
        play.done(way(), OK, healing=True)


def test_a_refused_call_costs_nothing():
    play = Play(hosts=(QUERY1,), keys=(PRIMARY,), quota=Quota(per_minute=4, per_day=4))
    only = way(QUERY1, PRIMARY)
    for _ in range(3):
        assert play.admit(only, healing=True) is None
    for _ in range(10):
        assert play.admit(only, healing=True) == "here: 3 healing calls are under way, 3 may be"
    assert play.admit(only) is None  # the fourth token is still there


def test_the_way_of_a_request_is_found_by_its_names():
    play = Play(keys=(PRIMARY, SPARE))
    line = RequestLine("/v8")
    request = UpstreamRequest("here", "query2", "spare", "https://b.test/v8", {}, line)
    assert play.guard.way_of(request) == way(QUERY2, SPARE)
    assert play.guard.way_of(
        UpstreamRequest("here", "query2", None, "https://b.test/v8", {}, line)
    ) == way(QUERY2, None)


def test_names_that_are_not_in_the_configuration_are_our_fault():
    play = Play(keys=(PRIMARY,))
    with pytest.raises(ConfigurationError, match="no host 'query1' with key 'spare'"):
        play.admit(way(QUERY1, SPARE))
    with pytest.raises(ConfigurationError, match="no source 'elsewhere'"):
        play.guard.choose("elsewhere", play.now, play.wall_now)


# Four stories of a well-known router whose cooldowns did not hold. They must not be ours.


def test_every_failing_way_of_one_request_is_cooled_not_only_the_first():
    """There, failures were logged once a request: the second failing way went on being asked."""
    play = Play(keys=(PRIMARY, SPARE))
    tried = []
    while (chosen := play.chosen()).is_open:
        play.call(chosen, FailureClass.AUTH_ERROR)  # one request, from way to way
        tried.append(chosen)
    assert tried == [way(QUERY1, PRIMARY), way(QUERY1, SPARE)]
    assert not any(each.is_open for each in play.guard.ways("here", play.now, play.wall_now))


def test_a_second_failure_makes_a_cooldown_end_later():
    """There, a way that failed again while it cooled down came back when the first one ended."""
    play = Play(hosts=(QUERY1,), keys=(PRIMARY,))
    only = way(QUERY1, PRIMARY)
    assert play.admit(only) is None
    assert play.admit(only) is None
    play.done(only, FailureClass.RATE_LIMIT, headers={"retry-after": "10"})  # until 1010
    play.now += 5.0
    play.done(only, FailureClass.RATE_LIMIT, headers={"retry-after": "10"}, seconds=5.0)  # 1015
    play.now += 9.9
    assert not play.chosen().is_open
    play.now += 0.2
    assert play.chosen().is_open


def test_a_cooldown_ends_when_it_was_to_end_however_often_and_late_it_is_read():
    """There, one read back from elsewhere began anew, with a length nobody had asked for."""
    play = Play(hosts=(QUERY1,))
    play.call(way(), FailureClass.BOT_BLOCK, headers={"retry-after": "30"})
    for _ in range(29):
        play.now += 1.0
        assert not play.chosen().is_open
        assert play.admit(way()) is not None
    play.now += 1.0
    assert play.chosen().is_open


def test_a_way_that_failed_as_a_fallback_is_cooled_as_well():
    """There, only the first choice was ever cooled down: a dead fallback was asked for ever."""
    play = Play()
    play.call(way(QUERY1), FailureClass.BOT_BLOCK)
    assert play.admit(way(QUERY2), healing=True) is None
    play.done(way(QUERY2), FailureClass.BOT_BLOCK, healing=True)
    assert play.names() == ["query1/- x", "query2/- x"]


def test_a_cooled_way_is_closed_to_the_very_next_call():
    """There, the state was read every ten seconds: 25 failures in a row went to the same way."""
    play = Play()
    asked = []
    for _ in range(25):
        chosen = play.chosen()
        asked.append(chosen.host.name)
        play.call(chosen, FailureClass.SERVER_ERROR if chosen.host == QUERY1 else OK)
    assert asked == ["query1"] * 5 + ["query2"] * 20
