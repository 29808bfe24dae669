"""The examples as somebody meets them: the built wheel, a folder elsewhere, Dagster's commands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clean_environment import REPOSITORY, CleanEnvironment, CleanEnvironments

from healing_pipeline.simulator.control import RunningSimulator, running_simulator

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]  # a first run downloads libraries

GUIDE = REPOSITORY / "docs" / "how_to" / "use_in_an_existing_project.md"


@pytest.fixture(scope="module")
def upstreams() -> Iterator[RunningSimulator]:
    """Simulated providers, with the fault that the guide has its reader cause."""
    (command,) = re.findall(r"^curl .*/control/faults .*$", GUIDE.read_text("utf-8"), re.M)
    with running_simulator(seed=7, quotas="off") as running:
        running.control.start()
        words = shlex.split(command.replace(":8900/", f":{running.base_port}/"))
        subprocess.run(words, check=True, capture_output=True, timeout=20)
        assert len(running.control.faults()) == 1
        yield running


@pytest.fixture(scope="module")
def with_dg(clean_environments: CleanEnvironments) -> CleanEnvironment:
    """The wheel and Dagster's command line for projects, which a user installs besides."""
    return clean_environments(packages=("dagster-dg-cli",))


def copied(name: str, folder: Path) -> Path:
    shutil.copytree(
        REPOSITORY / "examples" / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder / name


def move(config: Path, upstreams: RunningSimulator) -> None:
    """Let the simulated providers be where this test's are."""
    text = re.sub(r"simulator: .*\n", "", config.read_text("utf-8"))
    port = f"simulator: {{port: {upstreams.base_port}}}"
    text, found = re.subn(r"( *)upstreams: simulated\n", rf"\g<0>\g<1>{port}\n", text)
    assert found == 1
    config.write_text(text, "utf-8")


def used(
    environment: CleanEnvironment, project: Path, state_dir: Path, *asked: str, **environ: str
) -> dict[str, Any]:
    """What becomes of a project's asset and of our sensors on the instance that it describes."""
    told = {
        "DAGSTER_HOME": str(project),
        "HEALING_STATE_DIR": str(state_dir),
        "PYTHONPATH": str(project),
        **environ,
    }
    program = Path(__file__).with_name("use_project.py")
    done = environment.run("python", program, *asked, cwd=project, environ=told)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert Path(found.pop("package")).is_relative_to(environment.wheel.parents[1]), "from the wheel"
    assert found.pop("watched").startswith("told of 0 runs"), "with no database to begin with"
    assert found.pop("threads") is True
    assert found["metadata"].pop("close") > 0
    assert found["metadata"].pop("as_of")
    return found


def test_an_existing_project_reads_healed_data_and_has_its_sources_watched(
    clean_environment: CleanEnvironment,
    upstreams: RunningSimulator,
    state_dir: Path,
    tmp_path: Path,
) -> None:
    """With the embedded server, which is not there before the first sensor ticks."""
    project = copied("existing_project", tmp_path)
    move(project / "healing_config.yaml", upstreams)
    found = used(
        clean_environment, project, state_dir,
        "weekly_letter.definitions", "write_letter", "price_letter", "probe_yahoo",
    )  # fmt: skip
    assert found == {
        "metadata": {"fidelity": "exact", "healed_by": "alternate_host"},
        "requests": ["yahoo/chart-spy-1d"],
    }


def test_a_component_is_scaffolded_checked_and_read_through(
    with_dg: CleanEnvironment,
    upstreams: RunningSimulator,
    database_url: str,
    state_dir: Path,
    tmp_path: Path,
) -> None:
    project = copied("component_project", tmp_path)
    written = project / "market_notes" / "defs" / "sources" / "defs.yaml"
    shipped = written.read_text("utf-8")
    shutil.rmtree(written.parent)
    with_dg.run("dg", "scaffold", "defs", "healing_pipeline.HealingSources", "sources", cwd=project)
    assert written.read_text("utf-8") == shipped, "the example is what is scaffolded"
    move(written, upstreams)
    said = with_dg.run("dg", "check", "defs", cwd=project)
    assert "All component YAML validated successfully" in said.stdout
    assert "All definitions loaded successfully" in said.stdout + said.stderr
    found = used(
        with_dg, project, state_dir,
        "market_notes.definitions", "__ASSET_JOB", "market_note", "probe_yahoo",
        HEALING_DATABASE_URL=database_url,
    )  # fmt: skip
    assert found["metadata"] == {"fidelity": "exact", "healed_by": "alternate_host"}
    # What is found first is asked for at once; the other may come with the next tick.
    assert {*found["requests"]} & {"yahoo/chart-aapl-1d", "yahoo/chart-spy-1d"}
