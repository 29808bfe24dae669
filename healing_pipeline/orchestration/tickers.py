"""Sensors and schedules that are switched on, as Dagster's record has them; a few statements."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from dagster._core.definitions.repository_definition import RepositoryDefinition
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickStatus,
)
from dagster._utils.schedules import schedule_execution_time_iterator

from healing_pipeline.control.ticking import FAILED_IN_A_ROW, LOOP_S, Ticker
from healing_pipeline.probing.redaction import evidence_line

KINDS = {InstigatorType.SENSOR: "sensor", InstigatorType.SCHEDULE: "schedule"}


def tickers(
    instance: dg.DagsterInstance, ours: RepositoryDefinition | None, location: str | None
) -> Iterator[Ticker]:
    """Every one that is on; one that somebody stopped is no matter.

    Parameters
    ----------
    ours : RepositoryDefinition or None
        The definitions of this code location, named `location`.
    """
    if instance.schedule_storage is None:
        return
    for state in instance.all_instigator_state():
        kind = KINDS.get(state.instigator_type)
        if kind is None or state.status is InstigatorStatus.STOPPED:
            continue
        place = state.origin.repository_origin.code_location_origin.location_name
        is_ours = location is not None and place == location and ours is not None
        definition = _definition(ours, kind, state.instigator_name) if is_ours else None
        if is_ours and definition is None:
            continue  # taken out of the code
        ticks = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, limit=FAILED_IN_A_ROW + 1
        )
        yield _ticker(state, kind, place, definition, list(ticks))


def _definition(
    ours: RepositoryDefinition | None, kind: str, name: str
) -> dg.SensorDefinition | dg.ScheduleDefinition | None:
    assert ours is not None, "asked for one of ours"
    if kind == "sensor":
        return ours.get_sensor_def(name) if ours.has_sensor_def(name) else None
    return ours.get_schedule_def(name) if ours.has_schedule_def(name) else None


def _ticker(
    state: InstigatorState,
    kind: str,
    place: str,
    definition: dg.SensorDefinition | dg.ScheduleDefinition | None,
    ticks: list[InstigatorTick],
) -> Ticker:
    data = state.instigator_data
    newest = ticks[0] if ticks else None
    begun_at = None if newest is None else float(newest.timestamp)
    every_s, due_at = LOOP_S, None
    if isinstance(data, SensorInstigatorData):
        every_s = max(float(data.min_interval or 0), LOOP_S)
        known = (begun_at, data.last_tick_start_timestamp, data.last_sensor_start_timestamp)
        begun_at = max((each for each in known if each), default=None)
        due_at = None if begun_at is None else begun_at + every_s
    elif isinstance(data, ScheduleInstigatorData):
        begun_at = max((each for each in (begun_at, data.start_timestamp) if each), default=None)
        if isinstance(definition, dg.ScheduleDefinition) and begun_at is not None:
            due_at, every_s = _due(definition, begun_at)
        else:
            every_s = 3600.0
    return Ticker(
        name=state.instigator_name,
        kind=kind,
        location=place,
        is_known=definition is not None,
        is_by_hand=state.status is InstigatorStatus.RUNNING,
        begun_at=begun_at,
        due_at=due_at,
        every_s=every_s,
        is_in_tick=newest is not None and newest.status is TickStatus.STARTED,
        failures=tuple(_failures(ticks)),
    )


def _due(schedule: dg.ScheduleDefinition, begun_at: float) -> tuple[float, float]:
    """When a schedule is due after a moment, and how long after that again."""
    times = schedule_execution_time_iterator(
        begun_at + 1.0, schedule.cron_schedule, schedule.execution_timezone or "UTC"
    )
    first, second = next(times).timestamp(), next(times).timestamp()
    return first, second - first


def _failures(ticks: list[InstigatorTick]) -> Iterator[str]:
    for each in ticks:
        if each.status is TickStatus.STARTED:
            continue
        if each.status is not TickStatus.FAILURE:
            return
        error = each.error
        while error is not None and error.cause is not None:
            error = error.cause
        yield evidence_line(error.message.strip() if error is not None else "no error was said")
