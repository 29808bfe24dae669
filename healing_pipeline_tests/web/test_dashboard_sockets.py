"""Many browsers at once: bounded, in order, and none waits for another. No database, no network."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.websockets import WebSocket

from healing_pipeline.web.dashboard import sockets
from healing_pipeline.web.dashboard.deltas import Changes, State
from healing_pipeline.web.dashboard.sockets import MOST_WAITING, Sockets


class Browser:
    """One end of a socket; takes messages only as long as it is not stuck."""

    def __init__(self, sockets: Sockets, query: str = "") -> None:
        self.told: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.flows = asyncio.Event()
        self.flows.set()
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "path": "/", "query_string": query.encode(), "headers": []}
        socket = WebSocket(scope, self._incoming.get, self._send)
        self.serving = asyncio.create_task(sockets.serve(socket))

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close":
            self.closed = message["code"]
        elif message["type"] == "websocket.send":
            await self.flows.wait()
            self.told.append(json.loads(message["text"]))

    async def says(self, **message: Any) -> None:
        self._incoming.put_nowait(message)
        await asyncio.wait_for(self.serving, 2)

    async def goes_away(self) -> None:
        await self.says(type="websocket.disconnect", code=1001)


class Busy:
    """A server whose state changes when told to."""

    def __init__(self) -> None:
        self.changes = Changes("e")
        self.sockets = Sockets(self.changes, lambda: None)

    def change(self, count: int = 1) -> None:
        for _ in range(count):
            seq = self.changes.now[0]
            message = self.changes.publish(State({"at": seq}, {"a/b": {"s": str(seq)}}))
            assert message is not None
            self.sockets.tell(message)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def seqs(browser: Browser) -> list[int]:
    return [each["seq"] for each in browser.told]


def test_a_browser_gets_everything_once_and_then_what_changes():
    async def play() -> None:
        server = Busy()
        server.change(3)
        new, known = Browser(server.sockets), Browser(server.sockets, "epoch=e&after=2")
        await settle()
        server.change(2)
        await settle()
        assert seqs(new) == [3, 4, 5]
        assert [bool(each.get("whole")) for each in new.told] == [True, False, False]
        assert seqs(known) == [3, 4, 5]
        assert not any(each.get("whole") for each in known.told)
        await new.goes_away()
        await known.goes_away()
        server.change()
        await settle()
        assert seqs(new) == [3, 4, 5]

    asyncio.run(play())


def test_a_browser_that_is_stuck_costs_nobody_anything_and_gets_everything_anew():
    async def play() -> None:
        server = Busy()
        server.change()
        stuck, well = Browser(server.sockets), Browser(server.sockets)
        await settle()
        stuck.flows.clear()
        for _ in range(5 * MOST_WAITING):
            server.change()
            await settle()
        assert len(well.told) == 5 * MOST_WAITING + 1
        (visitor,) = [each for each in server.sockets._visitors if len(each._waiting) > 0]
        assert len(visitor._waiting) <= MOST_WAITING
        stuck.flows.set()
        await settle()
        assert stuck.told[-1]["whole"]
        assert stuck.told[-1]["seq"] == server.changes.now[0]
        assert len(stuck.told) < 5
        await stuck.goes_away()
        await well.goes_away()

    asyncio.run(play())


def test_whoever_says_anything_is_shown_out():
    async def play() -> None:
        server = Busy()
        browser = Browser(server.sockets)
        await settle()
        await browser.says(type="websocket.receive", text="x" * 10)
        assert browser.closed == 1008
        assert not server.sockets._visitors

    asyncio.run(play())


def test_there_is_an_end_to_how_many_are_let_in(monkeypatch):
    monkeypatch.setattr(sockets, "MOST_SOCKETS", 3)

    async def play() -> None:
        server = Busy()
        browsers = [Browser(server.sockets) for _ in range(4)]
        await settle()
        assert [each.closed for each in browsers] == [None, None, None, 1013]
        await browsers[0].goes_away()
        late = Browser(server.sockets)
        await settle()
        assert late.closed is None
        for each in (*browsers[1:3], late):
            await each.goes_away()

    asyncio.run(play())


@pytest.mark.parametrize("after", ["", "-1", "x", "1e3", "9" * 400, "٣"])
def test_a_number_that_is_none_asks_for_everything(after):
    async def play() -> None:
        server = Busy()
        server.change()
        browser = Browser(server.sockets, f"epoch=e&after={after}")
        await settle()
        assert browser.told[0]["whole"]
        await browser.goes_away()

    asyncio.run(play())
