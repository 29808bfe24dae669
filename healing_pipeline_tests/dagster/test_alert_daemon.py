"""The daemon's own iteration over a code location: its sensors tick, and people are told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import alerting_project as project
import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.scheduler.instigation import (
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._core.test_utils import (
    InProcessTestWorkspaceLoadTarget,
    create_test_daemon_workspace_context,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.sensor import execute_sensor_iteration

from healing_pipeline.control.ticking import complaints
from healing_pipeline.orchestration.tickers import tickers
from healing_pipeline.storage.alert_groups import groups_since
from healing_pipeline.storage.database import Database

pytestmark = [
    pytest.mark.processes,
    # What the daemon does itself.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Daemon:
    """Turns of the daemon's loop, by hand."""

    def __init__(self, instance: dg.DagsterInstance, turn: Callable[[], None]) -> None:
        self.instance = instance
        self._turn = turn

    def turn(self) -> None:
        """Every sensor that is on ticks, however short ago it did."""
        for state in self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
            data = state.instigator_data
            assert isinstance(data, SensorInstigatorData)
            self.age(state.instigator_name, 30.0)
        self._turn()

    def age(self, sensor: str, by_s: float) -> None:
        """As if a sensor had last ticked that much earlier."""
        (state,) = (
            each
            for each in self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
            if each.instigator_name == sensor
        )
        data = state.instigator_data
        assert isinstance(data, SensorInstigatorData)

        def earlier(at: float | None) -> float | None:
            return None if at is None else at - by_s

        self.instance.update_instigator_state(
            state.with_data(
                data._replace(
                    last_tick_timestamp=earlier(data.last_tick_timestamp),
                    last_tick_start_timestamp=earlier(data.last_tick_start_timestamp),
                    last_sensor_start_timestamp=earlier(data.last_sensor_start_timestamp),
                )
            )
        )

    def ticks_of(self, sensor: str) -> list[str]:
        (state,) = (
            each
            for each in self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
            if each.instigator_name == sensor
        )
        ticks = self.instance.get_ticks(state.instigator_origin_id, state.selector_id)
        return [f"{each.status.value} {each.skip_reason or ''}" for each in ticks]


@pytest.fixture
def daemon(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    monkeypatch.delenv("HEALING_CLOCK_OFFSET_S", raising=False)
    monkeypatch.setenv("ILL", str(tmp_path))
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(python_file=project.__file__), location_name="anyone"
    )
    with ExitStack() as parts:
        instance = parts.enter_context(dg.DagsterInstance.local_temp(str(tmp_path)))
        context = parts.enter_context(
            create_test_daemon_workspace_context(InProcessTestWorkspaceLoadTarget(origin), instance)
        )
        logger = logging.getLogger("daemon")

        def turn() -> None:
            list(execute_sensor_iteration(context, logger, None, None))

        yield Daemon(instance, turn)


def told(database: Database) -> dict[str, tuple[str, str]]:
    with database.connection() as connection:
        groups = groups_since(connection, LONG_AGO, 100)
    return {each.fingerprint: (str(each.state), each.title) for each in groups}


def test_a_run_that_was_killed_is_told_of_by_the_daemons_own_tick(daemon, database):
    daemon.turn()
    job = project.defs.resolve_job_def("bare_job")
    run = daemon.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    daemon.instance.report_run_failed(run, "its process was killed")
    daemon.turn()
    assert told(database) == {"dagster:job:bare_job": ("firing", "job bare_job failed")}
    assert any(each.startswith("SUCCESS") for each in daemon.ticks_of("alert_on_run_failure"))
    said = " ".join(
        each.get_dagster_event().message or ""
        for each in daemon.instance.all_logs(run.run_id)
        if each.dagster_event
    )
    assert "alert_on_run_failure" in said, "the run's log says who was told"
    daemon.turn()
    with database.connection() as connection:
        assert connection.execute("SELECT count(*) FROM healing.alert").fetchone() == (1,)


def test_a_sensor_whose_ticks_fail_is_told_of_and_over_when_one_works(daemon, database, tmp_path):
    daemon.turn()
    (tmp_path / "ticking").touch()
    daemon.turn()
    daemon.turn()
    assert told(database) == {}, "twice may be an accident"
    daemon.turn()
    daemon.turn()
    ((state, title),) = told(database).values()
    assert state == "firing"
    assert title.startswith("Sensor ticking: its last ")
    with database.connection() as connection:
        (group,) = groups_since(connection, LONG_AGO, 10)
    assert "ticking is ill" in group.body
    (tmp_path / "ticking").unlink()
    daemon.turn()
    daemon.turn()
    assert told(database)["dagster:sensor:ticking"] == ("recovered", title)


def test_a_sensor_that_ticks_no_more_is_seen_in_its_record_and_one_that_was_stopped_is_not(daemon):
    daemon.turn()
    repository, soon = project.defs.get_repository_def(), time.time() + 600.0

    def silent() -> set[str]:
        on = list(tickers(daemon.instance, repository, "anyone"))
        assert complaints(on, time.time(), 0.0) == []
        return {each.fingerprint for each in complaints(on, soon, 0.0)}

    ours = {"dagster:sensor:alert_watch", "dagster:sensor:alert_on_run_failure"}
    assert silent() == {"dagster:sensor:ticking", *ours}
    (state,) = (
        each
        for each in daemon.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
        if each.instigator_name == "ticking"
    )
    daemon.instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    assert silent() == ours
