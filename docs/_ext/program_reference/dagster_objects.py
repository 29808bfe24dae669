"""Assets, checks, jobs, sensors and schedules, from the definitions that Dagster loads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import dagster as dg

from healing_pipeline.definitions import build_definitions
from program_reference.default_catalog import CONFIG
from program_reference.markdown import as_markdown, code, sentence, table


def text() -> str:
    """A table for each kind of definition."""
    found = build_definitions(CONFIG, {})
    assets = [
        [code(spec.key.to_user_string()), _partitions(spec.partitions_def), _told(spec.description)]
        for each in found.assets or ()
        for spec in each.specs  # type: ignore[union-attr]
    ]
    checks = [
        [code(spec.name), code(spec.asset_key.to_user_string()), _told(spec.description)]
        for each in found.asset_checks or ()
        for spec in each.check_specs  # type: ignore[union-attr]
    ]
    jobs = [
        [code(each.name), _told(each.description)]
        for each in sorted(found.jobs or (), key=lambda each: each.name)
    ]
    sensors = [
        [code(each.name), _asks(each), _told(each.description)]
        for each in sorted(found.sensors or (), key=lambda each: each.name)
    ]
    schedules = [
        [code(each.name), code(each.cron_schedule), code(each.job_name)]
        for each in sorted(found.schedules or (), key=lambda each: each.name)
    ]
    resources = [
        [code(name), _told(getattr(each, "description", None) or type(each).__doc__)]
        for name, each in (found.resources or {}).items()
    ]
    return "\n\n".join(
        [
            "## Assets", table(["asset", "partitions", "what it is"], sorted(assets)),
            "## Asset checks", table(["check", "of", "what it holds"], sorted(checks)),
            "## Jobs", table(["job", "what it does"], jobs),
            "## Sensors", table(["sensor", "requests", "what it does"], sensors),
            "## Schedules", table(["schedule", "when (UTC)", "job"], schedules),
            "## Resources", table(["resource", "what it is"], resources),
        ]
    )  # fmt: skip


def _told(description: str | None) -> str:
    """The first paragraph, as Markdown."""
    first = (description or "").strip().split("\n\n", 1)[0]
    return sentence(as_markdown(first))


def _partitions(partitions: dg.PartitionsDefinition[Any] | None) -> str:
    if partitions is None:
        return ""
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return " and ".join(each.name for each in partitions.partitions_defs)
    kind = type(partitions).__name__.removesuffix("PartitionsDefinition")
    return re.sub(r"(?<!^)(?=[A-Z])", " ", kind).lower()


def _asks(sensor: dg.SensorDefinition) -> str:
    targets: Iterable[Any] = sensor.targets or ()
    return ", ".join(code(each.job_name) for each in targets if getattr(each, "job_name", None))
