"""The check on ticks, over what real evaluations wrote into their cursors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_installation import QUIET, Installation

from healing_pipeline.orchestration.sensors import watching_sensors

pytestmark = [pytest.mark.processes, QUIET]

SENSORS = watching_sensors(["fred", "exchange_rate"])
CODE = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="definitions"))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One that keeps what sensors leave behind, which an ephemeral one does not."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def note(
    instance: dg.DagsterInstance,
    sensor: str,
    cursor: str | None,
    status: InstigatorStatus = InstigatorStatus.DECLARED_IN_CODE,
) -> None:
    """Keep a sensor's cursor as the daemon does."""
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(CODE, "repository"), sensor)
    data = SensorInstigatorData(cursor=cursor, min_interval=4)
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, status, data))


def begun(seconds_ago: float) -> str:
    return json.dumps({"begun_at": time.time() - seconds_ago, "late_ds": [0]})


def checked(installation: Installation, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    definitions = installation.definitions
    (key,) = (
        each
        for each in definitions.resolve_asset_graph().asset_check_keys
        if each.name == "ticks_are_on_time"
    )
    result = dg.materialize(
        [*(definitions.assets or ()), *(definitions.asset_checks or ())],
        selection=dg.AssetSelection.checks(key),
        resources=dict(definitions.resources or {}),
        instance=instance,
    )
    (check,) = result.get_asset_check_evaluations()
    return check


def said(check: dg.AssetCheckEvaluation, name: str) -> object:
    return check.metadata[name].value


def test_sensors_that_tick_in_time_pass(installation, instance):
    for sensor in SENSORS:
        note(instance, sensor, installation.tick(sensor, cursor=begun(5.0)).cursor)
    check = checked(installation, instance)
    assert check.passed, check.metadata
    assert said(check, "complaints") == "none"
    table = said(check, "sensors")
    assert all(f"| {sensor} | on | 2 |" in table for sensor in SENSORS)


def test_ticks_that_come_late_time_and_again_are_a_warning_that_names_the_sensor(
    installation, instance
):
    for sensor in SENSORS:
        ago_s = 65.0 if sensor == "probe_fred" else 5.0
        note(instance, sensor, installation.tick(sensor, cursor=begun(ago_s)).cursor)
    check = checked(installation, instance)
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    complaints = said(check, "complaints")
    assert complaints.startswith("probe_fred ticks ")
    assert complaints.endswith(" s late (95th percentile)")
    assert said(check, "late_p95_s") == pytest.approx(60.0, abs=3.0)


def test_a_sensor_that_is_silent_is_a_warning(installation, instance):
    for sensor in SENSORS[1:]:
        note(instance, sensor, installation.tick(sensor).cursor)
    note(instance, SENSORS[0], begun(90.0))
    complaints = said(checked(installation, instance), "complaints")
    assert complaints.startswith(f"{SENSORS[0]} has not ticked for 9")


def test_a_sensor_that_never_ticked_is_a_warning(installation, instance):
    for sensor in SENSORS[1:]:
        note(instance, sensor, installation.tick(sensor).cursor)
    check = checked(installation, instance)
    assert not check.passed
    assert said(check, "complaints") == f"{SENSORS[0]} has never ticked"


def test_a_sensor_that_was_stopped_by_hand_is_named_and_no_fault(installation, instance):
    for sensor in SENSORS[1:]:
        note(instance, sensor, installation.tick(sensor).cursor)
    note(instance, SENSORS[0], begun(3600.0), InstigatorStatus.STOPPED)
    check = checked(installation, instance)
    assert check.passed
    assert said(check, "stopped") == SENSORS[0]
