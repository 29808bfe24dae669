"""Real servers to send to: one that takes mail, one that answers as Twilio's API does."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

# Signed by itself, with its key: for these servers alone.
CERTIFICATE = Path(__file__).with_name("mail_certificate.pem")


@dataclass
class Letter:
    """One letter as it was handed in."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def parsed(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def part(self, kind: str) -> str:
        body = self.parsed.get_body((kind,))
        assert body is not None
        return str(body.get_content())


@dataclass
class MailServer:
    """Takes mail; `refuses` maps a recipient to the reply it gets, `taken` runs before each 250."""

    port: int
    letters: list[Letter] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    taken: Callable[[], None] = lambda: None

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ):
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        self.letters.append(Letter(envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        self.taken()
        return "250 taken"


@contextmanager
def mail_server(
    port: int = 0, password: str | None = None, encryption: str | None = None
) -> Iterator[MailServer]:
    """A mail server on loopback.

    With `password` it wants to be logged in to, with `encryption` (``starttls`` or ``ssl``) it
    takes nothing in plain; nobody has reason to trust its certificate.
    """
    server = MailServer(port or free_port())
    login: dict[str, Any] = {}
    if password is not None:

        def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any):
            right = isinstance(data, LoginPassword) and data.password == password.encode()
            return AuthResult(success=right, handled=right)

        login = {"auth_required": True, "auth_require_tls": False, "authenticator": check}
    if encryption is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
        if encryption == "ssl":
            login["ssl_context"] = context
        else:
            login |= {"tls_context": context, "require_starttls": True}
    controller = Controller(server, hostname="127.0.0.1", port=server.port, **login)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@dataclass
class Request:
    """One HTTP request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: value[0] for name, value in parse_qs(self.body.decode()).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpServer:
    """Answers every request with `status` and `body`, or as `answer` says."""

    port: int
    requests: list[Request] = field(default_factory=list)
    status: int = 201
    body: bytes = b'{"sid": "SM1", "status": "queued"}'
    answer: Callable[[Request], tuple[int, bytes]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def http_server(port: int = 0) -> Iterator[HttpServer]:
    """An HTTP server on loopback."""
    server: HttpServer

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length))
            server.requests.append(request)
            status, body = (server.status, server.body)
            if server.answer is not None:
                status, body = server.answer(request)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    listener.daemon_threads = True
    server = HttpServer(listener.server_address[1])
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
