"""The whole stack with real processes: a newcomer's first minute, and what a stop leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.simulator.control import _free_block
from healing_pipeline.stack.ports import is_open

ROOT = Path(__file__).parents[2]
HEALED_WITHIN_S = 150.0
STOPPED_WITHIN_S = 10.0

SCENARIO = """\
name: burst
sources: [yahoo, fred, polygon, alpha_vantage, exchange_rate]
duration_s: 600
traffic: {readers: 2, requests_per_s: 20}
faults:
  - {at_s: 3, for_s: 500, match: {source: yahoo, path: "/v7/finance/quote"}, fault: rate_limit}
"""

RUNS = """
{ runsOrError(filter: {pipelineName: "heal_endpoint", statuses: [SUCCESS]}) {
    ... on Runs { results { runId tags { key value } } } } }
"""


@pytest.fixture
def project(tmp_path):
    """A project folder of its own, with ports of its own; (folder, web port, gateway port)."""
    base = _free_block()
    for name in ("dagster.yaml", "workspace.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    text = default_config_text().replace("port: 8900", f"port: {base}")
    assert f"port: {base}" in text
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "healing_config.yaml").write_text(text)
    (tmp_path / "burst.yaml").write_text(SCENARIO)
    return tmp_path, base - 1, base - 2


@pytest.mark.processes
@pytest.mark.timeout(240)
def test_a_failure_is_healed_through_dagster_and_the_stack_stops_without_a_trace(
    project, state_dir
):
    folder, port, gateway_port = project
    state = state_dir / "up"
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HEALING_")},
        "HEALING_STATE_DIR": str(state),
    }
    command = [sys.executable, "-m", "healing_pipeline"]
    log = folder / "up.log"
    began = time.monotonic()
    with log.open("wb") as output:
        up = subprocess.Popen(
            [
                *(*command, "up", f"--port={port}", f"--gateway-port={gateway_port}"),
                "--scenario=burst.yaml",
            ],
            cwd=folder,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _until(lambda: " healed " in log.read_text(), up, log, began + HEALED_WITHIN_S)
        # The run is over a moment after what it did can be seen.
        _until(lambda: "yahoo" in _healed_sources(port), up, log, time.monotonic() + 30)
        report = subprocess.run(
            [*command, "report", "--json"], cwd=folder, env=env, capture_output=True, check=True
        )
        healed = [each for each in json.loads(report.stdout)["incidents"] if each["heals"]]
        assert {each["strategy"] for each in healed} == {"use_cached_data"}
        assert {each["fidelity"] for each in healed} == {"stale"}
        gateway = f"http://127.0.0.1:{gateway_port}"
        assert f"curl -i {gateway}/v1/" in log.read_text()
        quote = f"{gateway}/v1/yahoo/quote-aapl"
        _until(lambda: httpx.get(quote).status_code == 200, up, log, time.monotonic() + 10)
        said = httpx.get(quote).headers
        assert said["x-healing-fidelity"] == "stale"
        assert said["x-healing-strategy"] == "use_cached_data"
        assert int(said["age"]) > 0
        assert httpx.get(f"{gateway}/readyz").json()["postgresql"] == "connected"
        second = subprocess.run(
            [*command, "up"], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert "runs already" in second.stderr
        assert len(second.stderr.strip().splitlines()) == 1
        # Whoever dies is started again: here the gateway and PostgreSQL at once.
        gateway_before = next(
            each
            for each in _family(up.pid)
            if each.status() != psutil.STATUS_ZOMBIE and "gateway" in each.cmdline()
        )
        server = int((state / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGKILL)
        gateway_before.kill()
        _until(lambda: "signal 9" in log.read_text(), up, log, time.monotonic() + 10)
        _until(lambda: _is_connected(gateway), up, log, time.monotonic() + 60)
        _until(lambda: "PostgreSQL answers again" in log.read_text(), up, log,
               time.monotonic() + 30)  # fmt: skip
        started = _family(up.pid)
        assert len(started) >= 8
        alerts = (state / "logs" / "alerts.log").read_text()
        assert "Alerts are looked after. Channels: none but the dashboard." in alerts
    finally:
        asked = time.monotonic()
        up.send_signal(signal.SIGTERM)
        code = up.wait(30)
    assert code == 0
    assert time.monotonic() - asked < STOPPED_WITHIN_S
    # Zombies are dead; in a container without an init nobody buries them.
    living = [
        each for each in started if each.is_running() and each.status() != psutil.STATUS_ZOMBIE
    ]
    assert living == []
    assert not is_open(port)
    assert not is_open(gateway_port)
    assert not (state / "code.sock").exists()
    assert (state / "up.lock").read_text() == ""
    assert "Stopped." in (state / "logs" / "alerts.log").read_text()


@pytest.mark.processes
@pytest.mark.parametrize("option", ["--port", "--gateway-port"])
def test_a_port_in_use_is_one_line_that_names_the_cure(project, state_dir, option):
    import socket

    folder, port, gateway_port = project
    env = {**os.environ, "HEALING_STATE_DIR": str(state_dir / "up")}
    taken = {"--port": port, "--gateway-port": gateway_port}[option]
    with socket.create_server(("127.0.0.1", taken)):
        up = subprocess.run(
            [
                *(sys.executable, "-m", "healing_pipeline", "up"),
                *(f"--port={port}", f"--gateway-port={gateway_port}"),
            ],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    assert up.returncode == 1
    (line,) = up.stderr.strip().splitlines()
    assert f"Port {taken}" in line
    assert option in line


def _until(condition, up, log, deadline):
    while not condition():
        assert up.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def _healed_sources(port):
    runs = httpx.post(f"http://127.0.0.1:{port}/graphql", json={"query": RUNS}, timeout=30)
    tags = [
        {each["key"]: each["value"] for each in run["tags"]}
        for run in runs.json()["data"]["runsOrError"]["results"]
    ]
    return {each["healing/source"] for each in tags}


def _is_connected(gateway):
    try:
        return httpx.get(f"{gateway}/readyz").json()["postgresql"] == "connected"
    except httpx.TransportError:
        return False


def _family(pid):
    """The process and everything below it, process groups of the stack included."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]
