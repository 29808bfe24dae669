"""What an attack costs a gateway: its memory, its descriptors, and how long others have to wait."""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY_S = 0.01
MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one attack.

    Attributes
    ----------
    grown_mb : float
        The most memory meanwhile, over what it had before.
    worst_wait_s : float
        The longest that a question which needs nothing but the event loop waited for its answer.
    failed : int
        Such questions without an answer.
    """

    grown_mb: float
    worst_wait_s: float
    failed: int
    asked: int


class Watch:
    """Asks the gateway for its health all the time, from a process of its own."""

    def __init__(self, process: int, port: int) -> None:
        self._process, self._port = psutil.Process(process), port
        self._folder = tempfile.TemporaryDirectory(prefix="watch-")
        self._told = Path(self._folder.name) / "waits"
        self._asking: subprocess.Popen[bytes] | None = None
        self._from = self._before = 0

    def begin(self) -> None:
        """From here on it counts."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", encoding="ascii")
        self._before = self._process.memory_info().rss
        self._from = self._told.stat().st_size

    def cost(self) -> Cost:
        """Of what happened since `begin`."""
        time.sleep(2 * EVERY_S)
        told = self._told.read_bytes()[self._from :].decode().split("\n")[:-1]
        waits = [float(each) for each in told if each != "failed"]
        grown = (self._peak() - self._before) / MB
        return Cost(grown, max(waits, default=0.0), len(told) - len(waits), len(told))

    def descriptors(self) -> int:
        """Open files and sockets."""
        return self._process.num_fds()

    def _peak(self) -> int:
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        (line,) = (each for each in text.splitlines() if each.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def __enter__(self) -> Watch:
        self._told.touch()
        command = [sys.executable, str(Path(__file__)), str(self._port), str(self._told)]
        self._asking = subprocess.Popen(command)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._asking is not None, "it was begun"
        self._asking.kill()
        self._asking.wait()
        self._folder.cleanup()


def ask(port: int, told: Path) -> None:
    """Ask again and again, and write a line for each time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with told.open("a", encoding="ascii") as file:
        while True:
            time.sleep(EVERY_S)
            began = time.monotonic()
            try:
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                answer.read()
                is_good = answer.status == 200
            except (OSError, http.client.HTTPException):
                is_good = False
                connection.close()
            file.write(f"{time.monotonic() - began:.4f}\n" if is_good else "failed\n")
            file.flush()


if __name__ == "__main__":
    ask(int(sys.argv[1]), Path(sys.argv[2]))
