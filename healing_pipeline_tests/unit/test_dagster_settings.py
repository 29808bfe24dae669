"""What `healing check` says of an instance of Dagster that somebody else set up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.cli import config, dagster_settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "path",
    [
        ROOT / "dagster.yaml",
        ROOT / "examples" / "existing_project" / "dagster.yaml",
        ROOT / "examples" / "component_project" / "dagster.yaml",
    ],
    ids=["ours", "existing_project", "component_project"],
)
def test_nothing_is_lacking_in_a_file_of_ours(path: Path) -> None:
    assert dagster_settings.shortfalls(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("", ["use_threads", "purge_after_days"]),
        ("telemetry: {enabled: false}", ["use_threads", "purge_after_days"]),
        ("sensors: {use_threads: true}", ["purge_after_days"]),
        ("retention: {sensor: {purge_after_days: 7}}", ["use_threads"]),
        ("sensors: 3\nretention: [1]", ["use_threads", "purge_after_days"]),
        ("sensors: {use_threads: true", []),
    ],
)
def test_what_is_lacking_is_told_with_what_to_write(text: str, lacking: list[str]) -> None:
    found = dagster_settings.shortfalls(text)
    assert [word for word in ("use_threads", "purge_after_days") if word in "".join(found)] == (
        lacking
    )
    assert all("Write `" in each for each in found)


def test_check_tells_what_the_instance_lacks_and_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "healing_config.yaml"
    path.write_text(default_config_text(), "utf-8")
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", "utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.delenv("HEALING_DATABASE_URL", raising=False)
    assert config.check(path, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)["dagster"]
    assert len(told) == 2
    assert all(each.startswith(f"{home / 'dagster.yaml'}: ") for each in told)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert config.check(path, as_json=True) == 0
    assert "dagster" not in json.loads(capsys.readouterr().out)
