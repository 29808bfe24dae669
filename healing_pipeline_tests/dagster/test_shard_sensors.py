"""Code locations that share the looking: each has the sensors of its part, one has the rest."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster_installation import QUIET

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.definitions import build_definitions
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.orchestration.sensors import watching_sensors
from healing_pipeline.stack.control_path import grpc_workers

pytestmark = QUIET


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "healing_config.yaml"
    text, is_there = default_config_text(), "endpoints_per_sensor: 500"
    assert is_there in text
    path.write_text(text.replace(is_there, "endpoints_per_sensor: 9"))
    return path


def names(definitions: dg.Definitions) -> list[str]:
    return [each.name for each in definitions.sensors or ()]


def test_a_large_source_has_several_sensors_and_the_others_keep_theirs(config: Path) -> None:
    whole = names(build_definitions(config, {}))
    probing = [each for each in whole if each.startswith("probe_")]
    of_yahoo = [f"probe_yahoo_{number}_of_3" for number in (1, 2, 3)]
    assert set(probing) >= {*of_yahoo, "probe_alpha_vantage", "probe_exchange_rate"}
    assert "probe_yahoo" not in probing
    assert len(probing) == len(set(probing))
    # Each that stays in its tick has a thread of the code server, and calls have theirs.
    assert grpc_workers(len(probing)) >= len(probing) + 5


def test_two_locations_that_share_the_looking_have_every_sensor_once(config: Path) -> None:
    one = build_definitions(config, {"HEALING_SHARDS": "1/2,rest"})
    other = build_definitions(config, {"HEALING_SHARDS": "2/2"})
    for each in (one, other):
        dg.Definitions.validate_loadable(each)
    probing = [{each for each in names(one_of) if each.startswith("probe_")} for one_of in
               (one, other)]  # fmt: skip
    assert probing[0]
    assert not probing[0] & probing[1]
    assert {each.replace("_1_of_2", "_2_of_2") for each in probing[0]} >= {
        each for each in probing[1] if each.endswith("_2_of_2")
    }
    # Both stand in and heal; learning, reports and pruning are done once.
    assert set(watching_sensors(())) <= set(names(one)) & set(names(other))
    assert {each.name for each in other.jobs or ()} == {"heal_endpoint"}
    assert not other.assets
    assert not other.schedules
    assert one.assets
    assert one.schedules


def test_a_part_that_there_is_not_is_refused_when_the_location_loads(config: Path) -> None:
    with pytest.raises(ConfigurationError, match="HEALING_SHARDS"):
        build_definitions(config, {"HEALING_SHARDS": "yahooo:1/2"})
