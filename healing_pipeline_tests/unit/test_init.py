"""`healing init`: what it writes into an empty folder, and what it leaves as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from imported import HERE
from typer.testing import CliRunner, Result

from healing_pipeline.cli.app import app
from healing_pipeline.errors import ConfigurationError, HealingPipelineError
from healing_pipeline.stack.project import NAMES, absent, write_absent

ROOT = Path(__file__).parents[2]
CONFIG = Path("config/healing_config.yaml")
GATUS = str(HERE / "gatus.yaml")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HEALING_CONFIG", "HEALING_UPSTREAMS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def init(*arguments: str, told: str | None = None) -> Result:
    return CliRunner().invoke(app, ["init", *arguments], input=told, catch_exceptions=True)


def files(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def test_an_empty_folder_has_all_that_healing_up_reads_afterwards(folder: Path) -> None:
    assert init().exit_code == 0
    assert files(folder) == {str(CONFIG), *NAMES}
    assert not absent(folder)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_package_brings_is_what_this_project_runs_by(name: str, folder: Path) -> None:
    write_absent(folder)
    assert (folder / name).read_bytes() == (ROOT / name).read_bytes(), (
        f"copy {name} to healing_pipeline/stack/project_files"
    )


def test_files_of_dagster_that_are_there_are_never_touched(folder: Path) -> None:
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    assert init("--force").exit_code == 0
    assert (folder / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    assert (folder / "workspace.yaml").exists()


def test_a_configuration_that_is_there_is_kept_and_what_is_absent_is_written(folder: Path) -> None:
    CONFIG.parent.mkdir()
    assert init().exit_code == 0
    (folder / "workspace.yaml").unlink()
    before = CONFIG.read_text().replace("per_minute: 60", "per_minute: 61")
    CONFIG.write_text(before)
    again = init()
    assert again.exit_code == 0
    assert "Kept" in again.output
    assert CONFIG.read_text() == before
    assert (folder / "workspace.yaml").exists()
    assert isinstance(init().exception, ConfigurationError)


@pytest.mark.parametrize("tool", ["dagster", "dg"])
def test_a_dagster_project_of_somebody_s_own_stays_as_it_is(tool: str, folder: Path) -> None:
    (folder / "pyproject.toml").write_text(f'[tool.{tool}]\nmodule_name = "theirs"\n')
    assert init().exit_code == 0
    assert files(folder) == {str(CONFIG), "pyproject.toml"}


def test_an_import_is_written_told_and_given_to_programs(folder: Path) -> None:
    told = init("--from", GATUS)
    assert told.exit_code == 0, told.exception
    assert "4 of 10 monitors of Gatus" in told.output
    for left_out in ("database", "router", "jobs/nightly backup"):
        assert f"  {left_out}: " in told.output
    first = CONFIG.read_text()
    account = json.loads(init("--from", GATUS, "--force", "--json").output)
    assert CONFIG.read_text() == first
    assert len(account["carried_over"]) == 4
    assert len(account["left_out"]) == 6
    endpoints = yaml.safe_load(first)["endpoints"]
    assert {each["endpoint"] for each in account["carried_over"]} == set(endpoints)
    assert {each["name"] for each in account["variables"]} == {
        "SHOP_KEY",
        "SHOP_TOKEN",
        "FRED_API_KEY",
    }


def test_a_folder_of_gatus_is_read_as_one_file(folder: Path) -> None:
    for name, text in {
        "their/a.yaml": "endpoints: [{name: a, url: 'https://a.example/', conditions: []}]",
        "their/sub/b.yml": "endpoints: [{name: b, url: 'https://b.example/', conditions: []}]",
        "their/global.yaml": "metrics: true",
        "their/empty.yaml": "# nothing yet",
        "their/notes.txt": "endpoints: no",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    account = json.loads(init("--from", "their", "--json").output)
    assert [each["name"] for each in account["carried_over"]] == ["a", "b"]
    assert account["notes"] == ["section `metrics` is not carried over"]
    (folder / "their" / "sub" / "b.yml").write_text("endpoints: [")
    refused = init("--from", "their", "--force")
    assert "b.yml:2: This is not YAML" in str(refused.exception)


def test_what_is_piped_in_is_imported(folder: Path) -> None:
    assert init("--from", "-", told=(HERE / "kuma.json").read_text()).exit_code == 0
    assert "shop_example/front-page" in CONFIG.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("a: 1", "no tool"),
        ("endpoints: [{name: a, url: 'icmp://b'}]", "Nothing of it can be carried over"),
        ("\x00", "YAML"),
    ],
)
def test_nothing_is_written_where_nothing_can_be_imported(
    text: str, said: str, folder: Path
) -> None:
    Path("their.yaml").write_text(text)
    refused = init("--from", "their.yaml")
    assert isinstance(refused.exception, ConfigurationError)
    assert said in str(refused.exception)
    assert "their.yaml" in str(refused.exception)
    assert files(folder) == {"their.yaml"}


def test_bytes_that_are_no_text_and_files_that_are_not_there_are_refused(folder: Path) -> None:
    Path("their.yaml").write_bytes(b"\xff\xfe\xff")
    for name in ("their.yaml", "nowhere.yaml", "."):
        assert isinstance(init("--from", name).exception, HealingPipelineError)
    assert files(folder) == {"their.yaml"}


def test_an_import_replaces_a_configuration_only_when_told_to(folder: Path) -> None:
    assert init().exit_code == 0
    before = CONFIG.read_text()
    assert isinstance(init("--from", GATUS).exception, ConfigurationError)
    assert CONFIG.read_text() == before
    assert init("--from", GATUS, "--force").exit_code == 0
    assert CONFIG.read_text() != before
