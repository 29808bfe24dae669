"""The gateway as a process: real sockets, a real upstream that fails, clients that misbehave."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx
import psutil
import pytest

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.simulator.control import running_simulator

pytestmark = pytest.mark.processes

NOWHERE = "postgresql://healing@127.0.0.1:1/none"
QUOTE = "/v1/yahoo/quote-aapl"
READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 8.0


@dataclass(frozen=True)
class RunningGateway:
    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def simulator():
    with running_simulator(seed=5, quotas="off") as running:
        yield running


@pytest.fixture(autouse=True)
def calm(simulator):
    simulator.control.clear_faults()
    yield
    simulator.control.clear_faults()


@contextmanager
def running_gateway(
    simulator, folder, *, metered: bool = True, **environ: str
) -> Iterator[RunningGateway]:
    config = folder / "healing_config.yaml"
    text = default_config_text().replace("port: 8900", f"port: {simulator.base_port}")
    config.write_text(text if metered else re.sub(r"\n +quota: .*", "", text))
    env = {name: each for name, each in os.environ.items() if not name.startswith("HEALING_")}
    env |= {"HEALING_STATE_DIR": str(folder / "state"), "HEALING_DATABASE_URL": NOWHERE, **environ}
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "healing_pipeline", "gateway"),
            *(f"--config={config}", f"--port={port}"),
        ],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield RunningGateway(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=STOPPED_WITHIN_S)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def gateway(simulator, tmp_path_factory):
    """One gateway for all that leaves it as it was; PostgreSQL is away all the time."""
    with running_gateway(simulator, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def test_it_serves_without_postgresql_and_says_so(gateway):
    response = httpx.get(gateway.url + QUOTE)
    assert response.status_code == 200
    assert response.json()["quoteResponse"]["result"][0]["symbol"] == "AAPL"
    assert response.headers["x-healing-fidelity"] == "exact"
    assert abs(parsedate_to_datetime(response.headers["date"]).timestamp() - time.time()) < 5
    assert "server" not in response.headers
    told = httpx.get(f"{gateway.url}/readyz").json()
    assert told["ready"] is True
    assert told["postgresql"] == "away"


def test_a_failure_is_healed_inside_the_deadline_and_labelled(gateway, simulator):
    fresh = httpx.get(gateway.url + QUOTE)
    simulator.control.add_fault({"match": {"source": "yahoo"}, "fault": "server_error"})
    began = time.monotonic()
    healed = httpx.get(gateway.url + QUOTE, headers={"X-Healing-Deadline": "2"})
    assert time.monotonic() - began < 2.2
    assert healed.status_code == 200
    assert healed.headers["x-healing-fidelity"] == "stale"
    assert healed.headers["x-healing-strategy"] == "use_cached_data"
    assert healed.headers["cache-status"].startswith("healing; ")
    assert healed.json() == fresh.json()
    plain = httpx.get(gateway.url + QUOTE, headers={"X-Healing": "off"})
    assert plain.status_code >= 500
    only_exact = httpx.get(gateway.url + QUOTE, headers={"X-Healing-Accept": "exact"})
    assert only_exact.status_code == 502
    problem = only_exact.json()
    assert problem["failure_class"] == "server_error"
    assert {each["strategy"] for each in problem["tried"]} >= {"use_cached_data"}
    page = httpx.get(gateway.url + problem["type"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_silence_upstream_is_504_within_the_readers_own_deadline(gateway, simulator):
    simulator.control.add_fault({"match": {"source": "fred"}, "fault": "timeout"})
    began = time.monotonic()
    response = httpx.get(
        f"{gateway.url}/v1/fred/m2sl",
        headers={"X-Healing-Accept": "exact", "X-Healing-Deadline": "0.8"},
    )
    assert time.monotonic() - began < 1.0
    assert response.status_code == 504
    assert response.json()["failure_class"] == "timeout"


def test_another_question_is_refused_by_the_engine_itself(gateway):
    response = httpx.get(f"{gateway.url}{QUOTE}?symbols=MSFT")
    assert response.status_code == 400
    assert response.json()["type"] == "/problems/another-question"


def test_readers_who_go_away_leave_nothing_behind(gateway, simulator):
    process = psutil.Process(gateway.process.pid)
    httpx.get(gateway.url + QUOTE)
    simulator.control.add_fault({"match": {"source": "yahoo"}, "fault": "slow", "latency_s": 2})
    before = process.num_fds()
    for number in range(30):
        with closing(socket.create_connection(("127.0.0.1", gateway.port))) as reader:
            target = f"/v1/yahoo/chart-aapl-1d?range={number % 3 + 1}mo"
            reader.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    simulator.control.clear_faults()
    deadline = time.monotonic() + 15
    while process.num_fds() > before + 8:
        assert time.monotonic() < deadline, "connections of readers who went away stay open"
        time.sleep(0.1)
    assert httpx.get(gateway.url + QUOTE).status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET http://evil.example/v1/yahoo/quote-aapl HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
        (b"GET /proxy/yahoo/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /v1/yahoo/%2e%2e/quote-aapl HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /v1/yahoo/quote-aapl?a=" + b"b" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"400"),
        (b"GET /v1/x HTTP/1.1\r\nX: " + b"y" * 70_000, b"400"),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"4"),
        (b"\x16\x03\x01\x02\x00\x01\x00", b"400"),
    ],
)
def test_what_is_no_question_of_ours_is_refused_and_the_gateway_goes_on(gateway, sent, status):
    """A target in absolute form names a host; it is our own path that is answered, or nothing."""
    with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=10)) as client:
        client.sendall(sent)
        answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert httpx.get(f"{gateway.url}/healthz").status_code == 200


def test_a_token_is_asked_of_everybody_once_it_is_set(simulator, tmp_path):
    token = "correct-horse-battery-staple"
    with running_gateway(simulator, tmp_path, HEALING_GATEWAY_TOKEN=token) as gateway:
        assert httpx.get(gateway.url + QUOTE).status_code == 401
        let_in = httpx.get(gateway.url + QUOTE, headers={"Authorization": f"Bearer {token}"})
        assert let_in.status_code == 200
        as_key = f"{gateway.url}/proxy/alpha_vantage/query?function=GLOBAL_QUOTE&symbol=IBM"
        assert httpx.get(f"{as_key}&apikey={token}").status_code == 200
        assert httpx.get(f"{as_key}&apikey=another").status_code == 401


def test_an_open_door_without_a_token_is_one_line_that_names_the_cure(tmp_path):
    config = tmp_path / "healing_config.yaml"
    config.write_text(default_config_text())
    env = {name: each for name, each in os.environ.items() if not name.startswith("HEALING_")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "healing_pipeline", "gateway"),
            *(f"--config={config}", "--host=0.0.0.0"),
        ],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "HEALING_GATEWAY_TOKEN" in line


def test_asked_to_stop_it_answers_who_is_waiting_and_loses_no_fact(simulator, tmp_path):
    with running_gateway(simulator, tmp_path) as gateway:
        simulator.control.add_fault(
            {"match": {"source": "fred"}, "fault": "slow", "latency_s": 0.7}
        )
        with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=10)) as client:
            client.sendall(b"GET /v1/fred/dgs10 HTTP/1.1\r\nHost: x\r\n\r\n")
            deadline = time.monotonic() + 5
            while not any(each["source"] == "fred" for each in simulator.control.log()):
                assert time.monotonic() < deadline
            gateway.process.send_signal(signal.SIGTERM)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        assert gateway.process.wait(STOPPED_WITHIN_S) == 0
        spooled = "".join(
            each.read_text() for each in (tmp_path / "state" / "spool").glob("*.jsonl")
        )
        assert '"fact": "answer"' in spooled
        assert "fred/dgs10" in spooled
