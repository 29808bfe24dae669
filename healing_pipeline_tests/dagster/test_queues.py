"""Every run has its queue, whoever starts it and whatever launches it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster_installation import QUIET

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.definitions import build_definitions
from healing_pipeline.orchestration.queues import HEAL, LEARN, OTHER, QUEUE_TAG
from healing_pipeline.stack.celery import RUN_LAUNCHER, celery_parts

pytestmark = QUIET

ROOT = Path(__file__).parents[2]
LEARNED = {"inner_knowledge", "outer_knowledge", "policy", "health_report"}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    path = tmp_path_factory.mktemp("queues") / "healing_config.yaml"
    path.write_text(default_config_text(), encoding="utf-8")
    return build_definitions(path, {})


def test_heals_have_a_queue_of_their_own_and_what_takes_a_core_another(
    definitions: dg.Definitions,
) -> None:
    jobs = definitions.resolve_all_job_defs()
    queues = {each.name: each.run_tags.get(QUEUE_TAG, OTHER) for each in jobs}
    assert {name for name, queue in queues.items() if queue == "heal"} == {"heal_endpoint"}
    assert {name for name, queue in queues.items() if queue == "learn"} == {
        *("fold_hours", "prune", "report_health")
    }
    assert queues["refresh_market_data"] == OTHER


def test_what_automation_starts_goes_to_the_queue_of_learning(definitions: dg.Definitions) -> None:
    automation = definitions.resolve_sensor_def("learning_automation")
    assert isinstance(automation, dg.AutomationConditionSensorDefinition)
    assert automation.run_tags.items() >= LEARN.items()


def test_assets_name_the_queue_that_the_coordinator_gives_to_their_runs(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    named = {
        key.to_user_string(): graph.get(key).tags.get(QUEUE_TAG)
        for key in graph.get_all_asset_keys()
    }
    assert named == {**dict.fromkeys(LEARNED, "learn"), "market_data": None}
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert settings["run_coordinator"]["config"]["asset_tags"] == [QUEUE_TAG]


def test_the_workers_of_the_profile_listen_to_every_queue_and_heals_wait_for_no_other(
    tmp_path: Path,
) -> None:
    with celery_parts(tmp_path, {"HEALING_BROKER_URL": f"redis+socket://{tmp_path}/r"}) as parts:
        listened = [
            word.removeprefix("--queues=").split(",")
            for each in parts.extras
            for word in each.command
            if word.startswith("--queues=")
        ]
    assert sorted(listened) == [[HEAL[QUEUE_TAG]], [LEARN[QUEUE_TAG], OTHER]]
    assert RUN_LAUNCHER["config"]["default_queue"] == OTHER
