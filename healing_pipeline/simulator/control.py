"""The client's side: talk to a simulator's control API, and run one for the length of a block."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from healing_pipeline.errors import HealingPipelineError, PortInUseError
from healing_pipeline.simulator.hosts import HOSTS, addresses, control_address

_READY_WITHIN_S = 20.0
_STOP_WITHIN_S = 3.0
_EXIT_PORT_IN_USE = 3
# Below the range from which systems take ports for outgoing connections.
_PORTS = (20_000, 29_000)


class SimulatorError(HealingPipelineError):
    """The simulator did not start, or refused a control request."""


class SimulatorControl:
    """A client of the control API.

    Parameters
    ----------
    base_url : str
        ``http://127.0.0.1:8900``
    timeout_s : float
    """

    def __init__(self, base_url: str, timeout_s: float = 5.0) -> None:
        self.base_url = base_url
        self._client = httpx.Client(base_url=base_url, timeout=timeout_s, trust_env=False)

    def health(self) -> dict[str, Any]:
        """Process id, seed and number of requests served."""
        return self._ask("GET", "/control/health")

    def start(self) -> None:
        """Start the clock of faults; a second call changes nothing."""
        self._ask("POST", "/control/start")

    def now(self) -> datetime:
        """The simulated moment."""
        return datetime.fromisoformat(self._ask("GET", "/control/now")["now"])

    def at_s(self) -> float | None:
        """Seconds on the clock of faults; None before it was started."""
        at_s = self._ask("GET", "/control/now")["at_s"]
        return None if at_s is None else float(at_s)

    def faults(self) -> list[dict[str, Any]]:
        """Faults planned and added: id, begins_at, ends_at, active, and what the scenario says."""
        found: list[dict[str, Any]] = self._ask("GET", "/control/faults")["faults"]
        return found

    def add_fault(self, fault: Mapping[str, object]) -> int:
        """Let a fault begin now; without `for_s` it stays. Returns its id.

        Raises
        ------
        SimulatorError
            If the fault is malformed; with the mistake and its cure.
        """
        return int(self._ask("POST", "/control/faults", json=dict(fault))["id"])

    def clear_faults(self) -> int:
        """Forget every fault; returns how many there were."""
        return int(self._ask("DELETE", "/control/faults")["cleared"])

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """Every kept request whose number is over `since`, in order."""
        served: list[dict[str, Any]] = []
        while True:
            page = self._ask("GET", "/control/log", params={"since": since})
            if not page["requests"]:
                return served
            served += page["requests"]
            since = int(served[-1]["n"])

    def stop(self) -> None:
        """Ask the process to end."""
        self._ask("POST", "/control/stop")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            response = self._client.request(method, path, **more)
        except httpx.TransportError as exc:
            raise SimulatorError(
                f"The simulator at {self.base_url} does not answer ({exc}). Is it running?"
            ) from exc
        said: dict[str, Any] = response.json()
        if response.is_error:
            raise SimulatorError(f"The simulator refused {method} {path}: {said.get('error')}")
        return said


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """A simulator process that is ready.

    Attributes
    ----------
    base_port : int
        The control port.
    addresses : Mapping[(source, host), str]
        Base URL of every simulated host.
    control : SimulatorControl
    process : subprocess.Popen
        Ended by the context manager.
    seed : int
    """

    base_port: int
    addresses: Mapping[tuple[str, str], str]
    control: SimulatorControl
    process: subprocess.Popen[str]
    seed: int


@contextmanager
def running_simulator(
    *,
    seed: int = 1,
    scenario: str | Path | None = None,
    epoch: datetime | None = None,
    paused: bool = False,
    quotas: str | None = None,
    loop: bool = False,
    base_port: int | None = None,
) -> Iterator[RunningSimulator]:
    """Run a simulator process, ready on entry and gone on exit.

    Parameters
    ----------
    seed : int
    scenario : str or Path or None
        A shipped name or a path to a .yaml file.
    epoch : datetime or None
        Simulated now at the start, aware; None is the wall clock.
    paused : bool
        Whether the clock of faults waits for `control.start()`.
    quotas : str or None
        ``real``, ``off`` or a factor; None takes the scenario's.
    loop : bool
        Whether the scenario's faults repeat.
    base_port : int or None
        None takes a free block.

    Raises
    ------
    SimulatorError
        If it does not get ready.
    PortInUseError
        If `base_port` was given and is taken.
    """
    options = [f"--seed={seed}", "--exit-with-parent"]
    options += [] if scenario is None else [f"--scenario={scenario}"]
    options += [] if epoch is None else [f"--epoch={epoch.isoformat()}"]
    options += [] if quotas is None else [f"--quotas={quotas}"]
    options += ["--paused"] * paused + ["--loop"] * loop
    process, port = _started(options, base_port)
    control = SimulatorControl(control_address(port))
    try:
        yield RunningSimulator(port, addresses(port), control, process, seed)
    finally:
        control.close()
        _ended(process)


def _started(options: list[str], base_port: int | None) -> tuple[subprocess.Popen[str], int]:
    for _ in range(10):
        port = _free_block() if base_port is None else base_port
        command = [sys.executable, "-m", "healing_pipeline.simulator", f"--port={port}", *options]
        process = subprocess.Popen(  # noqa: S603 - our own module, our own options  # nosec B603
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        code = _wait_ready(process, port)
        if code is None:
            return process, port
        _, said = process.communicate()
        if code != _EXIT_PORT_IN_USE:
            raise SimulatorError(f"The simulator ended with exit code {code}: {said.strip()}")
        if base_port is not None:
            raise PortInUseError(port, "the simulator", f"Choose another port. ({said.strip()})")
    raise SimulatorError("No block of free ports was found in ten tries. Give one as base_port.")


def _wait_ready(process: subprocess.Popen[str], port: int) -> int | None:
    """None when this very process answers on its control port; else its exit code."""
    control = SimulatorControl(control_address(port), timeout_s=1.0)
    until = time.monotonic() + _READY_WITHIN_S
    try:
        while time.monotonic() < until:
            code = process.poll()
            if code is not None:
                return code
            with suppress(SimulatorError, ValueError, KeyError):
                if control.health()["pid"] == process.pid:
                    return None
            time.sleep(0.02)
    finally:
        control.close()
    _ended(process)
    raise SimulatorError(f"The simulator was not ready within {_READY_WITHIN_S:g} s.")


def _ended(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stderr is not None:
        process.stderr.close()


def _free_block() -> int:
    """The first port of a block that is free at this moment."""
    size = len(HOSTS) + 1
    for _ in range(200):
        base = random.randrange(*_PORTS)  # noqa: S311 - not a secret  # nosec B311
        if all(_is_free(base + offset) for offset in range(size)):
            return base
    raise SimulatorError(f"No {size} free ports in a row were found. Give a base_port.")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
