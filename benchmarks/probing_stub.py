"""One upstream as a process of its own: rates of currency pairs, as cheap as asyncio serves them.

``python benchmarks/probing_stub.py DELAY_S``: answers ``/v6/KEY/pair/USD/EUR`` so many seconds
after it was asked, over connections that are kept. Prints its port, answers until its input ends.
``/stats`` tells in JSON how many connections it took and how many answers it gave.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import cast

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
BODY = (
    b'{"result":"success","documentation":"https://www.exchangerate-api.com/docs",'
    b'"terms_of_use":"https://www.exchangerate-api.com/terms","time_last_update_unix":%d,'
    b'"time_last_update_utc":"%s","time_next_update_unix":%d,"time_next_update_utc":"%s",'
    b'"base_code":"%s","target_code":"%s","conversion_rate":%.4f}'
)
RATES_OF = datetime.now(UTC).replace(hour=0, minute=0, second=1, microsecond=0)
WRITTEN = "%a, %d %b %Y %H:%M:%S +0000"
TIMES = tuple(
    value
    for moment in (RATES_OF, RATES_OF + timedelta(days=1))
    for value in (int(moment.timestamp()), moment.strftime(WRITTEN).encode())
)


class Upstream(asyncio.Protocol):
    """One connection."""

    connections = 0
    answers = 0
    delay_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self.transport = cast(asyncio.Transport, transport)
        self.waiting = b""
        Upstream.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        *requests, self.waiting = (self.waiting + data).split(b"\r\n\r\n")
        for request in requests:
            answer = self.answer_to(request.split(b" ", 2)[1])
            if self.delay_s:
                asyncio.get_running_loop().call_later(self.delay_s, self.transport.write, answer)
            else:
                self.transport.write(answer)

    def answer_to(self, path: bytes) -> bytes:
        """The rate of a pair; the same whenever it is asked, as rates of a day are."""
        if path == b"/stats":
            told = json.dumps({"connections": self.connections, "answers": self.answers}).encode()
            return HEAD % (len(told), told)
        Upstream.answers += 1
        base, target = path.split(b"/")[-2:]
        body = BODY % (*TIMES, base, target, 0.5 + sum(base + target[1:]) / 700)
        return HEAD % (len(body), body)


async def main(delay_s: float) -> None:
    """Serve until the input ends."""
    Upstream.delay_s = delay_s
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(float(sys.argv[1])))
