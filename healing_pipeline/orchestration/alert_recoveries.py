"""Whether what a run failed to do was done since, from Dagster's own record.

For whoever has no hook of success: a failure that only the sensor of failed runs saw ends too.
"""

from __future__ import annotations

import dagster as dg
from dagster import DagsterEventType
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from healing_pipeline.control.dagster_alerts import Subject, subject_of
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.orchestration.jobs import heal_endpoint
from healing_pipeline.storage.brief import BriefConnection
from healing_pipeline.storage.dagster_failures import DagsterFailure
from healing_pipeline.storage.incidents import incident_by_id

RANGE = "..."
INCIDENT_TAG = "healing/incident"
SUCCESS = [dg.DagsterRunStatus.SUCCESS]


def done_since(
    instance: dg.DagsterInstance, connection: BriefConnection, failure: DagsterFailure
) -> str | None:
    """Who has done since what failed; None while nobody has."""
    subject = subject_of(failure.subject)
    match subject.kind:
        case "asset":
            return _materialised(instance, subject, failure)
        case "check":
            return None  # its next evaluation says
        case _ if failure.job == heal_endpoint.name:
            return _healed(instance, connection, failure)
        case _:
            return _ran(instance, subject, failure)


def _materialised(
    instance: dg.DagsterInstance, subject: Subject, failure: DagsterFailure
) -> str | None:
    key = dg.AssetKey.from_user_string(subject.name)
    wanted, since_s = _partitions(instance, key, failure)
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=wanted, after_timestamp=since_s),
        # Some may be made more than once.
        limit=max(1, 4 * len(wanted or ())),
    ).records
    if not found or (wanted and {each.partition_key for each in found} < set(wanted)):
        return None
    return f"run {found[0].run_id} of {found[0].event_log_entry.job_name}"


def _partitions(
    instance: dg.DagsterInstance, key: dg.AssetKey, failure: DagsterFailure
) -> tuple[list[str] | None, float]:
    """Which partitions a run was to make, None where there are none; and since when to look."""
    failed_s = failure.failed_at.timestamp()
    if failure.partition is None:
        return None, failed_s
    if RANGE not in failure.partition:
        return [failure.partition], failed_s
    planned = instance.all_logs(
        failure.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    )
    keys: set[str] = set()
    since_s = failed_s
    for each in planned:
        plan = each.get_dagster_event().asset_materialization_planned_data
        if plan.asset_key != key:
            continue
        # Some of a range may be made before the run fails.
        since_s = min(since_s, each.timestamp)
        if plan.partitions_subset is not None:
            keys.update(plan.partitions_subset.get_partition_keys())
        elif plan.partition is not None:
            keys.add(plan.partition)
    return sorted(keys) or None, since_s


def _ran(instance: dg.DagsterInstance, subject: Subject, failure: DagsterFailure) -> str | None:
    """Another run of the job, for the same partition, that did what failed."""
    found = instance.get_run_records(
        dg.RunsFilter(
            job_name=failure.job,
            statuses=SUCCESS,
            updated_after=failure.failed_at,
            tags=_tags(failure.partition),
        ),
        limit=10,
    )
    step = subject.name.partition(":")[2] if subject.kind == "op" else None
    for each in found:
        run = each.dagster_run
        ended_s = each.end_time or 0.0
        if ended_s > failure.failed_at.timestamp() and _had(run, step):
            return f"run {run.run_id} of {run.job_name}"
    return None


def _had(run: dg.DagsterRun, step: str | None) -> bool:
    """Whether a step, or all of them, were among those that a run was told to do."""
    if step is None:
        return not run.resolved_op_selection
    steps, ops = run.step_keys_to_execute, run.resolved_op_selection
    return (not steps or step in steps) and (not ops or step.partition(".")[0] in ops)


def _tags(partition: str | None) -> dict[str, str]:
    if partition is None:
        return {}
    first, dots, last = partition.partition(RANGE)
    if not dots:
        return {PARTITION_NAME_TAG: partition}
    return {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}


def _healed(
    instance: dg.DagsterInstance, connection: BriefConnection, failure: DagsterFailure
) -> str | None:
    """A heal run that came to its end since, and the incident of the failed one in other hands."""
    later = instance.get_run_records(
        dg.RunsFilter(job_name=failure.job, statuses=SUCCESS, updated_after=failure.failed_at),
        limit=1,
    )
    if not later:
        return None
    failed = instance.get_run_by_id(failure.run_id)
    number = None if failed is None else failed.tags.get(INCIDENT_TAG)
    if number is not None and number.isdecimal():
        incident = incident_by_id(connection, int(number))
        if incident is not None and incident.state in {State.OPEN, State.HEALING}:
            return None
    return f"run {later[0].dagster_run.run_id} of {failure.job}"
