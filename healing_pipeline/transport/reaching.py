"""Whether a host can be reached at all: a TCP connection that is closed again; nothing is sent."""

from __future__ import annotations

import asyncio
from contextlib import suppress

REACH_WITHIN_S = 1.5


async def reach(host: str, port: int, timeout_s: float = REACH_WITHIN_S) -> bool:
    """Whether `host` takes a connection within `timeout_s` seconds. Never raises for the network.

    A refused one counts as not reached: where nothing else can be reached either, it was a box of
    ours that refused.
    """
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError, UnicodeError):
        return False
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout_s):
            await writer.wait_closed()
    return True
