"""Requests that no client should send, over sockets that are not closed when they should be."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

GET = b"GET /v1/yahoo/quote-aapl HTTP/1.1\r\nHost: 127.0.0.1\r\n"
LIVE = "/health-dashboard/live"


@dataclass
class Told:
    """What came back from one kind of abuse.

    Attributes
    ----------
    statuses : list of int
        Of all answers.
    left_open : int
        Connections that the gateway should have ended and did not.
    """

    connections: int = 0
    statuses: list[int] = field(default_factory=list)
    left_open: int = 0
    wrong: list[str] = field(default_factory=list)


Abuse = Callable[[int, Told], Awaitable[None]]


async def _said(
    port: int, told: Told, *pieces: bytes, within_s: float = 5.0, pause_s: float = 0.0
) -> bytes:
    """Say something and hear all that comes back, until the gateway hangs up or time is up."""
    told.connections += 1
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = bytearray()
    try:
        async with asyncio.timeout(within_s):
            listening = asyncio.ensure_future(_hear(reader, heard))
            with suppress(OSError):
                for each in pieces:
                    writer.write(each)
                    await writer.drain()
                    await asyncio.sleep(pause_s)
            await listening
    except TimeoutError:
        told.left_open += 1
    except OSError:
        pass
    finally:
        writer.transport.abort()
    told.statuses += _statuses(bytes(heard))
    return bytes(heard)


async def _hear(reader: asyncio.StreamReader, heard: bytearray) -> None:
    while data := await reader.read(65_536):
        heard += data[: max(0, 4_000_000 - len(heard))]


def _statuses(heard: bytes) -> list[int]:
    return [
        int(line[9:12])
        for line in heard.split(b"\r\n")
        if line.startswith(b"HTTP/1.1 ") and line[9:12].isdigit()
    ]


def _once(*pieces: bytes, most: int = 1, within_s: float = 5.0) -> Abuse:
    """Something that is answered at most so often, and not well."""

    async def abuse(port: int, told: Told) -> None:
        heard = await _said(port, told, *pieces, within_s=within_s)
        statuses = _statuses(heard)
        told.left_open = 0  # a connection that asked properly may stay for the next question
        if len(statuses) > most:
            told.wrong.append(f"{len(statuses)} answers to {most} question")
        if any(each < 300 for each in statuses):
            told.wrong.append(f"answered with {statuses}")

    return abuse


async def _many(port: int, told: Told, count: int, *pieces: bytes, **how: float) -> None:
    await asyncio.gather(*(_said(port, told, *pieces, **how) for _ in range(count)))


async def _slow_heads(port: int, told: Told) -> None:
    lines = [b"GET / HTTP/1.1\r\n", *([b"X: y\r\n"] * 30)]
    await _many(port, told, 200, *lines, within_s=14, pause_s=0.5)


async def _silent(port: int, told: Told) -> None:
    await _many(port, told, 200, within_s=14)


async def _giant_head(port: int, told: Told) -> None:
    await _many(port, told, 20, GET + b"X: ", *([b"y" * 65_536] * 160), within_s=14)


async def _giant_line(port: int, told: Told) -> None:
    await _many(port, told, 20, b"GET /", *([b"y" * 65_536] * 160), within_s=14)


async def _giant_body(port: int, told: Told) -> None:
    head = b"POST /v1/yahoo/quote-aapl HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
    await _said(port, told, head, *([b"y" * 1_000_000] * 1_000), within_s=20)


async def _giant_form(port: int, told: Told) -> None:
    head = (
        b"POST /health-dashboard/alerts/silences HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    await _said(port, told, head, *([piece] * 3_000), within_s=20)


async def _pipelined(port: int, told: Told) -> None:
    """A thousand questions at once on one connection: answered in order, or refused."""
    asked = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 999
    last = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    heard = await _said(port, told, asked + last, within_s=20)
    if len(_statuses(heard)) > 1_000:
        told.wrong.append("more answers than questions")


async def _never_reads(port: int, told: Told) -> None:
    """Fifty who ask for large pages and take nothing of the answer."""
    page = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50
    open_now = []
    for _ in range(50):
        told.connections += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(page)
        open_now.append(writer)
    await asyncio.sleep(5)
    for writer in open_now:
        writer.transport.abort()


async def _crowd(port: int, told: Told) -> None:
    """2,500 connections at once, more than are taken; each asks once."""
    asked = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    for _ in range(5):
        await _many(port, told, 500, asked, within_s=20)


def _upgrade(port: int) -> bytes:
    key = base64.b64encode(os.urandom(16))
    return (
        f"GET {LIVE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    ).encode() + b"Sec-WebSocket-Key: " + key + b"\r\n\r\n"  # fmt: skip


def frame(opcode: int, body: bytes, *, length: int | None = None, masked: bool = True) -> bytes:
    """One frame of a WebSocket, with whatever length it claims."""
    told = len(body) if length is None else length
    mark = 0x80 if masked else 0
    head = bytes((opcode,))
    if told < 126:
        head += bytes((mark | told,))
    elif told < 65_536:
        head += bytes((mark | 126,)) + struct.pack(">H", told)
    else:
        head += bytes((mark | 127,)) + struct.pack(">Q", told)
    return head + (bytes(4) if masked else b"") + body


def _frames(*frames: bytes, ends: bool = True) -> Abuse:
    async def abuse(port: int, told: Told) -> None:
        heard = await _said(port, told, _upgrade(port), *frames, within_s=8, pause_s=0.0)
        if 101 not in told.statuses:
            told.wrong.append(f"no socket was opened: {heard[:80]!r}")
        # Goodbye was said; hanging up is then the other side's turn, and ours a while later.
        if not ends or b"\x88" in heard:
            told.left_open = 0

    return abuse


def abuses() -> Mapping[str, Abuse]:
    """All kinds of abuse by name."""
    smuggled = b"GET /v1/yahoo/quote-aapl HTTP/1.1\r\nHost: a\r\nX-Smuggled: 1\r\n\r\n"
    post = b"POST /v1/yahoo/quote-aapl HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    end = b"Connection: close\r\n\r\n"

    def target(path: bytes) -> Abuse:
        return _once(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + end)

    return {
        "200 heads of a line each half second": _slow_heads,
        "200 connections that say nothing": _silent,
        "20 heads of 10 MB": _giant_head,
        "20 request lines of 10 MB": _giant_line,
        "a body of 1 GB": _giant_body,
        "a form without end": _giant_form,
        "1,000 questions at once": _pipelined,
        "50 who read nothing": _never_reads,
        "2,500 connections": _crowd,
        "a length and chunks at once": _once(
            post + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled
        ),
        "two lengths": _once(post + b"Content-Length: 0\r\nContent-Length: 80\r\n\r\n" + smuggled),
        "a chunked that is spelt otherwise": _once(
            post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled
        ),
        "a length with a sign": _once(post + b"Content-Length: +0\r\n\r\n" + smuggled),
        "line ends of half": _once(b"GET /v1/x HTTP/1.1\nHost: a\n\n" + smuggled),
        "a bad method": _once(b"BREW /v1/yahoo/quote-aapl HTTP/1.1\r\nHost: a\r\n\r\n"),
        "TRACE": _once(b"TRACE /v1/yahoo/quote-aapl HTTP/1.1\r\nHost: a\r\n" + end),
        "an address of another host": target(b"http://169.254.169.254/latest/meta-data/"),
        "CONNECT": _once(b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: a\r\n" + end),
        "NUL bytes": target(b"/v1/yahoo/\x00quote-aapl"),
        "a path upwards": target(b"/v1/../../../../etc/passwd"),
        "a path upwards, encoded": target(b"/v1/%2e%2e/%2e%2e/etc/passwd"),
        "a path upwards, encoded twice": target(b"/proxy/yahoo/%252e%252e/%252e%252e/x"),
        "another host in a path": target(b"/proxy/yahoo//evil.example/v7/finance/quote"),
        "a line smuggled into a parameter": target(b"/v1/yahoo/quote-aapl?symbols=a%0d%0aX:%20y"),
        "HTTP/2": _once(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(40)),
        "TLS": _once(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
        "a WebSocket frame of 1 GB": _frames(frame(0x81, b"x" * 1_000, length=1_000_000_000)),
        "a WebSocket message in 10,000 pieces": _frames(
            frame(0x01, b"x"), *([frame(0x00, b"x")] * 10_000)
        ),
        "10,000 WebSocket pings": _frames(*([frame(0x89, b"x" * 100)] * 10_000), ends=False),
        "a WebSocket frame without a mask": _frames(frame(0x81, b"hello", masked=False)),
        "a WebSocket frame of no kind": _frames(frame(0xF7, b"hello")),
        "a WebSocket text that is no UTF-8": _frames(frame(0x81, b"\xff\xfe\xfd")),
    }
