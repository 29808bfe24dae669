"""A drill of the whole stack, as the command runs it: Dagster heals, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psutil
import psycopg
import pytest

from healing_pipeline.drill.score import is_clean
from healing_pipeline.stack.dagster_home import launcher_of, settings_of

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]

# Faults that outlast the readers: a run that a busy machine begins late still has what to heal.
SCENARIO = """
name: long_faults
sources: [yahoo, exchange_rate]
duration_s: 15
traffic: {readers: 4, requests_per_s: 24}
faults:
  - {at_s: 2, for_s: 600, match: {source: yahoo, path: "/v7/finance/quote"}, fault: rate_limit}
  - {at_s: 3, for_s: 600, match: {source: exchange_rate, host: v6}, fault: server_error}
"""


class Project:
    """A project's folder, its state, and the command in it."""

    def __init__(self, folder: Path, state: Path, dsn: str) -> None:
        self.folder, self.state, self.dsn = folder, state, dsn
        shutil.copy(ROOT / "dagster.yaml", folder)
        (folder / "long_faults.yaml").write_text(SCENARIO)
        own = {n: value for n, value in os.environ.items() if not n.startswith("HEALING_")}
        self.env = {**own, "HEALING_DATABASE_URL": dsn, "HEALING_STATE_DIR": str(state)}

    def drill(self, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "healing_pipeline", "drill", "--stack", "--json"]
        return subprocess.Popen(
            [*command, "--scenario", "long_faults.yaml", *options],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> list[str]:
        """Everything that runs for this project: its state is in their environment."""
        found = []
        for each in psutil.process_iter():
            with suppress(psutil.Error):
                if each.environ().get("HEALING_STATE_DIR", "").startswith(str(self.state)):
                    found.append(" ".join(each.cmdline()))
        return [each for each in found if each]  # a zombie has none

    def databases(self) -> list[str]:
        """Those of this project's role: other tests drill on the same server."""
        with psycopg.connect(self.dsn) as connection:
            query = "SELECT datname FROM pg_database WHERE datdba = current_user::regrole"
            return [name for (name,) in connection.execute(query)]


@pytest.fixture(scope="module")
def project(pg_server, tmp_path_factory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("stack_drill")
    role = f"stack_drill_{uuid4().hex[:12]}"
    with psycopg.connect(pg_server.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD '{role}'")
        parts = urlsplit(pg_server.url("postgres"))
        place = parts.netloc.rpartition("@")[2]
        dsn = urlunsplit(parts._replace(netloc=f"{role}:{role}@{place}"))
        yield Project(folder, folder / "state", dsn)
        connection.execute(f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def report(project) -> dict:
    """One drill, and what it printed."""
    drill = project.drill()
    said, complaint = drill.communicate(timeout=240)
    assert drill.returncode == 0, complaint + said
    return json.loads(said)


def test_every_reader_is_served_and_every_event_counted(report):
    assert is_clean(report), (report["error_examples"], report["wrong_examples"])
    assert report["requests"] > 300
    assert report["met_fault"] > 50
    assert report["healed_share"] == 1.0
    assert report["events"] >= 2 * report["requests"]
    assert (report["events_lost"], report["events_doubled"]) == (0, 0)
    assert report["faults_undetected"] == 0


def test_nobody_is_called_for_what_dagster_healed(report):
    alerts = report["alerts"]
    assert alerts["for_healed_faults"] == alerts["missed_incidents"] == alerts["over_allowed"] == 0


def test_dagsters_runs_heal_what_is_detected(report):
    heals = report["heals"]
    assert sum(heals.values()) == report["incident_members"] >= report["incidents"] > 0
    assert heals["healed"] > 0
    assert heals["waiting"] == 0
    assert report["runs"] >= heals["healed"] + heals["recovered"] + heals["escalated"]
    assert report["healed_and_verified_s"]["n"] == heals["healed"] + heals["recovered"]
    assert report["launcher"] == launcher_of(settings_of(ROOT))


def test_each_part_of_a_heal_has_its_time_and_they_come_in_their_order(report):
    pieces = report["pieces"]
    assert {"request_s", "queue_s", "launch_s"} < set(pieces)
    assert len(pieces) > 3, "the ops are told as well"
    for name, each in pieces.items():
        assert each["n"] > 0, name
        assert 0 <= each["p50"] <= each["p95"] <= each["max"], name
    assert 0 < report["time_to_launch_s"]["p50"] < report["healed_and_verified_s"]["p50"]


def test_detection_is_told_apart_by_whether_anybody_asks(report):
    with_traffic, idle = report["detect_with_traffic_from_begin_s"], report["detect_idle_s"]
    # Both faults hit all they match: four quotes and six rates, a third of each unread.
    assert with_traffic["n"] + with_traffic["undetected"] > idle["n"] + idle["undetected"] > 0
    assert with_traffic["undetected"] == idle["undetected"] == 0
    assert idle["n"] + with_traffic["n"] <= report["incident_members"]
    assert report["probes"] > 0


def test_nothing_is_left_of_a_drill(report, project):
    assert report["scenario"] == "long_faults"
    assert project.processes() == []
    assert project.databases() == []
    assert [each.name for each in project.state.iterdir()] == []


def test_ctrl_c_leaves_nothing_either(project):
    drill = project.drill()
    try:
        until = time.monotonic() + 90
        while not any("dagster-daemon" in each for each in project.processes()):
            assert drill.poll() is None, drill.communicate()
            assert time.monotonic() < until, project.processes()
            time.sleep(0.1)
        asked = time.monotonic()  # in the middle of starting
        drill.send_signal(signal.SIGINT)
        # A person who is impatient.
        time.sleep(0.5)
        drill.send_signal(signal.SIGINT)
        said, complaint = drill.communicate(timeout=60)
        took_s = time.monotonic() - asked
    finally:
        drill.kill()
    assert drill.returncode == 130
    # Six seconds for Dagster's processes, and some for a busy machine; not until all is started.
    assert took_s < 15
    assert said == ""
    assert complaint == "Stopped; nothing is left running.\n"
    assert project.processes() == []
    assert project.databases() == []
    assert [each.name for each in project.state.iterdir()] == []


def test_a_folder_that_is_no_project_is_refused_before_anything_starts(project, tmp_path):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "healing_pipeline", "drill", "--stack", "--scenario", "calm"],
        cwd=tmp_path,
        env=project.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "dagster.yaml" in line
    assert "project's folder" in line
    assert time.monotonic() - began < 20
