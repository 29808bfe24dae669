"""Asset checks that failed: Dagster itself tells nobody of one that does not block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType, RunShardedEventsCursor

from healing_pipeline.control import dagster_alerts
from healing_pipeline.control.dagster_alerts import Failed, Subject, succeeded, tell
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.orchestration.alerts_resource import AlertsResource
from healing_pipeline.orchestration.failed_runs import owners_of, partition_of
from healing_pipeline.probing.redaction import evidence_line
from healing_pipeline.storage.brief import BriefConnection

# Evaluations of a tick; what is beyond them waits for the next.
MOST = 1000

OVERLAP = timedelta(seconds=10)

LEVELS = {
    dg.AssetCheckSeverity.WARN: Severity.WARNING,
    dg.AssetCheckSeverity.ERROR: Severity.ERROR,
}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a check said, and of which run it is."""

    storage_id: int
    run_id: str
    job: str
    at: datetime
    evaluation: dg.AssetCheckEvaluation
    partition: str | None

    @property
    def subject(self) -> Subject:
        """What was checked."""
        key = self.evaluation.asset_key.to_user_string()
        return dagster_alerts.check(key, self.evaluation.check_name)

    @property
    def evidence(self) -> str:
        """What it said, in a line."""
        said = self.evaluation
        values = (
            f"{name}: {each.value}"
            for name, each in said.metadata.items()
            if isinstance(each.value, str | int | float)
        )
        return evidence_line("; ".join(filter(None, (said.description, *values))) or "no reason")


def evaluated_since(
    instance: dg.DagsterInstance, after: int | None, at: datetime
) -> list[Evaluated]:
    """The evaluations after one, the oldest first; without one the newest, to begin with.

    Parameters
    ----------
    at : datetime
        When that one was seen. Dagster's files, unlike its PostgreSQL, do not number events across
        runs: there whatever is of a run that went on since is seen again, which does no harm.
    """
    kind, cursor = DagsterEventType.ASSET_CHECK_EVALUATION, None
    if after is not None:
        sharded = instance.event_log_storage.is_run_sharded
        cursor = RunShardedEventsCursor(after, at - OVERLAP) if sharded else after
    records = instance.event_log_storage.get_event_records(
        dg.EventRecordsFilter(event_type=kind, after_cursor=cursor),
        limit=MOST,
        ascending=after is not None,
    )
    found = []
    for each in sorted(records, key=lambda each: (each.event_log_entry.timestamp, each.storage_id)):
        entry = each.event_log_entry
        evaluation = entry.get_dagster_event().asset_check_evaluation_data
        run_id = entry.run_id
        run = instance.get_run_by_id(run_id) if run_id and not evaluation.passed else None
        found.append(
            Evaluated(
                storage_id=each.storage_id,
                # What is reported from outside has no run.
                run_id=run_id or f"none:{each.storage_id}",
                job=entry.job_name or "no job",
                at=datetime.fromtimestamp(entry.timestamp, UTC),
                evaluation=evaluation,
                partition=evaluation.partition or (None if run is None else partition_of(run.tags)),
            )
        )
    return found


def tell_of_checks(
    instance: dg.DagsterInstance,
    connection: BriefConnection,
    evaluated: list[Evaluated],
    alerts: AlertsResource,
) -> tuple[int, int]:
    """Tell of those whose latest evaluation failed, and of those that pass again; how many each."""
    latest = {(each.subject, each.partition): each for each in evaluated}
    failed = passed = 0
    for each in latest.values():
        if each.evaluation.passed:
            passed += succeeded(
                connection,
                each.subject,
                each.partition,
                done_at=each.at,
                at=alerts.now(),
                note=f"it passed in run {each.run_id} of {each.job}",
            )
    for group in _by_run(each for each in latest.values() if not each.evaluation.passed):
        failed += tell(connection, _failed(instance, group, alerts), alerts.now())
    return failed, passed


def _by_run(failing: Iterator[Evaluated]) -> Iterator[list[Evaluated]]:
    """What one run found, a level after the other: a warning is no error's companion."""
    found: dict[tuple[str, Severity, str | None], list[Evaluated]] = {}
    for each in failing:
        level = LEVELS[each.evaluation.severity]
        found.setdefault((each.run_id, level, each.partition), []).append(each)
    yield from found.values()


def _failed(instance: dg.DagsterInstance, group: list[Evaluated], alerts: AlertsResource) -> Failed:
    first = group[0]
    run = instance.get_run_by_id(first.run_id)
    said = [f"{each.evaluation.check_name}: {each.evidence}" for each in group]
    return Failed(
        run_id=first.run_id,
        job=first.job,
        subjects=tuple(each.subject for each in group),
        evidence=said[0] if len(said) == 1 else " ".join(said),
        page=alerts.run_page(first.run_id),
        failed_at=first.at,
        partition=first.partition,
        level=LEVELS[first.evaluation.severity],
        owners=() if run is None else owners_of(run.tags),
    )
