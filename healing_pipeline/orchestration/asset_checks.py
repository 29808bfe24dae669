"""Checks on what the assets promise: freshness, honest labels, healing, somebody who looks."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from healing_pipeline.orchestration.assets import health_report, market_data
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.orchestration.sensors import watching_sensors
from healing_pipeline.orchestration.tick_times import sensor_times
from healing_pipeline.reporting.health import totals
from healing_pipeline.storage.checks import mislabelled, stored_data
from healing_pipeline.storage.policies import REFUSED, policy_versions
from healing_pipeline.storage.reports import latest_health_report

# What the project stands for; of the requests that met a healable failure.
LEAST_HEALING_RATE = 0.95

# Three probe intervals of the slowest endpoint.
OLDEST_DATA = timedelta(minutes=30)


@dg.asset_check(
    asset=market_data,
    name="every_endpoint_has_data",
    description="Every endpoint of the catalog has data, fetched within half an hour.",
)
def every_endpoint_has_data(healing: HealingResource) -> dg.AssetCheckResult:
    """Compare the catalog with the stored data."""
    session = healing.session()
    now = session.clock.now()
    with session.database.connection() as connection:
        stored = stored_data(connection)
    missing = sorted(set(session.catalog.endpoints) - set(stored))
    old = sorted(
        name
        for name, fetched_at in stored.items()
        if name in session.catalog.endpoints and now - fetched_at > OLDEST_DATA
    )
    return dg.AssetCheckResult(
        passed=not missing and not old,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"missing": ", ".join(missing) or "none", "old": ", ".join(old) or "none"},
    )


@dg.asset_check(
    asset=market_data,
    name="labels_are_honest",
    description="No answer that was called exact came from data fetched before it was asked for.",
)
def labels_are_honest(healing: HealingResource) -> dg.AssetCheckResult:
    """Look for answers whose label promises more than their strategy can give."""
    session = healing.session()
    with session.database.connection() as connection:
        wrong = mislabelled(connection, session.clock.now() - timedelta(days=1))
    return dg.AssetCheckResult(passed=wrong == 0, metadata={"mislabelled": wrong})


@dg.asset_check(
    asset=health_report,
    name="healing_rate",
    description="At least 95 % of the requests that met a healable failure got an accepted answer.",
)
def healing_rate(healing: HealingResource) -> dg.AssetCheckResult:
    """Read the newest report; no failure met is a pass."""
    session = healing.session()
    with session.database.connection() as connection:
        newest = totals(latest_health_report(connection))
    rate = newest.healing_rate
    return dg.AssetCheckResult(
        passed=rate is None or rate >= LEAST_HEALING_RATE,
        # Whoever has to know of what was not healed is called by its incident, once.
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "healed": newest.healed_requests,
            "met_healable_failure": newest.met_fault,
            "rate": "nothing met" if rate is None else rate,
        },
    )


@dg.asset_check(
    asset=health_report,
    name="ticks_are_on_time",
    description="Every sensor that looks at sources has ticked within half a minute, and 95 % of "
    "its ticks began within a turn of when they should: a report of what nobody looked at is none.",
)
def ticks_are_on_time(
    context: dg.AssetCheckExecutionContext, healing: HealingResource
) -> dg.AssetCheckResult:
    """Read the sensors' own account; one that was stopped by hand is no fault, but is named."""
    times = sensor_times(
        # Dagster's records are by the machine's clock, whatever the simulated date.
        context.instance,
        watching_sensors(shard.name for shard in healing.session().watcher.shards),
        datetime.now(UTC),
    )
    complaints = {each.sensor: each.complaint for each in times if each.complaint is not None}
    stopped = [each.sensor for each in times if not each.is_on]
    lines = "\n".join(
        f"| {each.sensor} | {'on' if each.is_on else 'stopped'} | {each.ticks} "
        f"| {each.late_p95_s:.1f} | {each.late_max_s:.1f} "
        f"| {'never' if each.silent_s is None else f'{each.silent_s:.0f}'} |"
        for each in times
    )
    head = "| sensor | is | last ticks | p95 late s | max late s | begun s ago |\n"
    return dg.AssetCheckResult(
        passed=not complaints,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "complaints": "; ".join(f"{name} {what}" for name, what in complaints.items())
            or "none",
            "stopped": ", ".join(stopped) or "none",
            "late_p95_s": max((each.late_p95_s for each in times), default=0.0),
            "late_max_s": max((each.late_max_s for each in times), default=0.0),
            "sensors": dg.MetadataValue.md(f"{head}|---|---|---|---|---|---|\n{lines}"),
        },
    )


@dg.asset_check(
    asset="policy",
    name="policy_is_no_worse",
    description="The newest policy would have healed no less of the last day's failures than the "
    "active one; otherwise it is refused, and the active one stays.",
)
def policy_is_no_worse(healing: HealingResource) -> dg.AssetCheckResult:
    """Read what became of the newest policy; none made yet is a pass."""
    session = healing.session()
    with session.database.connection() as connection:
        newest = policy_versions(connection, at_most=1)
    if not newest:
        return dg.AssetCheckResult(passed=True, metadata={"reason": "no policy was made yet"})
    (made,) = newest
    return dg.AssetCheckResult(
        passed=made.status != REFUSED,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"version": made.version, "status": made.status, "reason": made.reason},
    )
