"""The built wheel: what it holds, and that it needs nothing that it does not declare."""

from __future__ import annotations

import json
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from clean_environment import CleanEnvironment

from healing_pipeline import __version__
from healing_pipeline.simulator.control import running_simulator

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]  # a first run downloads libraries

# What a part needs that comes with an extra only.
OF_EXTRAS = {"healing_pipeline.celery_runs": "celery"}

# Imports each module of the wheel; says which cannot be, and from where the package came.
IMPORT_ALL = """
import importlib, json, pkgutil, sys
import healing_pipeline
failed = {}
walked = pkgutil.walk_packages(healing_pipeline.__path__, "healing_pipeline.")
names = [each.name for each in walked]
for name in names:
    if name.endswith("__main__"):
        continue  # running it is what it is for
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as exc:
        failed[name] = exc.name
    except BaseException as exc:
        failed[name] = repr(exc)
json.dump({"modules": len(names), "failed": failed, "from": healing_pipeline.__file__}, sys.stdout)
"""


@pytest.fixture(scope="module")
def held(clean_environment: CleanEnvironment) -> zipfile.ZipFile:
    return zipfile.ZipFile(clean_environment.wheel)


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(
    held: zipfile.ZipFile, clean_environment: CleanEnvironment
) -> None:
    source = clean_environment.source
    files = {
        each.relative_to(source).as_posix()
        for each in (source / "healing_pipeline").rglob("*")
        if each.is_file()
    }
    assert {Path(each).suffix for each in files} >= {
        ".typed",
        ".html",
        ".py",
        ".sql",
        ".txt",
        ".yaml",
    }
    names = {each for each in held.namelist() if ".dist-info/" not in each}
    assert names == files


def test_its_metadata_are_those_of_pyproject(
    held: zipfile.ZipFile, clean_environment: CleanEnvironment
) -> None:
    source = clean_environment.source
    project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))["project"]
    (place,) = (each for each in held.namelist() if each.endswith(".dist-info/METADATA"))
    said = message_from_string(held.read(place).decode())
    assert (said["Name"], said["Version"]) == (project["name"], project["version"])
    assert said["License-Expression"] == project["license"]
    assert said["Requires-Python"] == project["requires-python"]
    assert set(said.get_all("Provides-Extra", [])) == set(project["optional-dependencies"])
    asked = [each for each in said.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert len(asked) == len(project["dependencies"])
    assert said.get_payload() == (source / "README.md").read_text("utf-8")


def test_what_is_installed_agrees_with_itself(clean_environment: CleanEnvironment) -> None:
    clean_environment.check()


def test_every_module_can_be_imported_with_what_the_wheel_declares(
    clean_environment: CleanEnvironment, tmp_path: Path
) -> None:
    done = clean_environment.run("python", "-c", IMPORT_ALL, cwd=tmp_path)
    found = json.loads(done.stdout)
    assert Path(found["from"]).is_relative_to(clean_environment.root)
    assert found["modules"] > 300
    failed = {
        name: missing
        for name, missing in found["failed"].items()
        if OF_EXTRAS.get(name.rpartition(".")[0]) != missing
    }
    assert not failed


def test_the_command_writes_checks_and_reads_with_nothing_else_running(
    clean_environment: CleanEnvironment, tmp_path: Path
) -> None:
    def said(*command: str) -> str:
        return clean_environment.run("healing", *command, cwd=tmp_path).stdout

    assert __version__ in said("--version")
    said("init")
    config = tmp_path / "config" / "healing_config.yaml"
    with running_simulator(seed=7, quotas="off") as upstreams:
        upstreams.control.start()
        text = config.read_text("utf-8").replace("port: 8900", f"port: {upstreams.base_port}")
        config.write_text(text, "utf-8")
        assert "No errors" in said("check")
        answer = json.loads(said("fetch", "fred/dgs10", "--json"))
    assert (answer["fidelity"], answer["strategy"]) == ("exact", "plain")
