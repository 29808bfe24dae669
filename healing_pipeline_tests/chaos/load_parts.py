"""The processes of the load trial: how they are started, heard and ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from healing_pipeline.stack.ports import is_open

FIRST_PORT = 21_000
ROOT = Path(__file__).parents[2]


@contextmanager
def talking(
    module: str, settings: Path, env: Mapping[str, str], *, ready: bool = True
) -> Iterator[subprocess.Popen[str]]:
    """A part of the trial: it says when it is ready, and ends with its input."""
    command = [sys.executable, "-m", f"healing_pipeline_tests.chaos.{module}", str(settings)]
    process = subprocess.Popen(
        command, env=dict(env), cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        if ready:
            assert process.stdout.readline() == "ready\n", f"{module} did not get ready"
        yield process
    finally:
        ended(process)


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Let a part end, and hear what it saw."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    told: dict[str, Any] = json.loads(process.stdout.readline())
    process.wait(180)
    return told


def ended(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    first = FIRST_PORT
    while any(is_open(port) for port in range(first, first + count)):
        first += count
    return first
