"""A local server that speaks Anthropic's Messages API and OpenAI's chat completions, as told.

Real HTTP over a real socket. It keeps every byte that it was sent.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[["Exchange"], None]


@dataclass
class Exchange:
    """One request, and the connection to answer it on."""

    connection: socket.socket
    head: bytes
    body: bytes

    @property
    def path(self) -> str:
        return self.head.split(b" ")[1].decode()

    @property
    def asked(self) -> dict[str, Any]:
        return json.loads(self.body)

    def choices(self) -> list[str]:
        asked = self.asked
        if "output_config" in asked:
            schema = asked["output_config"]["format"]["schema"]
        else:
            schema = asked["response_format"]["json_schema"]["schema"]
        return schema["properties"]["order"]["items"]["enum"]

    def send(self, status: str, body: bytes, *, headers: str = "", length: int | None = None):
        size = len(body) if length is None else length
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n"
            f"connection: close\r\n{headers}\r\n"
        )
        self.connection.sendall(head.encode() + body)

    def message(self, text: str, *, stop: str = "", usage: Any = None) -> bytes:
        """What the service that was asked says when its model wrote `text`."""
        if self.path.endswith("/chat/completions"):
            counted = {"prompt_tokens": 2000, "completion_tokens": 100, "total_tokens": 2100}
            message: dict[str, Any] = {"role": "assistant", "content": text}
            if stop == "refusal":
                message = {"role": "assistant", "content": None, "refusal": text}
            return json.dumps(
                {
                    "id": "c1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": self.asked["model"],
                    "choices": [
                        {
                            "index": 0,
                            "message": message,
                            "finish_reason": "stop" if stop in {"", "refusal"} else stop,
                        }
                    ],
                    "usage": counted if usage is None else usage,
                }
            ).encode()
        counted = {
            "input_tokens": 700,
            "output_tokens": 100,
            "cache_creation_input_tokens": 1300,
            "cache_read_input_tokens": 0,
        }
        return json.dumps(
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": self.asked["model"],
                "content": [{"type": "text", "text": text}],
                "stop_reason": stop or "end_turn",
                "stop_sequence": None,
                "usage": counted if usage is None else usage,
            }
        ).encode()


def written(
    order: list[str], *, root_cause: str = "provider down", because: str = "all of it fails"
) -> str:
    return json.dumps(
        {"root_cause": root_cause, "order": order, "confidence": 0.8, "because": because}
    )


def says(text: str | None = None, *, stop: str = "", usage: Any = None) -> Behaviour:
    """A model that writes `text`; by default good advice, the plan's last choice first."""

    def behave(exchange: Exchange) -> None:
        said = written(exchange.choices()[::-1]) if text is None else text
        exchange.send("200 OK", exchange.message(said, stop=stop, usage=usage))

    return behave


def refuses(status: str, headers: str = "", body: bytes | None = None) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        # Services like to repeat what they were sent.
        echoed = json.dumps({"type": "error", "error": {"message": exchange.body.decode()}})
        exchange.send(status, echoed.encode() if body is None else body, headers=headers)

    return behave


def silent(exchange: Exchange) -> None:
    """Says nothing until the other end gives up."""
    exchange.connection.settimeout(20)
    exchange.connection.recv(1)


def half_a_body(exchange: Exchange) -> None:
    whole = exchange.message(written(exchange.choices()))
    exchange.send("200 OK", whole[: len(whole) // 2], length=len(whole))


def slow_drip(exchange: Exchange) -> None:
    """A byte every 50 ms: no read ever times out."""
    whole = exchange.message(written(exchange.choices()))
    exchange.send("200 OK", b"", length=len(whole))
    for at in range(len(whole)):
        exchange.connection.sendall(whole[at : at + 1])
        time.sleep(0.05)


@dataclass
class ModelServer:
    """What the server does with the next request, and all that it was sent."""

    port: int
    behave: Behaviour = field(default_factory=says)
    exchanges: list[Exchange] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bytes_sent(self) -> bytes:
        return b"".join(each.head + each.body for each in self.exchanges)


@contextmanager
def model_server() -> Iterator[ModelServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ModelServer(listener.getsockname()[1])

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server.connections += 1
                threading.Thread(target=_serve, args=(server, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)


def _serve(server: ModelServer, connection: socket.socket) -> None:
    with connection:
        try:
            got = b""
            while b"\r\n\r\n" not in got:
                more = connection.recv(65536)
                if not more:
                    return
                got += more
            head, _, body = got.partition(b"\r\n\r\n")
            lengths = [
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ]
            while lengths and len(body) < lengths[0]:
                body += connection.recv(65536)
            exchange = Exchange(connection, head, body)
            server.exchanges.append(exchange)
            server.behave(exchange)
        except OSError:
            return  # the other end gave up
