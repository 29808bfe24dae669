"""A gateway as a process of its own, of this version or of another's source."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
READY_WITHIN_S, STOPPED_WITHIN_S = 120.0, 60.0


def environment(root: Path, **more: str) -> dict[str, str]:
    """That of a process which runs the source in `root`."""
    own = {name: each for name, each in os.environ.items() if not name.startswith("HEALING_")}
    return {**own, "PYTHONPATH": str(root), "NO_COLOR": "1", **more}


def write_config(folder: Path, simulator_port: int, more: str = "", root: Path = ROOT) -> Path:
    """The default configuration of the source in `root`, on a running simulator."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "healing_config.yaml"
    subprocess.run(
        [sys.executable, "-m", "healing_pipeline", "init", f"--config={config}"],
        cwd=root, env=environment(root), check=True, capture_output=True,
    )  # fmt: skip
    text = config.read_text(encoding="utf-8").replace("port: 8900", f"port: {simulator_port}")
    config.write_text(text + more, encoding="utf-8")
    return config


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class OneGateway:
    """A gateway that answers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.log = process, log
        self.url = f"http://127.0.0.1:{port}"

    def is_connected(self) -> bool:
        """Whether it follows PostgreSQL, as its own page says."""
        try:
            told = httpx.get(f"{self.url}/readyz", timeout=5.0, trust_env=False).json()
        except (httpx.TransportError, ValueError):
            return False
        return told.get("postgresql") in {"connected", True, "ok"}

    def kill(self) -> None:
        """End it as the system does when memory is short."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it as an operator does. Idempotent."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOPPED_WITHIN_S)


@contextmanager
def one_gateway(
    root: Path, config: Path, folder: Path, environ: Mapping[str, str]
) -> Iterator[OneGateway]:
    """Start it with a state folder of its own, ready when it answers."""
    folder.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), folder / "gateway.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "healing_pipeline", "gateway"),
                *(f"--config={config}", f"--port={port}"),
            ],
            cwd=root,
            env={**environ, "HEALING_STATE_DIR": str(folder / "state")},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    gateway = OneGateway(process, port, log)
    try:
        until = time.monotonic() + READY_WITHIN_S
        while True:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the gateway did not start: {log.read_text()[-2000:]}")
            try:
                httpx.get(f"{gateway.url}/healthz", timeout=2.0, trust_env=False)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                break
        yield gateway
    finally:
        gateway.stop()
