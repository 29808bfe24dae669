"""The simulator's listening sockets: one per host, one for control, opened and closed by faults."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from healing_pipeline.errors import PortInUseError
from healing_pipeline.simulator.connection import Connection, Received, Respond
from healing_pipeline.simulator.control_api import ControlApi
from healing_pipeline.simulator.hosts import HOSTS
from healing_pipeline.simulator.outcome import Outcome, Request
from healing_pipeline.simulator.simulation import Simulation
from healing_pipeline.simulator.upstreams.contract import text_answer

_ADDRESS = "127.0.0.1"
_BACKLOG = 1024
_RECONCILE_S = 0.02
_PARENT_POLL_S = 1.0


@dataclass(slots=True)
class Listener:
    """One port: what answers there, and whether it is open."""

    name: str
    port: int
    respond: Respond
    connections: set[Connection] = field(default_factory=set)
    server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen.

        Raises
        ------
        PortInUseError
            If another program does.
        """
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((_ADDRESS, self.port))
            listening.listen(_BACKLOG)
        except OSError as exc:
            listening.close()
            if exc.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            cure = (
                f"Choose another block of {len(HOSTS) + 1} free ports with --port, "
                "or stop the program that listens there."
            )
            raise PortInUseError(self.port, f"the simulator ({self.name})", cure) from exc
        self.server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self.respond, self.connections), sock=listening
        )

    def close(self) -> None:
        """Refuse new connections and drop the open ones."""
        if self.server is not None:
            self.server.close()
            self.server = None
        for connection in tuple(self.connections):
            connection.abort()


class SimulatorServer:
    """A simulation on its ports.

    Parameters
    ----------
    simulation : Simulation
    base_port : int
        The control port; HOSTS follow.
    """

    def __init__(self, simulation: Simulation, base_port: int) -> None:
        self._simulation = simulation
        self._stop = asyncio.Event()
        control = ControlApi(simulation, self._stop.set)
        self._control = Listener("control", base_port, control.respond)
        self._hosts = {
            pair: Listener("/".join(pair), base_port + 1 + index, self._responder(*pair))
            for index, pair in enumerate(HOSTS)
        }

    def _responder(self, source: str, host: str) -> Respond:
        def respond(received: Received) -> Outcome:
            if received.method != "GET":
                return Outcome(text_answer(405, "Method Not Allowed", headers={"allow": "GET"}))
            request = Request(received.path, received.params, received.headers)
            return self._simulation.answer(source, host, request)

        return respond

    async def run(self, ready: Callable[[], None], *, exit_with_parent: bool = False) -> None:
        """Serve until SIGTERM, SIGINT, /control/stop or, if asked, the parent's end.

        Raises
        ------
        PortInUseError
            If one of the ports is taken; nothing stays open then.
        """
        listeners = (self._control, *self._hosts.values())
        try:
            for listener in listeners:
                await listener.open()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop.set)
            ready()
            background = [asyncio.create_task(self._reconcile_forever())]
            if exit_with_parent:
                background.append(asyncio.create_task(self._watch_parent()))
            await self._stop.wait()
            await asyncio.sleep(0.02)  # the answer to /control/stop goes out first
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
        finally:
            for listener in listeners:
                listener.close()
            await asyncio.sleep(0)

    async def _reconcile_forever(self) -> None:
        """Open and close ports as faults begin and end."""
        while True:
            for (source, host), listener in self._hosts.items():
                is_down = self._simulation.is_down(source, host)
                if is_down and listener.server is not None:
                    listener.close()
                elif not is_down and listener.server is None:
                    # Somebody may have taken the port meanwhile; the next round tries again.
                    with suppress(PortInUseError):
                        await listener.open()
            await asyncio.sleep(_RECONCILE_S)

    async def _watch_parent(self) -> None:
        """End when the process that started us is gone."""
        parent = os.getppid()
        while True:
            await asyncio.sleep(_PARENT_POLL_S)
            if os.getppid() != parent:
                self._stop.set()
                return
