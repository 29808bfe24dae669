"""Sensors: one per shard of a source, that looks and requests heal runs; stand-ins; reports."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import dagster as dg

from healing_pipeline.catalog.shards import Shard
from healing_pipeline.control.asking import Request
from healing_pipeline.control.lookout import STAND_INS, STAY_S, Watch
from healing_pipeline.control.punctuality import LOOP_S, Punctuality, at_tick
from healing_pipeline.orchestration.jobs import heal_endpoint
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.storage.checks import newest_settled_event

# How long an evaluation stays in its tick.
TICK_S = STAY_S

# The daemon's loop takes five seconds. A sensor that asked for exactly that would be passed over
# whenever its turn comes a moment sooner after the last one, and then wait for another five.
INTERVAL_S = 4

# A report takes seconds of CPU time for its pictures: it waits until healing has had its turn, but
# not for ever where something always heals.
QUIET_S = 15.0
REPORTED_WITHIN_S = 300.0

# By which a run is found again whichever sensor requested it; run keys are a sensor's own.
EVENT_TAG = "healing/incident_event"


def watching_sensors(names: Iterable[str]) -> list[str]:
    """The names of all sensors that look at sources, or shards, of these names."""
    own = [f"probe_{name}" for name in names]
    return own + [f"stand_in_{number + 1}" for number in range(STAND_INS)]


def probe_sensor(shard: Shard) -> dg.SensorDefinition:
    """Build the sensor ``probe_<source>``, or ``probe_<source>_1_of_4`` where it has shards."""
    part = "" if shard.of == 1 else f", shard {shard.number} of {shard.of}"

    @dg.sensor(
        name=f"probe_{shard.name}",
        job=heal_endpoint,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Probes what is due at {shard.source}{part}, hears what its readers met, and "
        "requests a heal run for each incident.",
        tags={"healing/source": shard.source},
    )
    def evaluate(context: dg.SensorEvaluationContext, healing: HealingResource) -> dg.SensorResult:
        account = punctuality(context, LOOP_S)
        lookout = healing.lookout()
        watch = lookout.watch(shard.name, account.stay_s(TICK_S), requested_before(context))
        return told(account, watch, healing.session().clock.now)

    return evaluate


def stand_in_sensor(number: int) -> dg.SensorDefinition:
    """Build the sensor ``stand_in_<number>``."""

    @dg.sensor(
        name=f"stand_in_{number}",
        job=heal_endpoint,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks at the sources whose own sensors are between two ticks, so that there "
        f"is no moment when nobody looks; one of {STAND_INS} that take turns.",
    )
    def evaluate(context: dg.SensorEvaluationContext, healing: HealingResource) -> dg.SensorResult:
        # It may stay for two turns.
        account = punctuality(context, 2 * LOOP_S)
        watch = healing.lookout().stand_in(account.stay_s(TICK_S), requested_before(context))
        return told(account, watch, healing.session().clock.now)

    return evaluate


def requested_before(context: dg.SensorEvaluationContext) -> Callable[[int], bool]:
    """Whether Dagster has a run that was requested for an incident event."""

    def is_requested(event_id: int) -> bool:
        return context.instance.get_runs_count(dg.RunsFilter(tags={EVENT_TAG: str(event_id)})) > 0

    return is_requested


def punctuality(context: dg.SensorEvaluationContext, every_s: float) -> Punctuality:
    """How late the sensor's ticks are, with this one, which begins now."""
    return at_tick(
        Punctuality.of_cursor(context.cursor),
        time.time(),
        switched_on_at=context.last_sensor_start_time,
        every_s=every_s,
    )


def told(account: Punctuality, watch: Watch, now: Callable[[], datetime]) -> dg.SensorResult:
    """What a tick tells Dagster: runs to request, or what it saw; and how late it began."""
    late_s = account.latest_s
    if watch.requests:
        return dg.SensorResult(
            run_requests=[run_request(each, late_s, now()) for each in watch.requests],
            cursor=account.cursor,
        )
    saw = f"{watch.probed} probed, {watch.bad} bad, {watch.skipped} over their budget"
    if not watch.stayed and watch.looks == 0:
        saw = "left to a stand-in: the code server has no worker to spare"
    return dg.SensorResult(
        skip_reason=f"{saw}; {late_s:.1f} s late" if late_s else saw, cursor=account.cursor
    )


def run_request(request: Request, late_s: float, now: datetime) -> dg.RunRequest:
    """Ask for one heal run; the run key names the event, so it is asked for once."""
    heal = request.heal
    config = {"incident_id": heal.incident_id, "event_id": heal.event_id}
    return dg.RunRequest(
        run_key=heal.run_key,
        run_config={"ops": {"diagnose": {"config": config}}},
        tags={
            "healing/source": request.source,
            "healing/endpoint": heal.endpoint,
            "healing/incident": str(heal.incident_id),
            "healing/failure_class": str(heal.failure_class),
            EVENT_TAG: str(heal.event_id),
            # How long the incident waited for somebody to ask, and by which clock the rest counts.
            "healing/asked_after_s": f"{max(0.0, (now - request.since).total_seconds()):.3f}",
            "healing/requested_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "healing/tick_late_s": f"{late_s:.1f}",
        },
    )


def report_sensor(job_name: str) -> dg.SensorDefinition:
    """Build the sensor that asks for a health report when an incident has moved."""

    @dg.sensor(
        name="report_on_change",
        job_name=job_name,
        minimum_interval_seconds=20,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a new health_report when an incident was healed, escalated or "
        "resolved since the last.",
    )
    def evaluate(
        context: dg.SensorEvaluationContext, healing: HealingResource
    ) -> dg.SensorResult | dg.SkipReason:
        session = healing.session()
        with session.database.connection() as connection:
            newest = newest_settled_event(connection)
        now = session.clock.now()
        # Up to which event there is a report, and since when there is news that has none.
        reported, _, waits_since = (context.cursor or "0@0").partition("@")
        if newest is None or newest[0] <= int(reported):
            return dg.SkipReason("no incident was settled since the last report")
        event_id, settled_at = newest
        since_s = float(waits_since or 0) or now.timestamp()
        is_quiet = (now - settled_at).total_seconds() >= QUIET_S
        if not is_quiet and now.timestamp() - since_s < REPORTED_WITHIN_S:
            return dg.SensorResult(
                skip_reason="incidents are being healed; a report would take their time",
                cursor=f"{reported}@{since_s}",
            )
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"report_after_event:{event_id}")],
            cursor=f"{event_id}@0",
        )

    return evaluate
