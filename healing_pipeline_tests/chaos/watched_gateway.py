"""What an attack costs a gateway: its memory, its descriptors, and how long others have to wait."""

from __future__ import annotations

import http.client
import threading
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
    """Asks the gateway for its health all the time, from a thread of its own."""

    def __init__(self, process: int, port: int) -> None:
        self._process, self._port = psutil.Process(process), port
        self._waits: list[float] = []
        self._failed = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._before = 0

    def begin(self) -> None:
        """From here on it counts."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", encoding="ascii")
        self._before = self._process.memory_info().rss
        self._waits, self._failed = [], 0

    def cost(self) -> Cost:
        """Of what happened since `begin`."""
        waits = list(self._waits)
        grown = (self._peak() - self._before) / MB
        return Cost(grown, max(waits, default=0.0), self._failed, len(waits))

    def descriptors(self) -> int:
        """Open files and sockets."""
        return self._process.num_fds()

    def _peak(self) -> int:
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        (line,) = (each for each in text.splitlines() if each.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stopped.wait(EVERY_S):
            began = time.monotonic()
            try:
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self._failed += 1
            except (OSError, http.client.HTTPException):
                self._failed += 1
                connection.close()
            self._waits.append(time.monotonic() - began)
        connection.close()
