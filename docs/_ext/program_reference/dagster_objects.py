"""Assets, checks, jobs, sensors and schedules, from the definitions that Dagster loads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import dagster as dg

from healing_pipeline.definitions import build_definitions
from program_reference.default_catalog import CONFIG
from program_reference.markdown import code, sentence, table


def text() -> str:
    """A table for each kind of definition."""
    found = build_definitions(CONFIG, {})
    repository = found.get_repository_def()
    graph = found.resolve_asset_graph()
    assets = [
        [code(key.to_user_string()), _partitions(graph.get(key)), _told(graph.get(key).description)]
        for key in sorted(graph.get_all_asset_keys())
    ]
    checks = [
        [code(key.name), code(key.asset_key.to_user_string()), _told(graph.get(key).description)]
        for key in sorted(graph.asset_check_keys, key=lambda each: each.name)
    ]
    jobs = [
        [code(each.name), _told(each.description)]
        for each in sorted(repository.get_all_jobs(), key=lambda each: each.name)
        if not each.name.startswith("__")
    ]
    sensors = [
        [code(each.name), _asks(each), _told(each.description)] for each in repository.sensor_defs
    ]
    schedules = [
        [code(each.name), code(each.cron_schedule), code(each.job_name)]
        for each in repository.schedule_defs
    ]
    resources = [
        [code(name), _told(getattr(each, "description", None) or type(each).__doc__)]
        for name, each in (found.resources or {}).items()
    ]
    return "\n\n".join(
        [
            "## Assets", table(["asset", "partitions", "what it is"], assets),
            "## Asset checks", table(["check", "of", "what it holds"], checks),
            "## Jobs", table(["job", "what it does"], jobs),
            "## Sensors", table(["sensor", "requests", "what it does"], sensors),
            "## Schedules", table(["schedule", "when (UTC)", "job"], schedules),
            "## Resources", table(["resource", "what it is"], resources),
        ]
    )  # fmt: skip


def _told(description: str | None) -> str:
    """The first paragraph, as Markdown."""
    first = (description or "").strip().split("\n\n", 1)[0]
    return sentence(re.sub(r"``(.+?)``", r"`\1`", first))


def _partitions(asset: Any) -> str:
    partitions: dg.PartitionsDefinition[Any] | None = asset.partitions_def
    if partitions is None:
        return ""
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return " and ".join(each.name for each in partitions.partitions_defs)
    kind = type(partitions).__name__.removesuffix("PartitionsDefinition")
    return re.sub(r"(?<!^)(?=[A-Z])", " ", kind).lower()


def _asks(sensor: dg.SensorDefinition) -> str:
    targets: Iterable[Any] = sensor.targets or ()
    return ", ".join(code(each.job_name) for each in targets if getattr(each, "job_name", None))
