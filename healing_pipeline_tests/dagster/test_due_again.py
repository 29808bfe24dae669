"""Sensors that ticked at a moment of a clock that was ahead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorState
from dagster_installation import QUIET
from test_tick_times import note

from healing_pipeline.orchestration.due_again import make_all_due, make_due

pytestmark = QUIET

NOW_S = 1_780_000_000.0


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def test_a_sensor_that_ticked_tomorrow_by_a_clock_that_was_ahead_is_due_again(instance):
    """Dagster lets none tick sooner than its interval after its last tick: for a day, none."""
    note(instance, "probe_fred", "{}")
    note(instance, "probe_yahoo", "{}")
    states = {each.instigator_name: each for each in instance.all_instigator_state()}
    ahead, before = NOW_S + 86_400.0, NOW_S - 3.0
    for name, moment in (("probe_fred", ahead), ("probe_yahoo", before)):
        data = states[name].instigator_data._replace(
            last_tick_timestamp=moment, last_tick_start_timestamp=moment
        )
        instance.update_instigator_state(states[name].with_data(data))
    assert make_due(instance, NOW_S) == 1
    moments = {each.instigator_name: last_tick(each) for each in instance.all_instigator_state()}
    assert moments == {"probe_fred": NOW_S, "probe_yahoo": before}
    assert make_due(instance, NOW_S) == 0


def test_a_tick_that_goes_on_while_the_clock_is_set_back_is_made_due_when_it_has_ended(instance):
    note(instance, "probe_fred", "{}")
    clock = [0.0]

    def ticked(moment: float) -> None:
        (state,) = instance.all_instigator_state()
        data = state.instigator_data._replace(last_tick_timestamp=moment)
        instance.update_instigator_state(state.with_data(data))

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        if clock[0] == 10.0:
            ticked(NOW_S + 3600.0)

    ticked(NOW_S + 3600.0)
    found = make_all_due(
        instance, now_s=lambda: NOW_S + clock[0], monotonic=lambda: clock[0], sleep=sleep
    )
    assert found == 2
    (state,) = instance.all_instigator_state()
    assert state.instigator_data.last_tick_timestamp == NOW_S + 10.0


def last_tick(state: InstigatorState) -> float:
    return max(
        state.instigator_data.last_tick_timestamp, state.instigator_data.last_tick_start_timestamp
    )
