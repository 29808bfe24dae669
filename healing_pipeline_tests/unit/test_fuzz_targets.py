"""A short form of `chaos fuzzing`: each target with inputs that look real, and some changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from healing_pipeline_tests.chaos.fuzz.tally import Tally, arm
from healing_pipeline_tests.chaos.fuzz.target import Target
from healing_pipeline_tests.chaos.fuzz.targets import TARGETS, inputs_of
from healing_pipeline_tests.chaos.fuzz.worker import played

INPUTS = {"provider_bodies": 800, "alerts": 40, "evidence": 60, "configuration": 60}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is refused is told in the log, thousands of times."""
    arm()
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_input_breaks_no_promise(name: str) -> None:
    tally = played(TARGETS[name], INPUTS.get(name, 250), seed=1)
    assert not tally.failures
    assert tally.inputs == INPUTS.get(name, 250)


def test_a_promise_that_is_broken_is_told_with_the_input_that_broke_it() -> None:
    def check(data: bytes) -> None:
        assert b"b" not in data, "a b"

    target = Target("one", "", lambda: check, lambda: [b"aaaa", b"abaa", b"aaab"])
    tally = played(target, 3, seed=1)
    (failure,) = tally.failures.values()
    assert failure.count == 2
    assert failure.inputs == [b"abaa", b"aaab"]


def test_an_input_that_takes_too_long_is_given_up_and_told(monkeypatch) -> None:
    monkeypatch.setattr("healing_pipeline_tests.chaos.fuzz.tally.LONGEST_S", 0.02)
    monkeypatch.setattr("healing_pipeline_tests.chaos.fuzz.tally.GIVEN_UP_S", 0.05)

    def check(data: bytes) -> None:
        while data == b"slow":
            pass

    tally = Tally("one", check)
    tally.play(b"fast")
    assert not tally.failures
    tally.play(b"slow")
    assert set(tally.failures) == {"slow"}


def test_a_million_inputs_are_at_least_a_million() -> None:
    assert sum(inputs_of(1_000_000).values()) >= 1_000_000
