"""All upstreams of the load trial in one process, as cheap as asyncio serves them.

``python -m healing_pipeline_tests.chaos.load_upstreams FILE``: FILE holds the trial's settings.
Answers until its input ends, then prints what it was asked, by how it answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import cast

from healing_pipeline_tests.chaos.load_catalog import HOSTS, port_of, price, rate
from healing_pipeline_tests.chaos.load_faults import Fault, Faults

OLD_BY_S = 600
QUOTE = (
    '{"language":"en-US","region":"US","quoteType":"EQUITY","quoteSourceName":"Delayed Quote",'
    '"triggerable":true,"marketState":"REGULAR","currency":"USD","exchange":"NMS",'
    '"shortName":"%s","exchangeTimezoneName":"America/New_York","regularMarketPrice":%s,'
    '"regularMarketTime":%d,"regularMarketVolume":1000,"priceHint":2,"symbol":"%s"}'
)
QUOTES = '{"quoteResponse":{"result":[%s],"error":null}}'
RATE = (
    '{"result":"success","documentation":"https://www.exchangerate-api.com/docs",'
    '"terms_of_use":"https://www.exchangerate-api.com/terms","time_last_update_unix":%d,'
    '"time_last_update_utc":"%s","time_next_update_unix":%d,"time_next_update_utc":"%s",'
    '"base_code":"%s","target_code":"%s","conversion_rate":%s}'
)
WRITTEN = "%a, %d %b %Y %H:%M:%S +0000"
HTML = "<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>"
ERROR_TEXT = '{"error":{"code":"Internal","description":"backend unavailable, try again"}}'
EMPTY = '{"quoteResponse":{"result":[],"error":null}}'


def reply(status: str, body: str, kind: str = "application/json", more: str = "") -> bytes:
    """An answer as it goes over the wire."""
    raw = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n{more}\r\n"
    return head.encode() + raw


@lru_cache(4)
def _times(day: int) -> tuple[int, str, int, str]:
    begin = datetime.fromtimestamp(day * 86_400 + 1, UTC)
    end = begin + timedelta(days=1)
    return (
        int(begin.timestamp()),
        begin.strftime(WRITTEN),
        int(end.timestamp()),
        end.strftime(WRITTEN),
    )


def good(target: str, second: int, *, stranger: bool = False) -> str | None:
    """The body of a true answer as of a second; None for what is no question."""
    path, _, query = target.partition("?")
    if path == "/v7/finance/quote":
        names = query.partition("symbols=")[2].partition("&")[0].replace("%2C", ",").split(",")
        told = ["ZZZZ"] if stranger else names
        return QUOTES % ",".join(
            QUOTE % (each, price(each, second), second, each) for each in told if each
        )
    parts = path.split("/")
    if len(parts) == 6 and parts[3] == "pair":
        base, target_code = ("USD", "USD") if stranger else parts[4:]
        pair = f"{base}-{target_code}"
        return RATE % (*_times(second // 86_400), base, target_code, rate(pair))
    return None


class Upstream(asyncio.Protocol):
    """One connection to a host of a source."""

    def __init__(self, source: int, host: int, faults: Faults, seen: Counter[str]) -> None:
        self._source, self._host = source, host
        self._faults = faults
        self._seen = seen
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        *requests, self._waiting = (self._waiting + data).split(b"\r\n\r\n")
        for request in requests:
            self._answer(request.split(b" ", 2)[1].decode())

    def _answer(self, target: str) -> None:
        now = time.time()
        fault = self._faults.of(self._source, self._host, now)
        self._seen["good" if fault is None else fault] += 1
        second = int(now)
        if fault is Fault.HANG:
            return
        if fault is Fault.RESET:
            self._transport.abort()
            return
        body = good(target, second)
        if body is None:
            self._transport.write(reply("404 Not Found", "{}"))
            return
        self._transport.write(_FORMS[fault](target, second, body))


_FORMS: dict[Fault | None, Callable[[str, int, str], bytes]] = {
    None: lambda target, second, body: reply("200 OK", body),
    Fault.SERVER_ERROR: lambda target, second, body: reply("503 Service Unavailable", "{}"),
    Fault.RATE_LIMIT: lambda target, second, body: reply(
        "429 Too Many Requests", "{}", more="Retry-After: 5\r\n"
    ),
    Fault.HTML: lambda target, second, body: reply("200 OK", HTML, "text/html"),
    Fault.ERROR_TEXT: lambda target, second, body: reply("200 OK", ERROR_TEXT),
    # The length is that of the half: what is wrong is the JSON.
    Fault.TRUNCATED: lambda target, second, body: reply("200 OK", body[: len(body) // 2]),
    Fault.EMPTY: lambda target, second, body: reply(
        "200 OK", EMPTY if "/quote" in target else "{}"
    ),
    Fault.OLD: lambda target, second, body: reply(
        "200 OK", good(target, second - (OLD_BY_S if "/quote" in target else 5 * 86_400)) or ""
    ),
    Fault.STRANGER: lambda target, second, body: reply(
        "200 OK", good(target, second, stranger=True) or ""
    ),
}


async def main(settings: dict[str, float]) -> None:
    """Serve until the input ends."""
    loop, seen = asyncio.get_running_loop(), Counter[str]()
    faults = Faults(int(settings["seed"]), settings["faults_begin_at"], settings["faults_end_at"])
    for source in range(int(settings["sources"])):
        for host in range(HOSTS):
            await loop.create_server(
                partial(Upstream, source, host, faults, seen),
                "127.0.0.1",
                port_of(int(settings["first_port"]), source, host),
                backlog=2048,
            )
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
