"""Sensors of learning: one finds hours whose facts came late, one evaluates automation."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from healing_pipeline.control.learning_run import hour_of
from healing_pipeline.orchestration.partitions import (
    Span,
    range_of,
    range_tags,
    stretches,
)
from healing_pipeline.orchestration.pod_sizes import LEARN_POD
from healing_pipeline.orchestration.queues import LEARN
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.storage.learning import LateHour, late_hours

# An hour is folded by its own run first, five minutes after its end; only what comes to pass after
# that, or would have been missed, is late.
GRACE = timedelta(minutes=15)

# After a long pause the rest waits for the next tick.
MOST_RUNS = 4

AN_HOUR = timedelta(hours=1)


def late_events_sensor(job_name: str, since: date, sources: Sequence[str]) -> dg.SensorDefinition:
    """Build the sensor ``late_events``."""
    begin = datetime(since.year, since.month, since.day, tzinfo=UTC)

    @dg.sensor(
        name="late_events",
        job_name=job_name,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for closed hours to be folded again when facts came in after their fold, "
        "or when they were never folded.",
    )
    def evaluate(
        context: dg.SensorEvaluationContext, healing: HealingResource
    ) -> dg.SensorResult | dg.SkipReason:
        session = healing.session()
        closed_before = hour_of(session.clock.now() - GRACE)
        with session.database.connection() as connection:
            hours, cursor = late_hours(
                connection, int(context.cursor or 0), closed_before, tuple(sources)
            )
        hours = [each for each in hours if each.hour >= begin]
        requests = run_requests(hours, sources)
        if len(requests) > MOST_RUNS:
            # The cursor stays, and the next tick finds the rest.
            return dg.SensorResult(run_requests=requests[:MOST_RUNS])
        context.update_cursor(str(cursor))
        if not requests:
            return dg.SkipReason("every fact of a closed hour is in its fold")
        return dg.SensorResult(run_requests=requests)

    return evaluate


def run_requests(hours: Sequence[LateHour], sources: Sequence[str]) -> list[dg.RunRequest]:
    """One run per stretch of hours, of all sources; its key names the newest fact behind it.

    Of all sources, because whether a failure was our own outage depends on what the others saw.
    """
    newest = {each.hour: each.seq for each in hours}
    requests = []
    for begin, end in stretches(newest, AN_HOUR):
        seq = max(seq for hour, seq in newest.items() if begin <= hour < end)
        requests.append(
            dg.RunRequest(
                run_key=f"late_event:{seq}:{begin:%Y-%m-%dT%H}",
                tags=range_tags(range_of(Span(begin, end, tuple(sources)))),
            )
        )
    return requests


def learning_automation() -> dg.AutomationConditionSensorDefinition:
    """Build the sensor that evaluates the assets' conditions; Dagster's own one is stopped."""
    return dg.AutomationConditionSensorDefinition(
        name="learning_automation",
        # By name: somebody's own group may be called `learning` too.
        target=dg.AssetSelection.assets("inner_knowledge", "outer_knowledge", "policy"),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        run_tags={**LEARN, **LEARN_POD},
        description="Folds each hour at five past, sums days and makes policies when their inputs "
        "have changed.",
    )
