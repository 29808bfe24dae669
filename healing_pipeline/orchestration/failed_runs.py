"""What a run failed to do, read from Dagster's own record: the same whoever reads it, and when.

A hook reads it while the run goes on, the sensor of failed runs when it is over, also for runs of
other code locations and for those whose process was killed, which leave no step that failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import DagsterEventType
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    AUTO_RETRY_RUN_ID_TAG,
    PARTITION_NAME_TAG,
    WILL_RETRY_TAG,
)

from healing_pipeline.control import dagster_alerts
from healing_pipeline.control.dagster_alerts import Failed, Subject
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.orchestration.alerts_resource import AlertsResource, machine_now
from healing_pipeline.probing.redaction import evidence_line

# Who is told besides those who are told of everything, and how loudly: tags of a job or an op.
OWNER_TAG = "owner"
LEVEL_TAG = "healing/alert_level"

PLANNED = {
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
}
# Around what an op raised.
WRAPPER = "DagsterExecutionStepExecutionError"

STEPS = {
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_SUCCESS,
}


@dataclass(frozen=True, slots=True)
class Planned:
    """The assets and checks that a run was to make, by the step that makes them."""

    by_step: Mapping[str, tuple[Subject, ...]]

    def of_step(self, step_key: str) -> tuple[Subject, ...]:
        """What a step makes; a step inside a graph of ops makes what the graph does."""
        if step_key in self.by_step:
            return self.by_step[step_key]
        graph, dot, _ = step_key.partition(".")
        inside = [
            subject
            for step, subjects in self.by_step.items()
            if dot and step.startswith(f"{graph}.")
            for subject in subjects
        ]
        return tuple(dict.fromkeys(inside))


def planned_of(instance: dg.DagsterInstance, run_id: str) -> Planned:
    """Read what a run was to make."""
    by_step: dict[str, list[Subject]] = {}
    for each in instance.all_logs(run_id, of_type=PLANNED):
        event = each.get_dagster_event()
        if event.event_type is DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            key = event.asset_materialization_planned_data.asset_key
            subject = dagster_alerts.asset(key.to_user_string())
        else:
            plan = event.asset_check_planned_data
            subject = dagster_alerts.check(plan.asset_key.to_user_string(), plan.check_name)
        by_step.setdefault(event.step_key or "", []).append(subject)
    return Planned({step: _without_checks_of(made) for step, made in by_step.items()})


def _without_checks_of(made: list[Subject]) -> tuple[Subject, ...]:
    """A step that makes an asset and checks it has failed to make the asset: one matter."""
    assets = [each for each in made if each.kind == "asset"]
    return tuple(dict.fromkeys(assets or made))


def subjects_done_by(
    instance: dg.DagsterInstance, planned: Planned, job: str, run_id: str, step_key: str
) -> tuple[Subject, ...]:
    """What is well when a step succeeds.

    A step inside a graph of ops says nothing of what the graph makes, and a check that was made has
    not therefore passed.
    """
    if step_key not in planned.by_step:
        return () if planned.of_step(step_key) else (dagster_alerts.op(job, step_key),)
    made = planned.by_step[step_key]
    if all(each.kind == "asset" for each in made):
        return made
    passed = {
        dagster_alerts.check(each.asset_key.to_user_string(), each.check_name)
        for each in evaluations_of(instance, run_id)
        if each.passed
    }
    return tuple(each for each in made if each.kind == "asset" or each in passed)


def evaluations_of(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    """The checks that a run has made."""
    logs = instance.all_logs(run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    return [each.get_dagster_event().asset_check_evaluation_data for each in logs]


def subjects_of_step(planned: Planned, job: str, step_key: str) -> tuple[Subject, ...]:
    """What is not done when a step fails."""
    return planned.of_step(step_key) or (dagster_alerts.op(job, step_key),)


def partition_of(tags: Mapping[str, str]) -> str | None:
    """The partition of a run, from its tags; a range as its ends."""
    first, last = (
        tags.get(each) for each in (ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG)
    )
    if first is not None and last is not None:
        return f"{first}...{last}"
    return tags.get(PARTITION_NAME_TAG)


def level_of(*tags: Mapping[str, str]) -> Severity:
    """How loudly to tell: `LEVEL_TAG` of the first tags that have it; else ERROR."""
    for each in tags:
        said = each.get(LEVEL_TAG, "").strip().lower()
        if said in set(Severity):
            return Severity(said)
    return Severity.ERROR


def owners_of(*tags: Mapping[str, str]) -> tuple[str, ...]:
    """Whose it is: all that the `owner` tags name, by commas."""
    names = [
        name.strip() for each in tags for name in each.get(OWNER_TAG, "").split(",") if name.strip()
    ]
    return tuple(dict.fromkeys(names))


def will_be_retried(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether Dagster itself starts a run again that a failed step ends, or has ended.

    Of a run that is over its tag says so; of one that goes on it is Dagster's own rule.
    """
    said = run.tags.get(WILL_RETRY_TAG)
    if said is not None:
        return said == "true"
    if not instance.run_retries_enabled:
        return False
    ended = run.with_status(dg.DagsterRunStatus.FAILURE)
    return bool(auto_reexecution_should_retry_run(instance, ended, RunFailureReason.STEP_FAILURE))


def waits_for_retry(run: dg.DagsterRun) -> bool:
    """Whether a run that is over is to be started again, and was not yet."""
    return run.tags.get(WILL_RETRY_TAG) == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags


def failure_of(instance: dg.DagsterInstance, run: dg.DagsterRun, alerts: AlertsResource) -> Failed:
    """What a run that is over failed to do."""
    job = run.job_name
    planned = planned_of(instance, run.run_id)
    failed: dict[str, str] = {}
    done: set[str] = set()
    for each in instance.all_logs(run.run_id, of_type=STEPS):
        event = each.get_dagster_event()
        if event.event_type is DagsterEventType.STEP_SUCCESS:
            done.add(event.step_key or "")
        else:
            failed[event.step_key or ""] = _said(event.step_failure_data.error)
    subjects = [
        subject for step in failed for subject in subjects_of_step(planned, job, step)
    ] or _undone(planned, done)
    ended_at, said = _end_of(instance, run)
    evidence = next((each for each in failed.values() if each), said)
    return Failed(
        run_id=run.run_id,
        job=job,
        subjects=tuple(dict.fromkeys(subjects)) or (dagster_alerts.run(job),),
        evidence=evidence,
        page=alerts.run_page(run.run_id),
        failed_at=ended_at,
        partition=partition_of(run.tags),
        level=level_of(run.tags),
        owners=owners_of(run.tags),
    )


def _undone(planned: Planned, done: Iterable[str]) -> list[Subject]:
    """What a run whose process ended was to make, and had not made; its checks if that is all."""
    made = set(done)
    left = [each for step, makes in planned.by_step.items() if step not in made for each in makes]
    return [each for each in left if each.kind == "asset"] or left


def _said(error: Any) -> str:
    """What an error says, in one line without secrets: the user's own, not Dagster's around it."""
    if error is not None and error.cls_name == WRAPPER and error.cause is not None:
        error = error.cause
    return "" if error is None else evidence_line(error.message.strip())


def _end_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[datetime, str]:
    """When a run ended, and what Dagster says of it."""
    ends = instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_FAILURE)
    if not ends:
        return machine_now(), "The run ended without an error."
    said = ends[-1].get_dagster_event().message
    return datetime.fromtimestamp(ends[-1].timestamp, UTC), evidence_line(said or "The run ended.")
