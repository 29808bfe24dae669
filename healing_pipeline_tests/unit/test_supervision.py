"""What is started again, how soon, and when it is left alone: parts are functions here."""

from __future__ import annotations

import json
import os
from concurrent.futures import wait

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.launcher.process_identity import ProcessIdentity, own_identity
from healing_pipeline.stack.leftovers import note, noted
from healing_pipeline.stack.supervision import Part, Patience, Supervisor


class World:
    """One part, a clock, and what was told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.how: str | None = None
        self.starts: list[float] = []
        self.fails = False
        self.answers = True
        self.followed = 0
        self.told: list[str] = []
        self.part = Part(
            name="Gateway",
            ended=lambda: self.how,
            start=self._start,
            answers=lambda: self.answers,
            then=self._then,
            last_words=lambda: "port taken. Read gateway.log.",
        )
        self.supervisor = Supervisor(lambda: [self.part], self.told.append, clock=lambda: self.now)

    def _start(self) -> None:
        self.starts.append(self.now)
        if self.fails:
            raise OSError("no memory")
        self.how = None

    def _then(self) -> None:
        self.followed += 1

    def until(self, moment: float, step: float = 0.25) -> None:
        while self.now < moment:
            self.tend()
            self.now += step
        self.tend()

    def tend(self) -> None:
        self.supervisor.tend()
        state = self.supervisor._states["Gateway"]
        if state.starting is not None:
            wait([state.starting], 5)
            self.supervisor.tend()


@pytest.fixture
def world():
    each = World()
    with each.supervisor:
        yield each


def test_a_part_that_ended_is_started_again_after_the_first_pause_and_told_when_it_answers(world):
    world.until(10)
    assert world.told == []
    world.how, world.answers = "signal 9", False
    world.until(12)
    assert world.starts == [10.5]
    assert world.told == ["Gateway ended (signal 9); it is started again in 0.5 s."]
    assert world.followed == 0
    world.answers = True
    world.until(13)
    assert world.told[1:] == ["Gateway answers again after 2.0 s."]
    assert world.followed == 1


def test_a_part_that_ends_again_and_again_rests_and_is_tried_again_afterwards(world):
    while world.now < 400:
        world.how = world.how or "exit code 1"
        world.until(world.now + 0.5)
    first = [each for each in world.starts if each < 60]
    assert len(first) == Patience().most - 1
    told = next(each for each in world.told if "times within" in each)
    assert "5 times within 60 s (exit code 1). port taken. Read gateway.log. The other" in told
    rest = world.starts[len(first)] - first[-1]
    assert Patience().rest_s <= rest < Patience().rest_s + 10


def test_a_part_killed_once_a_minute_is_never_left_alone(world):
    for _ in range(40):
        world.how = "signal 9"
        world.until(world.now + 61)
    assert len(world.starts) == 40
    assert not any("tried again" in each for each in world.told)


def test_a_part_that_cannot_be_started_counts_as_one_that_ended(world):
    world.how, world.fails = "signal 9", True
    world.until(5)
    assert len(world.starts) >= 2
    assert "it cannot be started: no memory" in world.told[1]
    world.fails = False
    world.until(20)
    assert world.told[-1].startswith("Gateway answers again")


def test_what_is_to_follow_a_start_is_tried_until_it_succeeds(world):
    calls = []

    def then() -> None:
        calls.append(world.now)
        if len(calls) < 3:
            raise ConnectionError("not yet")

    world.part = Part("Gateway", world.part.ended, world.part.start, then=then)
    world.how = "signal 9"
    world.until(5)
    assert len(calls) == 3
    assert world.told[-1].startswith("Gateway runs again")


def test_a_part_that_dies_does_not_keep_another_waiting():
    slow_may_end, told = [], []
    other = World()

    def slow() -> None:
        while not slow_may_end:
            pass

    parts = [Part("PostgreSQL", lambda: "gone", slow), other.part]
    now = [0.0]
    with Supervisor(lambda: parts, told.append, clock=lambda: now[0]) as supervisor:
        other.how = "signal 9"
        for _ in range(8):
            supervisor.tend()
            now[0] += 0.25
        state = supervisor._states["Gateway"]
        if state.starting is not None:
            wait([state.starting], 5)
        slow_may_end.append(True)
    assert other.starts


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12).map(sorted))
def test_a_pause_is_never_zero_and_never_longer_than_the_rest(ends):
    patience = Patience()
    pause = patience.pause_s(ends)
    assert patience.first_pause_s <= pause <= patience.rest_s
    many = sum(each > ends[-1] - patience.within_s for each in ends) >= patience.most
    assert (pause == patience.rest_s) == many


def test_only_processes_that_still_run_are_left_over(tmp_path):
    """A number that another process has by now is nobody's leftover."""
    path = tmp_path / "processes.json"
    assert noted(path) == []
    own = own_identity()
    note(path, [own, ProcessIdentity(own.pid, "another start")])
    assert noted(path) == [own]
    assert own.pid == os.getpid()
    path.write_text(json.dumps({"not": "ours"}))
    assert noted(path) == []
