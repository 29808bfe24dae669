"""The component HealingSources in a project's folder of definitions, written in YAML or Python."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTreeException
from dagster.components.core.package_entry import discover_package_objects
from dagster.components.core.snapshot import get_package_entry_snap
from dagster.components.testing.utils import DefsFolderSandbox, create_defs_folder_sandbox
from dagster_installation import QUIET
from dagster_shared.serdes.objects import EnvRegistryKey

from healing_pipeline import HealingSources
from healing_pipeline.components.scaffolding import CONFIGURATION
from healing_pipeline.errors import ConfigurationError

pytestmark = [
    QUIET,
    # Dagster's own way of reading a component's file, and of adding where it stands.
    pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster.PreviewWarning"),
]

SENSORS = {"probe_yahoo", "probe_polygon"}


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[DefsFolderSandbox]:
    for name in ("HEALING_CONFIG", "HEALING_UPSTREAMS"):
        monkeypatch.delenv(name, raising=False)
    with create_defs_folder_sandbox() as project:
        yield project


def loaded(project: DefsFolderSandbox) -> dg.Definitions:
    with project.build_all_defs() as definitions:
        dg.Definitions.validate_loadable(definitions)
        return definitions


def refusal(project: DefsFolderSandbox) -> ConfigurationError:
    """What Dagster shows as the cause, below its own picture of where."""
    with pytest.raises(ComponentTreeException) as caught:
        loaded(project)
    assert isinstance(caught.value.__cause__, ConfigurationError)
    return caught.value.__cause__


@pytest.mark.parametrize("form", ["yaml", "python"])
def test_what_is_scaffolded_loads(project: DefsFolderSandbox, form: str) -> None:
    folder = project.scaffold_component(HealingSources, "sources", scaffold_format=form)  # type: ignore[arg-type]
    definitions = loaded(project)
    names = {each.name for each in definitions.sensors or ()}
    assert {each for each in names if each.startswith("probe_")} == SENSORS
    config = folder / ("defs.yaml" if form == "yaml" else "healing_config.yaml")
    assert (definitions.resources or {})["healing_client"].config_path == str(config.resolve())


def test_a_component_may_name_a_configuration_that_lies_elsewhere(
    project: DefsFolderSandbox,
) -> None:
    (project.project_root / "healing.yaml").write_text(CONFIGURATION, "utf-8")
    file = {"type": "healing_pipeline.HealingSources"}
    project.scaffold_component(
        HealingSources,
        "sources",
        defs_yaml_contents={**file, "attributes": {"config": "../../../../healing.yaml"}},
    )
    resource = (loaded(project).resources or {})["healing"]
    assert resource.config_path == str((project.project_root / "healing.yaml").resolve())


def test_assets_of_ours_can_be_changed_by_the_projects_own_post_processing(
    project: DefsFolderSandbox,
) -> None:
    folder = project.scaffold_component(HealingSources, "sources")
    with (folder / "defs.yaml").open("a") as file:
        file.write("post_processing:\n  assets: [{target: '*', attributes: {tags: {team: a}}}]\n")
    specs = {each.key.to_user_string(): each for each in loaded(project).resolve_all_asset_specs()}
    assert specs["market_data"].tags["team"] == "a"


def test_two_components_in_one_project_are_refused_with_both_their_places(
    project: DefsFolderSandbox,
) -> None:
    for name in ("these", "those"):
        project.scaffold_component(HealingSources, name)
    said = str(refusal(project))
    assert "2 HealingSources" in said
    assert f"`src/{project.project_name}/defs/these/defs.yaml`" in said
    assert f"`src/{project.project_name}/defs/those/defs.yaml`" in said
    assert "Write all sources into one of them" in said


def test_a_mistake_is_told_by_the_line_of_the_components_file_and_its_cure(
    project: DefsFolderSandbox,
) -> None:
    written = project.scaffold_component(HealingSources, "sources") / "defs.yaml"
    text = written.read_text("utf-8").replace("interval_s: 300", "interval_s: 5")
    written.write_text(text, "utf-8")
    error = refusal(project)
    assert error.path == written
    assert error.line is not None
    assert "interval_s: 5" in text.splitlines()[error.line - 1]
    assert "from 30 to 600" in error.cure


def test_a_name_and_a_configuration_together_are_refused(project: DefsFolderSandbox) -> None:
    written = project.scaffold_component(HealingSources, "sources") / "defs.yaml"
    text = written.read_text("utf-8").replace("attributes:\n", "attributes:\n  config: a.yaml\n")
    written.write_text(text, "utf-8")
    error = refusal(project)
    assert error.line == text.splitlines().index("  config: a.yaml") + 1
    assert "Keep `config` alone" in error.cure


def test_a_component_is_not_appended_to_another_ones_file(project: DefsFolderSandbox) -> None:
    folder = project.scaffold_component(HealingSources, "sources")
    scaffolder = HealingSources.__scaffolder_cls__()  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="a folder of its own"):
        scaffolder.scaffold(
            dg.ScaffoldRequest(
                type_name="healing_pipeline.HealingSources",
                target_path=folder / "defs.yaml",
                scaffold_format="yaml",
                project_root=project.project_root,
                params=None,
                append=True,
            )
        )


def test_dg_is_told_what_the_component_is_and_may_hold() -> None:
    key = EnvRegistryKey("healing_pipeline", "HealingSources")
    found = discover_package_objects(["healing_pipeline"])
    assert set(found) == {key}, "nothing else in the package looks like a component"
    snap = get_package_entry_snap(key, found[key])
    assert snap.summary
    assert "watched, and healed" in snap.summary
    assert set(snap.produces) >= {"asset", "sensor", "job", "resource"}
    assert {"config", "sources", "endpoints"} <= set(snap.component_schema["properties"])
