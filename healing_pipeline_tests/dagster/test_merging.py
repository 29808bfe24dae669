"""Our definitions beside somebody's own: what may meet, and what is refused with a cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_installation import CONFIG, QUIET

from healing_pipeline import HealingClientResource, merged_definitions
from healing_pipeline.definitions import build_definitions
from healing_pipeline.errors import ConfigurationError

pytestmark = QUIET


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "healing_config.yaml"
    path.write_text(CONFIG % 8900, "utf-8")
    return path


@dg.asset(name="policy")
def their_policy() -> None: ...


@dg.asset
def weekly_letter() -> None: ...


@dg.op
def nothing() -> None: ...


@dg.job(name="prune")
def their_prune() -> None:
    nothing()


@dg.sensor(job=their_prune, name="probe_fred")
def their_sensor() -> None: ...


@dg.job
def write_letter() -> None:
    nothing()


their_schedule = dg.ScheduleDefinition(name="probe_fred", job=write_letter, cron_schedule="@daily")


WITH_ONE_OF_OURS: list[tuple[dict[str, Any], str]] = [
    ({"assets": [their_policy]}, "the asset `policy`"),
    ({"assets": [dg.AssetSpec("market_data")]}, "the asset `market_data`"),
    ({"jobs": [their_prune]}, "the job `prune`"),
    (
        {
            "assets": [weekly_letter],
            "jobs": [dg.define_asset_job("report_health", [weekly_letter])],
        },
        "the job `report_health`",
    ),
    ({"sensors": [their_sensor]}, "the sensor or schedule `probe_fred`"),
    (
        {"schedules": [their_schedule]},
        "the sensor or schedule `probe_fred`",
    ),
    ({"resources": {"healing": "of theirs"}}, "the resource `healing`"),
    (
        # What they had before they merged.
        {"resources": {"healing_client": HealingClientResource(config_path="healing_config.yaml")}},
        "the resource `healing_client`",
    ),
]


@pytest.mark.parametrize(
    ("own", "what"), WITH_ONE_OF_OURS, ids=[next(iter(each)) for each, _ in WITH_ONE_OF_OURS]
)
def test_a_name_that_both_use_is_refused_with_its_kind_and_the_cure(
    own: dict[str, Any], what: str, config: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        merged_definitions(dg.Definitions(**own), config, {})
    assert what in caught.value.problem
    assert "Rename yours" in caught.value.cure
    assert "code location of its own" in caught.value.cure
    # It is no more than Dagster refuses.
    with pytest.raises(dg.DagsterError):
        dg.Definitions.validate_loadable(
            dg.Definitions.merge(dg.Definitions(**own), build_definitions(config, {}))
        )


def test_all_names_that_both_use_are_told_at_once(config: Path) -> None:
    own = dg.Definitions(assets=[their_policy], jobs=[their_prune], resources={"healing": 1})
    with pytest.raises(ConfigurationError) as caught:
        merged_definitions(own, config, {})
    for each in ("the asset `policy`", "the job `prune`", "the resource `healing`"):
        assert each in caught.value.problem


def test_what_is_theirs_keeps_its_executor_and_its_resources(config: Path) -> None:
    own = dg.Definitions(
        assets=[weekly_letter],
        jobs=[dg.define_asset_job("write_letter", [weekly_letter])],
        resources={"postman": "pat", "io_manager": dg.mem_io_manager},
        executor=dg.multiprocess_executor,
    )
    merged = merged_definitions(own, config, {})
    dg.Definitions.validate_loadable(merged)
    assert merged.resolve_job_def("write_letter").executor_def is dg.multiprocess_executor
    assert merged.resolve_job_def("heal_endpoint").executor_def is dg.in_process_executor
    assert {"postman", "healing", "healing_client"} <= set(merged.resources or {})
