"""Upstreams that repeat the key they were sent, in all ways that there are, beside true data.

Each stands before a host of the simulator and sends every good answer on with the key planted in
it; every third answer is an error that speaks of nothing else.
"""

from __future__ import annotations

import html
import itertools
import json
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

STATUSES = (400, 401, 403, 429, 500, 503, 200, 302)


def ways(key: str) -> dict[str, str]:
    """A key as an upstream may write it."""
    return {
        "raw": key,
        "upper": key.upper(),
        "lower": key.lower(),
        "quoted": quote(key, safe=""),
        "json": json.dumps(key)[1:-1],
        "json_whole": "".join(f"\\u{ord(each):04x}" for each in key),
        "html": html.escape(key),
        "html_whole": "".join(f"&#{ord(each)};" for each in key),
        "percent": "".join(f"%{ord(each):02x}" for each in key),
        "base64": b64encode(f"client:{key}".encode()).decode(),
        "hex": key.encode().hex(),
    }


def forms(key: str) -> set[str]:
    """What is searched for, in lower case: a key in each of those ways, wherever it stands."""
    found = {each for name, each in ways(key).items() if name != "base64"}
    for before in range(3):
        whole = b64encode(b"\0" * before + key.encode()).decode()
        found.add(whole[-(-before * 8 // 6) : (before + len(key)) * 8 // 6])
    return {each.lower() for each in found}


@dataclass
class Echoes:
    """The upstreams, and what they were sent.

    Attributes
    ----------
    asked : int
    keys_seen : set of str
        Canaries that really came; a search for others would prove nothing.
    """

    ports: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: int = 0
    keys_seen: set[str] = field(default_factory=set)


@contextmanager
def echoing_upstreams(
    hosts: Mapping[tuple[str, str], str], keys: Mapping[str, str]
) -> Iterator[Echoes]:
    """Serve all of `hosts` (address by source and host) until the end of the block.

    Parameters
    ----------
    keys : Mapping[str, str]
        The simulator's key by canary.
    """
    echoes = Echoes()
    numbers = itertools.count()
    servers = []

    def handler(target: str) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number = next(numbers)
                echoes.asked += 1
                spoken, path, headers = "nobody", self.path, dict(self.headers)
                for canary, key in keys.items():
                    for form in (quote(canary, safe=""), canary):
                        if form in path or any(form in each for each in headers.values()):
                            spoken = canary
                            path = path.replace(form, key)
                            headers = {n: v.replace(form, key) for n, v in headers.items()}
                if spoken != "nobody":
                    echoes.keys_seen.add(spoken)
                shown = ways(spoken)
                if number % 3 == 2:
                    name = list(shown)[number // 3 % len(shown)]
                    text = f"Sorry, {shown[name]}: your key {shown[name]} asked too much."
                    body = f'{{"error": "{text}", "Note": "{text}"}}'.encode()
                    self._say(STATUSES[number // 3 % len(STATUSES)], body, shown)
                    return
                status, body = _asked(f"{target}{path}", headers)
                if body.startswith(b"{"):
                    planted = {f"x_{name}": each for name, each in shown.items()}
                    body = b"{" + json.dumps(planted)[1:-1].encode() + b"," + body[1:]
                self._say(status, body, shown)

            def _say(self, status: int, body: bytes, shown: Mapping[str, str]) -> None:
                self.send_response(status)
                self.send_header("Content-Type", f"application/json; for={shown['quoted']}")
                self.send_header("Set-Cookie", f"key={shown['raw']}")
                self.send_header("X-Request-Id", shown["base64"])
                if status == 302:
                    self.send_header("Location", f"https://elsewhere.example/?k={shown['raw']}")
                self.send_header("Content-Length", str(len(body)))
                # Whoever asked may have gone.
                with suppress(ConnectionError):
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler

    for place, target in hosts.items():
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler(target))
        server.daemon_threads = True
        echoes.ports[place] = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
    try:
        yield echoes
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _asked(url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    kept = {n: v for n, v in headers.items() if n.lower() in ("authorization", "user-agent")}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=kept), timeout=10) as got:
            return got.status, got.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 503, str(error).encode()
