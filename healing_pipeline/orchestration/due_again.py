"""Sensors and schedules that wait for a moment of a clock that was ahead are made due again.

Dagster notes when each last ticked, and lets none tick again sooner than its interval after that.
Set the clock back by an hour, and for an hour nobody looks at any source. `healing up` runs this
when it sees that; where something else keeps Dagster's processes, it is
``python -m healing_pipeline.orchestration.due_again``, with ``DAGSTER_HOME`` as theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import ScheduleInstigatorData, SensorInstigatorData

# Clocks of several machines differ by some seconds.
MOST_AHEAD_S = 2.0

# A tick that goes on notes once more when it began: until so many looks in a row found nothing.
LOOK_EVERY_S, LOOKS, WITHIN_S = 5.0, 3, 120.0

SENSOR_MOMENTS: tuple[str, ...] = (
    "last_tick_timestamp",
    "last_tick_start_timestamp",
    "last_sensor_start_timestamp",
    "last_tick_success_timestamp",
)
SCHEDULE_MOMENTS: tuple[str, ...] = ("start_timestamp", "last_iteration_timestamp")


def make_due(instance: dg.DagsterInstance, now_s: float) -> int:
    """Let nothing have ticked later than now; how many had.

    Parameters
    ----------
    now_s : float
        Seconds since the epoch.

    Notes
    -----
    A schedule waits besides for the moment of its last tick, which is a row of its own and stays:
    what was done for that moment is not done twice.
    """
    found = 0
    for state in instance.all_instigator_state():
        data: Any = state.instigator_data
        if isinstance(data, SensorInstigatorData):
            names = SENSOR_MOMENTS
        elif isinstance(data, ScheduleInstigatorData):
            names = SCHEDULE_MOMENTS
        else:
            continue
        ahead = {
            name: now_s
            for name in names
            if (moment := getattr(data, name)) is not None and moment > now_s + MOST_AHEAD_S
        }
        if ahead:
            instance.update_instigator_state(state.with_data(data._replace(**ahead)))
            found += 1
    return found


def make_all_due(
    instance: dg.DagsterInstance,
    *,
    now_s: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Make due until nothing waits any more, ticks that went on meanwhile included; how many."""
    until, found, quiet = monotonic() + WITHIN_S, 0, 0
    while quiet < LOOKS and monotonic() < until:
        more = make_due(instance, now_s())
        found += more
        quiet = 0 if more else quiet + 1
        sleep(LOOK_EVERY_S)
    return found


def main() -> None:
    """Make due what waits in DAGSTER_HOME's instance, and say how many there were."""
    with dg.DagsterInstance.get() as instance:
        print(f"{make_all_due(instance)} made due again")


if __name__ == "__main__":
    main()
