"""When each heal run was asked for, queued, launched and done: as Dagster's own record has it.

A process of its own (``python -m healing_pipeline.orchestration.run_times``, which prints JSON), so
that whoever wants to know need not load Dagster. It reads the instance that ``DAGSTER_HOME`` names.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC

import dagster as dg
from dagster import DagsterEventType

from healing_pipeline.orchestration.jobs import heal_endpoint

MOST_RUNS = 5_000


@dataclass(frozen=True, slots=True)
class RunTimes:
    """The times of one heal run, in seconds of the epoch by the machine's clock.

    Attributes
    ----------
    run_key : str
        Names the incident's event that asked for it.
    created_s : float
        The daemon has made the run of a sensor's request.
    dequeued_s : float or None
        The queue has let it go to the launcher; None while it waits.
    steps : dict
        By op, in their order: its begin and its end; None for an end that never came.
    """

    run_id: str
    run_key: str
    incident_id: int
    status: str
    created_s: float
    dequeued_s: float | None
    steps: dict[str, tuple[float, float | None]]
    ended_s: float | None


def run_times(instance: dg.DagsterInstance) -> list[RunTimes]:
    """The times of every heal run of an instance, the oldest first."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=heal_endpoint.name), limit=MOST_RUNS, ascending=True
    )
    return [_times(record, _events(instance, record.dagster_run.run_id)) for record in records]


def _events(instance: dg.DagsterInstance, run_id: str) -> Sequence[dg.EventLogEntry]:
    wanted = {
        DagsterEventType.PIPELINE_STARTING,
        DagsterEventType.STEP_START,
        DagsterEventType.STEP_SUCCESS,
        DagsterEventType.STEP_FAILURE,
    }
    return instance.all_logs(run_id, of_type=wanted)


def _times(record: dg.RunRecord, events: Sequence[dg.EventLogEntry]) -> RunTimes:
    run = record.dagster_run
    dequeued_s: float | None = None
    steps: dict[str, tuple[float, float | None]] = {}
    for each in events:
        kind, step = each.get_dagster_event().event_type, each.step_key
        if kind is DagsterEventType.PIPELINE_STARTING:
            dequeued_s = each.timestamp
        elif kind is DagsterEventType.STEP_START and step is not None:
            steps[step] = (each.timestamp, None)
        elif step in steps:
            steps[step] = (steps[step][0], each.timestamp)
    created_at = record.create_timestamp
    return RunTimes(
        run_id=run.run_id,
        run_key=run.tags.get("dagster/run_key", ""),
        incident_id=int(run.tags.get("healing/incident", 0)),
        status=run.status.value,
        created_s=(created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC)).timestamp(),
        dequeued_s=dequeued_s,
        steps=steps,
        ended_s=record.end_time,
    )


def main() -> None:
    """Print the times of every heal run as a JSON list."""
    with dg.DagsterInstance.get() as instance:
        json.dump([asdict(each) for each in run_times(instance)], sys.stdout)


if __name__ == "__main__":
    main()
