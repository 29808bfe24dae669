"""Upstreams that answer as a simulator does, until one of them is told to answer with an attack."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET

from healing_pipeline.simulator.hosts import HOSTS

Attack = Callable[["Call"], Awaitable[None]]
RELAYED_WITHIN_S = 20.0


@dataclass
class Call:
    """One request that is to be answered badly.

    Attributes
    ----------
    head : bytes
        Of the request.
    truth : callable
        What the simulator answers to it: status line and headers, and the body.
    """

    head: bytes
    writer: asyncio.StreamWriter
    truth: Callable[[], Awaitable[tuple[bytes, bytes]]]

    async def say(self, *pieces: bytes) -> None:
        """Send pieces, each once the one before is on its way."""
        for each in pieces:
            self.writer.write(each)
            await self.writer.drain()

    async def flood(self, piece: bytes, most_bytes: int) -> None:
        """Send a piece again and again, until so much is sent or nobody takes it."""
        for _ in range(most_bytes // len(piece)):
            await self.say(piece)

    async def drip(self, data: bytes, every_s: float) -> None:
        """Send a byte at a time."""
        for each in data:
            await self.say(bytes((each,)))
            await asyncio.sleep(every_s)

    def reset(self) -> None:
        """Break the connection, so that the other side hears of an error."""
        self.writer.get_extra_info("socket").setsockopt(
            SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.writer.transport.abort()


@dataclass
class HostileUpstreams:
    """All simulated hosts once more, on ports of their own.

    Attributes
    ----------
    base_port : int
        As the configuration writes it: the hosts listen on those after it.
    attack : callable or None
        What is done to requests for `source`; None: all is relayed.
    met : int
        Requests that an attack answered.
    """

    base_port: int
    simulator_port: int
    source: str = "yahoo"
    attack: Attack | None = None
    met: int = 0
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, attack: Attack) -> None:
        """Answer with an attack from now on."""
        self.attack, self.met = attack, 0

    def end(self) -> None:
        """Relay again, and let go of whoever is still being attacked."""
        self.attack = None
        for each in tuple(self._serving):
            each.cancel()

    async def _serve(
        self, index: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        source, _ = HOSTS[index]
        port = self.simulator_port + 1 + index
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if self.attack is not None and source == self.source:
                    self.met += 1
                    await self.attack(Call(head, writer, lambda head=head: _truth(port, head)))
                    return
                top, body = await _truth(port, head)
                writer.write(top + body)
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            return
        finally:
            with suppress(OSError, RuntimeError):
                writer.close()

    async def accept(
        self, index: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one connection of the host with that index."""
        task = asyncio.ensure_future(self._serve(index, reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        with suppress(asyncio.CancelledError):
            await task


async def _truth(port: int, head: bytes) -> tuple[bytes, bytes]:
    """What the simulator says to a request: the head of its answer, and the body whole."""
    async with asyncio.timeout(RELAYED_WITHIN_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(head.replace(b"Accept-Encoding: gzip, deflate\r\n", b""))
            top = await reader.readuntil(b"\r\n\r\n")
            lengths = [
                int(line.partition(b":")[2])
                for line in top.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ]
            body = await reader.readexactly(lengths[0]) if lengths else await reader.read()
        finally:
            writer.close()
    return top, body


@asynccontextmanager
async def hostile_upstreams(base_port: int, simulator_port: int) -> AsyncIterator[HostileUpstreams]:
    """Listen for all hosts."""
    upstreams = HostileUpstreams(base_port, simulator_port)
    servers = [
        await asyncio.start_server(
            lambda reader, writer, index=index: upstreams.accept(index, reader, writer),
            "127.0.0.1",
            base_port + 1 + index,
            limit=256 * 1024,
        )
        for index in range(len(HOSTS))
    ]
    try:
        yield upstreams
    finally:
        upstreams.end()
        for each in servers:
            each.close()
