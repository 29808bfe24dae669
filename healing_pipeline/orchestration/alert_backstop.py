"""Runs that failed and of which nobody told: what their hooks could not, and what had no hooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

from healing_pipeline.control import dagster_alerts
from healing_pipeline.control.dagster_alerts import Failed, tell
from healing_pipeline.orchestration.alert_recoveries import INCIDENT_TAG
from healing_pipeline.orchestration.alerts_resource import AlertsResource
from healing_pipeline.orchestration.failed_runs import (
    failure_of,
    waits_for_retry,
    will_be_retried,
)
from healing_pipeline.orchestration.jobs import heal_endpoint
from healing_pipeline.storage.dagster_failures import runs_told

# An incident whose heal run is lost asks for another by itself. That many in a row that failed, of
# whichever incidents, or this many of one, are no accident.
IN_A_ROW, OF_ONE_INCIDENT = 3, 2

# A run that Dagster said it would try again, and did not within this, is told of after all.
RETRIED_WITHIN = timedelta(minutes=10)

MOST_RUNS = 500

# Runs end in transactions that overlap.
OVERLAP = timedelta(seconds=10)

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def tell_of_run(instance: dg.DagsterInstance, run: dg.DagsterRun, alerts: AlertsResource) -> bool:
    """Tell of a run that failed; False when it is told already, or nobody need know."""
    if will_be_retried(instance, run):
        return False
    return _told(instance, run, alerts)


def _told(instance: dg.DagsterInstance, run: dg.DagsterRun, alerts: AlertsResource) -> bool:
    failed = failure_of(instance, run, alerts)
    if run.job_name == heal_endpoint.name:
        because = _repeats(instance, run)
        if because is None:
            return False
        failed = Failed(
            run_id=run.run_id,
            job=run.job_name,
            subjects=(dagster_alerts.run(run.job_name),),
            evidence=f"{because}; the last said: {failed.evidence}",
            page=failed.page,
            failed_at=failed.failed_at,
            level=failed.level,
            owners=failed.owners,
        )
    with alerts.connection() as connection:
        return tell(connection, failed, alerts.now())


def _repeats(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """Why the failure of a heal run is worth telling; None when the incident's next run may do."""
    name = heal_endpoint.name
    last = instance.get_runs(dg.RunsFilter(job_name=name, statuses=ENDED), limit=IN_A_ROW)
    if len(last) == IN_A_ROW and all(each.is_failure for each in last):
        return f"the last {IN_A_ROW} heal runs failed"
    incident = run.tags.get(INCIDENT_TAG)
    if incident is None:
        return None
    failed = instance.get_runs_count(
        dg.RunsFilter(
            job_name=name,
            statuses=[dg.DagsterRunStatus.FAILURE],
            tags={INCIDENT_TAG: incident},
        )
    )
    if failed < OF_ONE_INCIDENT:
        return None
    return f"{failed} heal runs of incident {incident} failed"


def tell_of_untold(
    instance: dg.DagsterInstance, since: datetime, alerts: AlertsResource, now: datetime
) -> tuple[int, datetime]:
    """Tell of every run that failed since a moment and is not told of.

    Dagster passes a sensor of failed runs five runs a tick, and none a second time where telling
    of it failed. This is for those: it reads the runs themselves.

    Returns
    -------
    int
        How many were told of.
    datetime
        Since when to look the next time.
    """
    records = instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since - OVERLAP),
        limit=MOST_RUNS,
        order_by="update_timestamp",
        ascending=True,
    )
    with alerts.connection() as connection:
        known = runs_told(connection, [each.dagster_run.run_id for each in records])
    told, go_on = 0, since
    is_waiting = False
    for each in records:
        run = each.dagster_run
        updated_at = each.update_timestamp
        updated_at = updated_at if updated_at.tzinfo else updated_at.replace(tzinfo=UTC)
        if run.run_id not in known:
            if waits_for_retry(run):
                if now - updated_at < RETRIED_WITHIN:
                    is_waiting = True
                else:
                    told += _told(instance, run, alerts)
            else:
                told += tell_of_run(instance, run, alerts)
        if not is_waiting:
            go_on = max(go_on, updated_at)
    return told, go_on
