"""Two sensors that tell people of Dagster's own failures: of runs at once, of the rest in turn.

What fails here is no reason to lose anything: the watcher's cursor moves on only when all was told.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from healing_pipeline.control.alerting import fire, recover
from healing_pipeline.control.dagster_alerts import subject_of, succeeded
from healing_pipeline.control.ticking import complaints
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.orchestration.alert_backstop import tell_of_run, tell_of_untold
from healing_pipeline.orchestration.alert_recoveries import done_since
from healing_pipeline.orchestration.alerts_resource import AlertsResource, machine_now
from healing_pipeline.orchestration.failed_checks import evaluated_since, tell_of_checks
from healing_pipeline.orchestration.tickers import tickers
from healing_pipeline.storage.alert_groups import firing_groups
from healing_pipeline.storage.brief import BriefConnection
from healing_pipeline.storage.dagster_failures import prune_failures, standing_failures

ALERTS = "healing_alerts"

# A run that failed is told of by its hooks; this is for those whose hooks could not.
BACKSTOP_S = 10
WATCH_S = 20

# Whoever has not watched for that long has missed what others did meanwhile.
BREAK_S = 6 * WATCH_S

MOST_STANDING = 200
FORGET_AFTER = timedelta(days=30)

# Nobody makes a partition of a fortnight ago any more, or runs a job that is no more in the code.
WAIT_FOR = timedelta(days=14)

OF_TICKERS = ("dagster:sensor:", "dagster:schedule:", "dagster:location:")


@dg.run_failure_sensor(
    name="alert_on_run_failure",
    monitor_all_code_locations=True,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=BACKSTOP_S,
    description="Tells people of runs that failed, of every code location, unless their hooks did.",
)
def alert_on_run_failure(
    context: dg.RunFailureSensorContext, healing_alerts: AlertsResource
) -> None:
    """One call for each run; what it raises is on Dagster's page, and the watcher tells then."""
    run = context.dagster_run
    is_told = tell_of_run(context.instance, run, healing_alerts)
    context.log.info(f"{run.run_id} of {run.job_name}: {'told' if is_told else 'nothing to tell'}")


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watcher remembers from tick to tick; times in seconds since the epoch.

    Attributes
    ----------
    check : int or None
        The last evaluation of a check that was seen.
    runs_s : float
        Since when failed runs may be untold.
    since_s, last_s : float
        Since when it watches without a break, and its last tick.
    """

    check: int | None
    runs_s: float
    since_s: float
    last_s: float

    @classmethod
    def of_cursor(cls, cursor: str | None, now_s: float) -> tuple[Watched, datetime]:
        """Read what `cursor` wrote, after a break or without; and when that was.

        From now on where there is none.
        """
        try:
            said = json.loads(cursor or "null")
            found = cls(**{name: said[name] for name in ("check", "runs_s", "since_s", "last_s")})
        except (ValueError, TypeError, KeyError):
            return cls(None, now_s, now_s, now_s), datetime.fromtimestamp(now_s, UTC)
        is_break = now_s - found.last_s > BREAK_S
        since_s = now_s if is_break else found.since_s
        last_at = datetime.fromtimestamp(found.last_s, UTC)
        return replace(found, since_s=since_s, last_s=now_s), last_at

    @property
    def cursor(self) -> str:
        """To be read by `of_cursor`."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dg.sensor(
    name="alert_watch",
    minimum_interval_seconds=WATCH_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people of asset checks that fail, of sensors and schedules that do not tick "
    "or whose ticks fail, of failed runs that nobody told of, and of what is well again.",
)
def alert_watch(
    context: dg.SensorEvaluationContext, healing_alerts: AlertsResource
) -> dg.SensorResult:
    """Look at what Dagster has on record since the last time."""
    instance, now = context.instance, machine_now()
    watched, last_at = Watched.of_cursor(context.cursor, now.timestamp())
    evaluated = evaluated_since(instance, watched.check, last_at)
    late, go_on = tell_of_untold(
        instance, datetime.fromtimestamp(watched.runs_s, UTC), healing_alerts, now
    )
    with healing_alerts.connection() as connection:
        failed, passed = tell_of_checks(instance, connection, evaluated, healing_alerts)
        done = _recover(instance, connection, healing_alerts, now)
        silent = _tell_of_tickers(context, connection, watched, healing_alerts, now)
        prune_failures(connection, now - FORGET_AFTER)
    watched = replace(
        watched,
        check=max((each.storage_id for each in evaluated), default=watched.check or 0),
        runs_s=go_on.timestamp(),
    )
    return dg.SensorResult(
        skip_reason=f"told of {late} runs, {failed} checks; {passed} checks and {done} failures "
        f"are well again; {silent} sensors and schedules in trouble",
        cursor=watched.cursor,
    )


def _recover(
    instance: dg.DagsterInstance,
    connection: BriefConnection,
    alerts: AlertsResource,
    now: datetime,
) -> int:
    done = 0
    for each in standing_failures(connection, MOST_STANDING):
        note = done_since(instance, connection, each)
        if note is None and now - each.failed_at > WAIT_FOR:
            note = (
                f"nothing: it was not done within {WAIT_FOR.days} days, and is waited for no more"
            )
        if note is not None:
            done += succeeded(
                connection,
                subject_of(each.subject),
                each.partition,
                done_at=now,
                at=alerts.now(),
                note=note,
            )
    return done


def _tell_of_tickers(
    context: dg.SensorEvaluationContext,
    connection: BriefConnection,
    watched: Watched,
    alerts: AlertsResource,
    now: datetime,
) -> int:
    place = context.code_location_origin
    found = complaints(
        tickers(
            context.instance,
            context.repository_def,
            None if place is None else place.location_name,
        ),
        now.timestamp(),
        watched.since_s,
    )
    for each in found:
        fire(
            connection,
            fingerprint=each.fingerprint,
            level=Severity.ERROR,
            title=each.title,
            body=each.evidence,
            at=alerts.now(),
            detail={"evidence": each.evidence},
        )
    wrong = {each.fingerprint for each in found}
    for group in firing_groups(connection):
        if group.fingerprint.startswith(OF_TICKERS) and group.fingerprint not in wrong:
            recover(
                connection,
                fingerprint=group.fingerprint,
                at=alerts.now(),
                note="it ticks again, or was switched off",
            )
    return len(found)
