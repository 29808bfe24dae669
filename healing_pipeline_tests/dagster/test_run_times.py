"""What Dagster's record tells of a heal run that has really run."""

from __future__ import annotations

import time

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster_installation import DGS10, QUIET, SERVER_ERROR, Installation

from healing_pipeline.orchestration.run_times import run_times

pytestmark = [pytest.mark.processes, QUIET]


def test_a_run_is_told_from_its_making_to_its_last_op(installation: Installation) -> None:
    installation.upstreams.add_fault(SERVER_ERROR)
    installation.make_due(DGS10)
    requests = installation.tick().run_requests
    request = next(each for each in requests if each.tags["healing/endpoint"] == DGS10)
    job = installation.definitions.resolve_job_def("heal_endpoint")
    with dg.DagsterInstance.ephemeral() as instance:
        asked_s = time.time()
        done = job.execute_in_process(
            run_config=request.run_config,
            tags={**request.tags, "dagster/run_key": request.run_key},
            instance=instance,
        )
        # As the daemon tells it of a run that it launches.
        started = DagsterEvent(
            event_type_value=DagsterEventType.PIPELINE_STARTING.value, job_name=job.name
        )
        instance.report_dagster_event(started, run_id=done.run_id)
        (run,) = run_times(instance)
    assert (run.run_id, run.run_key) == (done.run_id, request.run_key)
    assert run.incident_id == int(request.tags["healing/incident"])
    ops = [each.node_name for each in done.all_events if each.event_type_value == "STEP_START"]
    assert list(run.steps) == ops
    assert ops
    times = [asked_s, *(each for pair in run.steps.values() for each in pair)]
    assert times == sorted(times)
    # The storage keeps whole microseconds, and here the clock of the same machine.
    assert asked_s - 0.001 <= run.created_s <= times[1]
    assert run.dequeued_s is not None


def test_runs_of_other_jobs_are_none_of_it(installation: Installation) -> None:
    @dg.job
    def another() -> None:
        """Nothing."""

    with dg.DagsterInstance.ephemeral() as instance:
        another.execute_in_process(instance=instance)
        assert run_times(instance) == []
