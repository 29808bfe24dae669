"""An upstream of exchange rates that counts calls by key and by question, and refuses when told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from healing_pipeline_tests.chaos.load_upstreams import good


@dataclass
class Upstream:
    """Counts what it is asked, refuses keys, and holds those back that are in `held`."""

    port: int = 0
    calls: list[tuple[float, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    refused: dict[str, tuple[int, bytes, str | None]] = field(default_factory=dict)
    held: dict[str, threading.Event] = field(default_factory=dict)

    def since(self, at: float, secret: str) -> list[float]:
        """When a key was used, in seconds after a moment."""
        return [then - at for then, used in list(self.calls) if used == secret and then > at]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked may be dead."""


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    upstream = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            key = self.path.split("/")[2]
            upstream.calls.append((time.time(), key))
            upstream.paths.append(self.path)
            if (released := upstream.held.get(key)) is not None:
                released.wait(30)
            body = (good(self.path, int(time.time())) or "").encode()
            status, body, retry_after = upstream.refused.get(key, (200, body, None))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    upstream.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
