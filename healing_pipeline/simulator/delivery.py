"""Bad deliveries: silence, resets, cuts, drips and floods, on a real socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from healing_pipeline.simulator.outcome import Delivery, Outcome
from healing_pipeline.simulator.upstreams.contract import JSON, Answer
from healing_pipeline.simulator.upstreams.pages import half

FLOOD_BYTES = 64 * 1024 * 1024
DRIP_S = 0.2
_CHUNK_BYTES = 64 * 1024
# A reset discards what the peer has not read yet; this lets the first half arrive.
_BEFORE_RESET_S = 0.02

Head = Callable[[Answer, int], bytes]


def reset(transport: asyncio.Transport) -> None:
    """Drop a connection so that the peer gets a RST, not a FIN."""
    own: socket.socket | None = transport.get_extra_info("socket")
    if own is not None:
        with suppress(OSError):  # the peer may have been faster
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def deliver_badly(
    transport: asyncio.Transport, outcome: Outcome, head: Head, writable: asyncio.Event
) -> None:
    """Do to a connection what an outcome says, and end it.

    Parameters
    ----------
    transport : asyncio.Transport
    outcome : Outcome
        Any but a plain `SEND`.
    head : Head
        Makes status line and headers for an answer with a body of a given length.
    writable : asyncio.Event
        Set while the peer keeps up.
    """
    if outcome.delivery is Delivery.HOLD:
        await asyncio.sleep(outcome.hold_s)
        transport.close()
    elif outcome.delivery is Delivery.CLOSE:
        transport.close()
    elif outcome.delivery is Delivery.RESET:
        reset(transport)
    elif outcome.delivery is Delivery.FLOOD:
        await _flood(transport, head, writable)
    else:
        assert outcome.answer is not None
        await _deliver_part(transport, outcome.delivery, outcome.answer, head)


async def _deliver_part(
    transport: asyncio.Transport, how: Delivery, answer: Answer, head: Head
) -> None:
    transport.write(head(answer, len(answer.body)))
    if how is Delivery.DRIP:
        for at in range(len(answer.body)):
            transport.write(answer.body[at : at + 1])
            await asyncio.sleep(DRIP_S)
        transport.close()
        return
    transport.write(half(answer.body))
    if how is Delivery.CUT:
        transport.close()
        return
    await asyncio.sleep(_BEFORE_RESET_S)
    reset(transport)


async def _flood(transport: asyncio.Transport, head: Head, writable: asyncio.Event) -> None:
    transport.write(head(Answer(200, {"content-type": JSON}, b""), FLOOD_BYTES))
    row = b'{"t":1704067200000,"o":100.0001,"h":101.0002,"l":99.0003,"c":100.5004,"v":123456},'
    chunk = (row * (_CHUNK_BYTES // len(row) + 1))[:_CHUNK_BYTES]
    transport.write(b'{"results":[' + chunk[12:])
    for _ in range(FLOOD_BYTES // _CHUNK_BYTES - 1):
        await writable.wait()
        if transport.is_closing():
            return
        transport.write(chunk)
        # Other connections want their turn between two chunks of a fast reader.
        await asyncio.sleep(0)
    transport.close()
