"""In whatever order things happen: nobody is told too often, too little, or of what was healed."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from itertools import pairwise

import pytest
from alert_world import AAPL, GDP, HOUR, SECOND, AlertWorld, alert_world
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from healing_pipeline.alerting.messages import CALLS, GroupState, Kind, rank
from healing_pipeline.alerting.muting import muted_because
from healing_pipeline.control.alert_firing import mutes_at
from healing_pipeline.control.own_outages import begin_own_outage, end_own_outage
from healing_pipeline.incidents.diagnosis import RootCause
from healing_pipeline.incidents.lifecycle import Signal, State
from healing_pipeline.storage import alert_groups, incidents

ENDPOINTS = (AAPL, GDP)
FAILURES = ("timeout", "server_error", "auth_error")

FAIL = st.tuples(st.just("fail"), st.sampled_from(ENDPOINTS), st.sampled_from(FAILURES))
END = st.tuples(st.sampled_from(["heal", "heal", "resolve", "unroute"]), st.sampled_from(ENDPOINTS))
WAIT = st.tuples(st.just("wait"), st.sampled_from([5, 70, 70, 400, 4000]))
STEPS = st.one_of(
    FAIL,
    FAIL,
    st.tuples(st.just("help"), st.sampled_from(ENDPOINTS), st.sampled_from(FAILURES)),
    END,
    END,
    WAIT,
    WAIT,
    st.tuples(st.just("read"), st.sampled_from(ENDPOINTS), st.integers(0, 30)),
    st.tuples(st.just("silence"), st.sampled_from([None, "yahoo"]), st.sampled_from([10, 60])),
    st.tuples(st.just("acknowledge")),
    st.tuples(st.sampled_from(["cut", "back", "back"])),
)


@pytest.fixture
def world(database, database_url):
    with alert_world(database, database_url) as made:
        yield made


class Walk:
    """Takes steps that are possible, and holds what was told against what happened."""

    def __init__(self, world: AlertWorld) -> None:
        self.world = world
        self.first_group = max((each.id for each in world.groups), default=0)

    def take(self, step) -> None:
        name, *given_ = step
        getattr(self, name)(*given_)
        self.world.now += SECOND
        self.world.evaluate()
        self.check()

    def open_one(self, endpoint: str):
        return self.world(incidents.open_incident_of, endpoint)

    def fail(self, endpoint: str, failure: str) -> None:
        row = self.open_one(endpoint)
        number = self.world.incident(endpoint, failure_class=failure) if row is None else row.id
        if row is not None and row.state is State.ESCALATED:
            self.world.try_again(number)
        elif row is not None and row.state is State.HEALED:
            self.world.move(number, State.OPEN, Signal.ROUTE_FAILED)
        self.world.seen(endpoint, good=False, times=2, failure=failure)
        self.world.give_up(number)

    def help(self, endpoint: str, failure: str) -> None:
        """A heal that fails, after only one bad observation."""
        row = self.open_one(endpoint)
        if row is None:
            number = self.world.incident(endpoint, failure_class=failure)
            self.world.seen(endpoint, good=False)
            self.world.give_up(number)

    def heal(self, endpoint: str) -> None:
        row = self.open_one(endpoint)
        if row is None:
            number = self.world.incident(endpoint)
            self.world.heal(number)
        elif row.state is State.ESCALATED:
            self.world.try_again(row.id)
            self.world.heal(row.id)

    def resolve(self, endpoint: str) -> None:
        row = self.open_one(endpoint)
        if row is not None:
            self.world.resolve(row.id)

    def unroute(self, endpoint: str) -> None:
        row = self.open_one(endpoint)
        if row is not None and row.state is State.HEALED:
            self.world.move(row.id, State.OPEN, Signal.ROUTE_FAILED)
            self.world.heal(row.id)

    def read(self, endpoint: str, bad: int) -> None:
        self.world.read(endpoint, good=30 - bad, bad=bad)

    def wait(self, seconds: int) -> None:
        self.world.wait(seconds, every_s=max(1, seconds / 5))

    def silence(self, source: str | None, seconds: int) -> None:
        self.world(
            alert_groups.begin_silence,
            source=source,
            endpoint=None,
            ends_at=self.world.now + timedelta(seconds=seconds),
            reason="known",
            by="ann",
            at=self.world.now,
        )

    def acknowledge(self) -> None:
        for group in self.world(alert_groups.firing_groups):
            self.world(alert_groups.acknowledge, group_id=group.id, by="ann", at=self.world.now)

    def cut(self) -> None:
        self.world(begin_own_outage, at=self.world.now, evidence="cut")

    def back(self) -> None:
        self.world(end_own_outage, at=self.world.now, evidence="back")

    def check(self) -> None:
        """What has to hold at any moment."""
        world = self.world
        groups = {each.id: each for each in world.groups if each.id > self.first_group}
        mutes = world(mutes_at, world.now)
        messages = defaultdict(list)
        for each in world.messages:
            if each.group_id in groups:
                messages[each.group_id].append(each)
        for number, group in groups.items():
            said = messages[number]
            kinds = [each.kind for each in said]
            assert kinds.count(Kind.FIRED) <= 1
            assert kinds.count(Kind.RESOLVED) <= 1
            calls = [each for each in said if each.kind in CALLS]
            levels = [rank(each.level) for each in calls if each.kind is not Kind.REMINDER]
            assert levels == sorted(set(levels)), "a message for each rise"
            for level in {each.level for each in calls}:
                at = [each.at for each in calls if each.level is level]
                assert all(after - before >= HOUR for before, after in pairwise(at))
            if group.state is GroupState.RESOLVED:
                assert (Kind.RESOLVED in kinds) == bool(calls)
            muted = muted_because(group.subject, mutes, world.now)
            if group.state is GroupState.FIRING and muted is None:
                assert levels, "what fires is told"
                assert levels[-1] == rank(group.level), "and each rise"
        if not mutes.is_cut_off:
            self.check_incidents(groups)

    def check_incidents(self, groups) -> None:
        for row in self.world(incidents.open_incidents):
            group = self.world(alert_groups.group_of_incident, row.id)
            if row.state is State.ESCALATED and row.root_cause != RootCause.OUR_NETWORK:
                tries = self.world(incidents.incident_events, row.id)
                failed = sum(each.signal == Signal.HEAL_FAILED for each in tries)
                if failed >= 2:
                    assert group is not None, "what nothing healed is told"
                    assert group.state is GroupState.FIRING
            if all(
                each.signal != Signal.HEAL_FAILED
                for each in self.world(incidents.incident_events, row.id)
            ):
                assert group is None, "what was healed is told to nobody"

    def settle_down(self) -> None:
        """All is well again, for long enough that everything is over."""
        self.back()
        for endpoint in ENDPOINTS:
            self.resolve(endpoint)
        self.world.now += SECOND
        for endpoint in ENDPOINTS:
            self.world.seen(endpoint, good=True, times=3)
        self.world.wait(3 * 3600 + 400, every_s=400)
        assert self.world(alert_groups.firing_groups) == []
        self.check()


@settings(
    max_examples=3,
    # A walk goes on where the last one ended, so a shorter one is another one.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, min_size=25, max_size=40))
def test_whatever_happens_people_are_told_once_in_time_and_of_nothing_that_was_healed(world, steps):
    walk = Walk(world)
    for step in steps:
        walk.take(step)
    walk.settle_down()
