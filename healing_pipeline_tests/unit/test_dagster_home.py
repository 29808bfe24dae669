"""The settings of a drilled stack: the project's own, with its launcher chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.stack.dagster_home import Launcher, launcher_of, settings_of, write_home

ROOT = Path(__file__).parents[2]
BLOCK = {"module": "somewhere", "class": "SomeLauncher", "config": {"preload": ["a"]}}


@pytest.fixture
def settings():
    """The project's own, without the block that chooses a launcher."""
    return {name: each for name, each in settings_of(ROOT).items() if name != "run_launcher"}


def written(home):
    return yaml.safe_load((home / "dagster.yaml").read_text())


def test_all_but_the_place_of_files_is_as_the_project_has_it(settings, tmp_path):
    write_home(tmp_path / "home", settings, Launcher.DEFAULT)
    own = written(tmp_path / "home")
    assert own.pop("local_artifact_storage")["config"] == {
        "base_dir": str(tmp_path / "home" / "dagster")
    }
    assert own == {k: v for k, v in settings.items() if k != "local_artifact_storage"}
    assert {"storage", "run_coordinator", "run_monitoring", "sensors"} <= set(own)


@pytest.mark.parametrize("launcher", list(Launcher))
def test_the_launcher_is_the_one_that_was_asked_for(settings, tmp_path, launcher):
    with_block = {**settings, "run_launcher": BLOCK}
    write_home(tmp_path, with_block, launcher)
    assert written(tmp_path).get("run_launcher") == (BLOCK if launcher is Launcher.WARM else None)
    assert launcher_of(written(tmp_path)) is launcher


def test_a_warm_launcher_that_the_project_does_not_have_is_refused(settings, tmp_path):
    with pytest.raises(ConfigurationError, match="--launcher default"):
        write_home(tmp_path, settings, Launcher.WARM)
    assert not (tmp_path / "dagster.yaml").exists()


@pytest.mark.parametrize(
    ("text", "said"), [(None, "project's folder"), ("a: [", "cannot be read"), ("5", "no settings")]
)
def test_a_folder_without_usable_settings_is_refused_with_its_cure(tmp_path, text, said):
    if text is not None:
        (tmp_path / "dagster.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        settings_of(tmp_path)
