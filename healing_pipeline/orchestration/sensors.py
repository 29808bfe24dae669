"""Sensors: one per source that looks and requests heal runs, and one that asks for a report."""

import time

import dagster as dg

from healing_pipeline.control.look import HealRequest
from healing_pipeline.orchestration.jobs import heal_endpoint
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.storage.checks import newest_settled_event

# A sensor loop ticks every five seconds at best. An evaluation stays in its tick and goes on
# looking, so that what happens between two ticks is not seen late.
TICK_S = 4.0
LOOK_EVERY_S = 1.0


def probe_sensor(source: str) -> dg.SensorDefinition:
    """Build the sensor ``probe_<source>``."""

    @dg.sensor(
        name=f"probe_{source}",
        job=heal_endpoint,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Probes what is due at {source}, hears what its readers met, and requests a "
        "heal run for each incident.",
        tags={"healing/source": source},
    )
    def evaluate(
        context: dg.SensorEvaluationContext, healing: HealingResource
    ) -> dg.SensorResult | dg.SkipReason:
        session = healing.session()
        until = time.monotonic() + TICK_S
        probed = skipped = bad = 0
        while True:
            began = time.monotonic()
            look = session.call(session.watcher.look, source)
            probed, skipped, bad = probed + look.probed, skipped + look.skipped, bad + look.bad
            # Run keys make asking twice harmless; the cursor only keeps it from being done all day.
            fresh = [each for each in look.requests if each.event_id > int(context.cursor or 0)]
            if fresh:
                newest = max(each.event_id for each in fresh)
                return dg.SensorResult(
                    run_requests=[run_request(source, each) for each in fresh], cursor=str(newest)
                )
            if time.monotonic() + LOOK_EVERY_S > until:
                return dg.SkipReason(f"{probed} probed, {bad} bad, {skipped} over their budget")
            time.sleep(max(0.0, LOOK_EVERY_S - (time.monotonic() - began)))

    return evaluate


def run_request(source: str, request: HealRequest) -> dg.RunRequest:
    """Ask for one heal run; the run key names the event, so it is asked for once."""
    config = {"incident_id": request.incident_id, "event_id": request.event_id}
    return dg.RunRequest(
        run_key=request.run_key,
        run_config={"ops": {"diagnose": {"config": config}}},
        tags={
            "healing/source": source,
            "healing/endpoint": request.endpoint,
            "healing/incident": str(request.incident_id),
            "healing/failure_class": str(request.failure_class),
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
        if newest <= int(context.cursor or 0):
            return dg.SkipReason("no incident was settled since the last report")
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"report_after_event:{newest}")],
            cursor=str(newest),
        )

    return evaluate
