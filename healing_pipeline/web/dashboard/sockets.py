"""The browsers that are told of every change: bounded, in order, and none waits for another.

A browser that cannot keep up is sent everything anew instead of all that it missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from healing_pipeline.web.dashboard.deltas import Changes

MOST_SOCKETS = 200
MOST_WAITING = 64  # messages to one browser
PING_EVERY_S = 15.0
_TRY_LATER, _NOT_ASKED = 1013, 1008


class Sockets:
    """The browsers that are told of changes. Belongs to one event loop.

    Parameters
    ----------
    changes : Changes
    watch : callable
        Is called as long as anybody looks.
    """

    def __init__(self, changes: Changes, watch: Callable[[], None]) -> None:
        self._changes = changes
        self._watch = watch
        self._visitors: set[_Visitor] = set()

    def tell(self, message: str) -> None:
        """Send a message to every browser, sooner or later."""
        for each in self._visitors:
            each.add(message)

    async def serve(self, socket: WebSocket) -> None:
        """One browser, until it goes away."""
        if len(self._visitors) >= MOST_SOCKETS:
            await socket.close(_TRY_LATER)
            return
        await socket.accept()
        visitor = _Visitor()
        self._visitors.add(visitor)
        missed = self._changes.since(
            socket.query_params.get("epoch", ""), number_in(socket.query_params.get("after", ""))
        )
        visitor.begin_with(missed)
        sending = asyncio.create_task(self._send(socket, visitor))
        hearing = asyncio.create_task(_hear(socket))
        try:
            await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._visitors.discard(visitor)
            for task in (sending, hearing):
                task.cancel()
            await asyncio.gather(sending, hearing, return_exceptions=True)

    async def _send(self, socket: WebSocket, visitor: _Visitor) -> None:
        while True:
            self._watch()
            for message in visitor.taken(self._changes.whole):
                await socket.send_text(message)
            if not await visitor.is_told_within(PING_EVERY_S):
                await socket.send_text('{"ping":true}')


class _Visitor:
    """What waits to be sent to one browser."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._needs_whole = False
        self._is_told = asyncio.Event()

    def begin_with(self, missed: list[str] | None) -> None:
        """Send what was missed, or everything."""
        self._needs_whole = missed is None
        self._waiting.extendleft(reversed(missed or []))
        self._is_told.set()

    def add(self, message: str) -> None:
        """One more; when there are too many, everything takes their place."""
        self._waiting.append(message)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            self._needs_whole = True
        self._is_told.set()

    def taken(self, whole: Callable[[], str]) -> list[str]:
        """What is to be sent now; it waits no longer."""
        messages = list(self._waiting)
        self._waiting.clear()
        if self._needs_whole:
            self._needs_whole = False
            # What waited besides is part of it: a number that is known is passed over.
            return [whole()]
        return messages

    async def is_told_within(self, seconds: float) -> bool:
        """Wait for something to send; False when nothing came."""
        try:
            async with asyncio.timeout(seconds):
                await self._is_told.wait()
        except TimeoutError:
            return False
        self._is_told.clear()
        return True


async def _hear(socket: WebSocket) -> None:
    """Notice that the browser goes away; it has nothing to say, and what it says ends it too."""
    try:
        await socket.receive_text()
        await socket.close(_NOT_ASKED)
    except (WebSocketDisconnect, KeyError, RuntimeError):
        return


def number_in(text: str) -> int:
    """The number of a message that somebody says to know; -1 when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
