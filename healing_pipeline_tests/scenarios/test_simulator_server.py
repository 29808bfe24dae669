"""The simulator as a real process on real sockets."""

import math
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from healing_pipeline.errors import PortInUseError
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine, Response
from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.simulator.control import SimulatorControl, SimulatorError, running_simulator
from healing_pipeline.simulator.faults import FaultKind
from healing_pipeline.simulator.hosts import HOSTS, SOURCES, addresses, hosts_of
from healing_pipeline.simulator.keys import default_keys
from healing_pipeline.simulator.truth import Truth

pytestmark = pytest.mark.processes

EPOCH = datetime(2026, 1, 5, 15, tzinfo=UTC)
KEYS = default_keys()
QUESTION = {
    "yahoo": ("/v8/finance/chart/^GSPC", {"interval": "1d", "range": "1mo"}),
    "fred": (
        "/fred/series/observations",
        {"series_id": "DGS10", "file_type": "json", "sort_order": "desc", "limit": "20"},
    ),
    "polygon": ("/v2/aggs/ticker/AAPL/range/1/day/2025-12-20/2026-01-05", {"sort": "asc"}),
    "alpha_vantage": ("/query", {"function": "TIME_SERIES_DAILY", "symbol": "IBM"}),
    "exchange_rate": ("/v6/latest/USD", {}),
}


def line(source):
    return RequestLine(*QUESTION[source])


@pytest.fixture(scope="module")
def sim():
    with running_simulator(seed=5, epoch=EPOCH) as running:
        yield running


@pytest.fixture
def client():
    with httpx.Client(timeout=5, trust_env=False) as each:
        yield each


@pytest.fixture(autouse=True)
def _no_faults_left(request):
    yield
    if "sim" in request.fixturenames:
        request.getfixturevalue("sim").control.clear_faults()


def ask(client, sim, source, host=None, key="primary", timeout=5.0, headers=None):
    path, params = QUESTION[source]
    host, headers, params = host or hosts_of(source)[0], dict(headers or {}), dict(params)
    secret = KEYS.get((source, key))
    if source == "exchange_rate" and host != "open":
        path = path.replace("/v6/", f"/v6/{secret}/")
    elif source == "polygon":
        headers["authorization"] = f"Bearer {secret}"
    elif source != "yahoo":
        params[{"fred": "api_key", "alpha_vantage": "apikey"}.get(source, "unused")] = secret
    url = sim.addresses[source, host] + path
    return client.get(url, params=params, headers=headers, timeout=timeout)


def verdict(source, response):
    seen = Response(response.status_code, dict(response.headers), response.content)
    return PROVIDERS[source].classify(seen, line(source))


def assert_true(source, response, seed, now):
    found, truth = (
        PROVIDERS[source].read(response.content, line(source)),
        Truth(seed).reading(source, line(source), now),
    )
    assert isinstance(found, Reading), found
    assert [(p.at, p.field) for p in found.points] == [(p.at, p.field) for p in truth.points]
    for one, other in zip(found.points, truth.points, strict=True):
        assert math.isclose(one.value, other.value, rel_tol=1e-4)
    assert abs((found.as_of - truth.as_of).total_seconds()) <= 3


@pytest.mark.parametrize(("source", "host"), HOSTS)
def test_every_host_serves_the_truth(sim, client, source, host):
    response = ask(client, sim, source, host)
    assert verdict(source, response).is_ok
    assert_true(source, response, sim.seed, sim.control.now())


# What a client sees on the wire; every other fault is an answer.
ON_THE_WIRE = {
    FaultKind.TIMEOUT: httpx.ReadTimeout,
    FaultKind.SLOW: httpx.ReadTimeout,
    FaultKind.NETWORK_ERROR: httpx.RemoteProtocolError,
    FaultKind.RESET: (httpx.ReadError, httpx.RemoteProtocolError),
    FaultKind.DOWN: (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError),
}
NEEDS_THE_TRUTH = {FaultKind.STALE_DATA, FaultKind.FROZEN_VALUE}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", ON_THE_WIRE)
def test_a_fault_on_the_wire_is_what_it_says(sim, client, kind, source):
    sim.control.add_fault({"fault": kind.value, "match": {"source": source}})
    with pytest.raises(ON_THE_WIRE[kind]):
        ask(client, sim, source, timeout=0.3)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in FaultKind
        if kind
        not in {
            *ON_THE_WIRE,
            *NEEDS_THE_TRUTH,
            FaultKind.TRUNCATE,
            FaultKind.SLOW_DRIP,
            FaultKind.HUGE_BODY,
        }
    ],
)
def test_a_fault_with_a_body_is_never_good_data(sim, client, kind, source):
    sim.control.add_fault({"fault": kind.value, "match": {"source": source}})
    for _ in range(2):
        response = ask(client, sim, source)
        readable = isinstance(PROVIDERS[source].read(response.content, line(source)), Reading)
        assert not (verdict(source, response).is_ok and readable), response.text[:200]
    assert {each["fault_kind"] for each in sim.control.log()[-2:]} == {kind.value}


@pytest.mark.parametrize("source", SOURCES)
def test_truncated_bodies_come_broken_in_http_and_broken_in_content(sim, client, source):
    sim.control.add_fault({"fault": "truncate", "match": {"source": source}})
    with pytest.raises(httpx.RemoteProtocolError):
        ask(client, sim, source)
    assert verdict(source, ask(client, sim, source)).failure_class == "invalid_data"
    with pytest.raises(httpx.RemoteProtocolError):
        ask(client, sim, source)


@pytest.mark.parametrize("source", SOURCES)
def test_a_dripping_body_defies_a_timeout_per_read(sim, client, source):
    sim.control.add_fault({"fault": "slow_drip", "match": {"source": source}})
    path, params = QUESTION[source]
    url = sim.addresses[source, hosts_of(source)[0]] + path
    began = time.monotonic()
    with client.stream("GET", url, params=params, timeout=0.35) as response:
        for number, byte in enumerate(response.iter_raw(1)):
            assert len(byte) == 1
            if number == 2:
                break
    assert time.monotonic() - began >= 0.35


def test_a_huge_body_is_huge_and_does_not_stop_the_others(sim, client):
    sim.control.add_fault({"fault": "huge_body", "match": {"source": "polygon"}})
    url = sim.addresses["polygon", "polygon"] + QUESTION["polygon"][0]
    with client.stream("GET", url) as response:
        assert int(response.headers["content-length"]) == 64 * 1024 * 1024
        got = 0
        for chunk in response.iter_raw():
            got += len(chunk)
            if got > 4_000_000:
                break
        assert verdict("fred", ask(client, sim, "fred")).is_ok


@pytest.mark.parametrize("source", SOURCES)
def test_stale_data_is_the_truth_of_an_earlier_moment(sim, client, source):
    sim.control.add_fault({"fault": "stale_data", "match": {"source": source}, "age_s": 6 * 86_400})
    response = ask(client, sim, source)
    assert verdict(source, response).is_ok
    assert_true(source, response, sim.seed, sim.control.now() - timedelta(days=6))


def test_a_frozen_value_stands_still_while_its_timestamps_move(sim, client):
    match = {"source": "yahoo"}
    sim.control.add_fault({"fault": "frozen_value", "match": match, "age_s": 7200})
    seen = [ask(client, sim, "yahoo").json()["chart"]["result"][0]]
    time.sleep(1.1)
    seen.append(ask(client, sim, "yahoo").json()["chart"]["result"][0])
    assert seen[0]["indicators"] == seen[1]["indicators"]
    assert seen[0]["meta"]["regularMarketTime"] < seen[1]["meta"]["regularMarketTime"]


def test_a_slow_answer_is_good_and_takes_its_time(sim, client):
    sim.control.add_fault({"fault": "slow", "latency_s": 0.4, "match": {"source": "fred"}})
    began = time.monotonic()
    assert verdict("fred", ask(client, sim, "fred")).is_ok
    assert 0.4 <= time.monotonic() - began < 2


def test_a_host_that_is_down_refuses_drops_what_is_open_and_comes_back(sim, client):
    assert ask(client, sim, "yahoo", "query1").status_code == 200
    port = sim.base_port + 1 + HOSTS.index(("yahoo", "query1"))
    sim.control.add_fault(
        {"fault": "down", "for_s": 0.4, "match": {"source": "yahoo", "host": "query1"}}
    )
    time.sleep(0.15)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with pytest.raises(httpx.TransportError):
        ask(client, sim, "yahoo", "query1")
    assert ask(client, sim, "yahoo", "query2").status_code == 200
    time.sleep(0.5)
    assert ask(client, sim, "yahoo", "query1").status_code == 200


def raw_until_reset(raw):
    """What came in before the reset; a close without one is an error."""
    got = b""
    try:
        while chunk := raw.recv(65536):
            got += chunk
    except ConnectionResetError:
        return got
    raise AssertionError("closed, not reset")


@pytest.mark.parametrize(
    ("match", "sent_before"),
    [
        ({"fault": "reset", "match": {"source": "yahoo"}}, True),
        ({"fault": "down", "match": {"source": "yahoo", "path": "/v7/*"}}, False),
    ],
)
def test_a_reset_is_a_reset_and_not_a_close(sim, match, sent_before):
    sim.control.add_fault(match)
    with socket.create_connection(("127.0.0.1", sim.base_port + 1), timeout=3) as raw:
        raw.sendall(b"GET /v7/finance/quote?symbols=A HTTP/1.1\r\nHost: x\r\n\r\n")
        assert bool(raw_until_reset(raw)) is sent_before


def test_a_network_error_closes_without_a_byte(sim):
    sim.control.add_fault({"fault": "network_error", "match": {"source": "yahoo"}})
    with socket.create_connection(("127.0.0.1", sim.base_port + 1), timeout=3) as raw:
        raw.sendall(b"GET /v7/finance/quote?symbols=A HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(65536) == b""


def test_a_hanging_request_does_not_hold_up_the_others(sim, client):
    sim.control.add_fault({"fault": "timeout", "match": {"source": "yahoo", "host": "query1"}})
    port = sim.base_port + 1
    with socket.create_connection(("127.0.0.1", port)) as hanging:
        hanging.sendall(b"GET /v7/finance/quote?symbols=A HTTP/1.1\r\nHost: x\r\n\r\n")
        began = time.monotonic()
        for _ in range(50):
            assert ask(client, sim, "yahoo", "query2").status_code == 200
        assert time.monotonic() - began < 3


def test_pipelined_and_malformed_requests_are_answered_in_order(sim):
    with socket.create_connection(("127.0.0.1", sim.base_port + 1), timeout=3) as raw:
        quote = b"GET /v7/finance/quote?symbols=%s HTTP/1.1\r\nHost: x\r\n\r\n"
        raw.sendall(quote % b"AAPL" + quote % b"IBM" + b"nonsense\r\n\r\n")
        said = b""
        while chunk := raw.recv(65536):
            said += chunk
    assert said.count(b"HTTP/1.1 200") == 2
    assert said.index(b'"symbol":"AAPL"') < said.index(b'"symbol":"IBM"')
    assert said.count(b"HTTP/1.1 400") == 1


def test_equal_seeds_give_equal_bodies_and_equal_faults(sim, client):
    fault = {"fault": "server_error", "match": {"source": "fred", "share": 0.5}}
    with running_simulator(seed=sim.seed, epoch=EPOCH) as twin:
        bodies = [ask(client, each, "fred").content for each in (sim, twin)]
        assert bodies[0] == bodies[1]
    with (
        running_simulator(seed=8, epoch=EPOCH) as one,
        running_simulator(seed=8, epoch=EPOCH) as other,
    ):
        fates = []
        for each in (one, other):
            each.control.add_fault(fault)
            fates.append([ask(client, each, "fred").status_code for _ in range(40)])
    assert fates[0] == fates[1]
    assert 8 <= fates[0].count(500) + fates[0].count(502) <= 32


def test_the_clock_of_faults_waits_when_paused_and_repeats_when_looped(client, tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text(
        "name: short\nsources: [fred]\nduration_s: 0.8\n"
        "faults: [{at_s: 0.0, for_s: 0.4, match: {source: fred}, fault: server_error}]\n"
    )
    with running_simulator(scenario=path, paused=True, loop=True, epoch=EPOCH) as paused:
        assert paused.control.at_s() is None
        assert ask(client, paused, "fred").status_code == 200
        assert paused.control.faults()[0]["begins_at"] is None
        paused.control.start()
        fates = []
        until = time.monotonic() + 1.8
        while time.monotonic() < until:
            fates.append(ask(client, paused, "fred").status_code == 200)
            time.sleep(0.02)
    # False, True, False, True, ...: bad and good take turns at least twice.
    turns = [here for before, here in zip([True, *fates], fates, strict=False) if here != before]
    assert turns[:4] == [False, True, False, True]


def test_real_quotas_are_enforced_over_http(client):
    with running_simulator(quotas="real", epoch=EPOCH) as metered:
        statuses = [ask(client, metered, "polygon").status_code for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        assert ask(client, metered, "polygon", key="spare").status_code == 200


def test_the_log_names_requests_and_the_control_api_explains_itself(sim, client):
    ask(client, sim, "fred", headers={"x-request-id": "reader-7"})
    newest = sim.control.log()[-1]
    assert newest["request_id"] == "reader-7"
    assert newest["key"] == "primary"
    assert (newest["source"], newest["host"], newest["status"]) == ("fred", "api", 200)
    assert sim.control.log(since=newest["n"]) == []
    assert KEYS["fred", "primary"] not in repr(sim.control.log())
    with pytest.raises(SimulatorError, match="Use one of"):
        sim.control.add_fault({"fault": "nonsense"})
    with pytest.raises(SimulatorError, match="share"):
        sim.control.add_fault({"fault": "slow", "match": {"share": 2}})
    base = sim.control.base_url
    assert client.get(f"{base}/nothing").json()["requests"]
    assert client.post(f"{base}/control/faults", content=b"{").status_code == 400
    url = sim.addresses["yahoo", "query1"]
    assert client.post(f"{url}/v7/finance/quote").status_code == 405


def test_an_added_fault_is_listed_with_its_absolute_times(sim):
    number = sim.control.add_fault({"fault": "down", "for_s": 2, "match": {"source": "polygon"}})
    listed = next(each for each in sim.control.faults() if each["id"] == number)
    begins, ends = (datetime.fromisoformat(listed[name]) for name in ("begins_at", "ends_at"))
    assert listed["active"]
    assert abs((sim.control.now() - begins).total_seconds()) < 1
    assert ends - begins == timedelta(seconds=2)
    assert sim.control.clear_faults() == 1


def test_a_taken_port_is_named_with_its_cure(sim):
    with (
        pytest.raises(PortInUseError) as caught,
        running_simulator(base_port=sim.base_port - len(HOSTS), epoch=EPOCH),
    ):
        pass  # pragma: no cover
    assert str(sim.base_port) in str(caught.value)
    assert "--port" in str(caught.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_within_a_second(client, number):
    with running_simulator(epoch=EPOCH) as running:
        running.control.add_fault({"fault": "timeout", "match": {"source": "yahoo"}})
        with socket.create_connection(("127.0.0.1", running.base_port + 1)) as hanging:
            hanging.sendall(b"GET /v7/finance/quote?symbols=A HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.1)
            began = time.monotonic()
            running.process.send_signal(number)
            assert running.process.wait(2) == 0
            assert time.monotonic() - began < 1


def test_stop_ends_it_from_afar():
    with running_simulator(epoch=EPOCH) as running:
        running.control.stop()
        assert running.process.wait(2) == 0


def test_it_does_not_outlive_the_process_that_started_it():
    parent = (
        "from healing_pipeline.simulator.control import running_simulator\n"
        "import os\n"
        "with running_simulator() as running:\n"
        "    print(running.base_port, flush=True)\n"
        "    os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent], capture_output=True, text=True, check=True, timeout=30
    )
    orphan = SimulatorControl(f"http://127.0.0.1:{int(done.stdout)}", timeout_s=0.5)
    until = time.monotonic() + 4
    try:
        while time.monotonic() < until:
            orphan.health()
            time.sleep(0.05)
        pytest.fail("the simulator is still there")
    except SimulatorError:
        pass
    finally:
        orphan.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scenario", "no_such"], "Choose one of"),
        (["--epoch", "2026-01-05T15:00:00"], "with its zone"),
        (["--epoch", "soon"], "with its zone"),
        (["--quotas", "lots"], "real, off or a factor"),
        (["--key", "fred:main"], "SOURCE:NAME:SECRET"),
        (["--port", "70000"], "--port"),
    ],
)
def test_wrong_options_end_with_a_cure_and_without_a_traceback(options, said):
    command = [sys.executable, "-m", "healing_pipeline.simulator", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_healthy_requests_are_fast_over_one_connection(sim):
    """Far below what it does on an idle core (over 3000 a second), so that a busy one passes."""
    request = b"GET /v8/finance/chart/AAPL?interval=1d&range=3mo HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", sim.base_port + 1), timeout=3) as raw:
        began, count = time.monotonic(), 0
        while time.monotonic() - began < 0.5:
            raw.sendall(request)
            head, _, body = raw.recv(65536).partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += raw.recv(65536)
            count += 1
    assert count > 200


def test_addresses_follow_the_order_of_the_hosts():
    found = addresses(8900)
    assert [found[pair] for pair in HOSTS] == [
        f"http://127.0.0.1:{8901 + index}" for index in range(len(HOSTS))
    ]
