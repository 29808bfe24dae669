"""Hooks for anyone's jobs, ops and assets: people are told when they fail, and when they are well.

A hook fires for a step, after its last retry. It never fires when the run's process is killed; the
sensor of failed runs tells then, and whoever comes second finds it told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import dagster as dg

from healing_pipeline.control.dagster_alerts import Failed, succeeded, tell
from healing_pipeline.orchestration.alerts_resource import AlertsResource, machine_now
from healing_pipeline.orchestration.failed_runs import (
    level_of,
    owners_of,
    partition_of,
    planned_of,
    subjects_done_by,
    subjects_of_step,
    will_be_retried,
)
from healing_pipeline.probing.redaction import evidence_line


class AlertHooks(NamedTuple):
    """The two that belong together: `set` of it is what ``hooks=`` takes."""

    on_failure: dg.HookDefinition
    on_success: dg.HookDefinition


def alert_hooks(resource_key: str) -> AlertHooks:
    """Hooks that take the database from a resource of the code location.

    Parameters
    ----------
    resource_key : str
        The key under which the code location has an `AlertsResource`. Dagster refuses to load
        without it.
    """
    return _hooks(
        f"_by_{resource_key}",
        frozenset({resource_key}),
        lambda context: getattr(context.resources, resource_key),
    )


def _hooks(
    suffix: str,
    keys: frozenset[str],
    alerts_of: Callable[[dg.HookContext], AlertsResource],
) -> AlertHooks:
    @dg.failure_hook(name=f"alert_on_failure{suffix}", required_resource_keys=set(keys))
    def on_failure(context: dg.HookContext) -> None:
        """Tell people that this failed, once."""
        _never_breaks(context, lambda: _failed(context, alerts_of(context)))

    @dg.success_hook(name=f"alert_on_success{suffix}", required_resource_keys=set(keys))
    def on_success(context: dg.HookContext) -> None:
        """Tell people, if they were told of its failure, that it is well again."""
        _never_breaks(context, lambda: _done(context, alerts_of(context)))

    return AlertHooks(on_failure, on_success)


def _never_breaks(context: dg.HookContext, work: Callable[[], None]) -> None:
    try:
        work()
    # Whatever it is, the run is not to end by it: what it did is worth more than that it was told.
    except Exception as error:
        context.log.warning(
            f"Nobody was told ({evidence_line(f'{type(error).__name__}: {error}')}). The sensor "
            "alert_on_run_failure tells of a failure later."
        )


def _failed(context: dg.HookContext, alerts: AlertsResource) -> None:
    instance = context.instance
    run = instance.get_run_by_id(context.run_id)
    assert run is not None, "the run of this hook goes on"
    if will_be_retried(instance, run):
        context.log.info("Dagster tries this run again: people are told if its last try fails.")
        return
    planned = planned_of(instance, run.run_id)
    tags = _tags_of(context)
    error = context.op_exception
    failed = Failed(
        run_id=run.run_id,
        job=context.job_name,
        subjects=subjects_of_step(planned, context.job_name, context.step_key),
        evidence=evidence_line(f"{type(error).__name__}: {error}") if error else "It failed.",
        page=alerts.run_page(run.run_id),
        failed_at=machine_now(),
        partition=partition_of(run.tags),
        level=level_of(tags, run.tags),
        owners=owners_of(tags, run.tags),
    )
    with alerts.connection() as connection:
        is_told = tell(connection, failed, alerts.now())
    context.log.info(f"{failed.title}: {'told' if is_told else 'told already'}.")


def _done(context: dg.HookContext, alerts: AlertsResource) -> None:
    run = context.instance.get_run_by_id(context.run_id)
    assert run is not None, "the run of this hook goes on"
    planned = planned_of(context.instance, run.run_id)
    done = subjects_done_by(
        context.instance, planned, context.job_name, run.run_id, context.step_key
    )
    if not done:
        return
    with alerts.connection() as connection:
        for subject in done:
            if succeeded(
                connection,
                subject,
                partition_of(run.tags),
                done_at=machine_now(),
                at=alerts.now(),
                note=f"run {run.run_id} of {context.job_name}",
            ):
                context.log.info(f"{subject.words} is well again.")


def _tags_of(context: dg.HookContext) -> Mapping[str, str]:
    return context.op.tags


alert_on_failure, alert_on_success = _hooks("", frozenset(), lambda _: AlertsResource())
