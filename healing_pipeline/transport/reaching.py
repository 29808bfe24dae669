"""Whether a host can be reached at all: a TCP connection that is closed again; nothing is sent."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import suppress

from healing_pipeline.catalog.destinations import Destinations

REACH_WITHIN_S = 1.5


class Reach:
    """Asks hosts whether they take a connection, those that may be asked.

    Parameters
    ----------
    allowed : Destinations
        Which hosts may be in our own network; all others are asked only outside it.
    """

    def __init__(self, allowed: Destinations) -> None:
        self._allowed = allowed

    async def __call__(self, host: str, port: int, timeout_s: float = REACH_WITHIN_S) -> bool:
        """Whether `host` takes a connection within `timeout_s` seconds.

        Never raises for the network. A refused one counts as not reached: where nothing else can be
        reached either, it was a box of ours that refused.
        """
        try:
            async with asyncio.timeout(timeout_s):
                writer = await self._connected(host, port)
        except (OSError, TimeoutError, UnicodeError):
            return False
        if writer is None:
            return False
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(timeout_s):
                await writer.wait_closed()
        return True

    async def _connected(self, host: str, port: int) -> asyncio.StreamWriter | None:
        loop = asyncio.get_running_loop()
        last: OSError | None = None
        for *_, place in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            address = str(place[0])
            read = ipaddress.ip_address(address.partition("%")[0])
            if not self._allowed.admits_address(host.lower().rstrip("."), port, read):
                continue
            try:
                # The address that was looked at, not the name: it could be another by now.
                return (await asyncio.open_connection(address, port))[1]
            except OSError as error:
                last = error
        if last is not None:
            raise last
        return None
