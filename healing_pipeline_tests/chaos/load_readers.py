"""The readers of the load trial: so many requests a second, whatever becomes of those before.

``python -m healing_pipeline_tests.chaos.load_readers FILE``. Each request has its moment in the
schedule, and what its reader waited counts from that moment: a gateway that stops for a second is
late for all who came in it. Every answer is held against the truth. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, cast

from healing_pipeline_tests.chaos.load_catalog import LoadSource, price, rate, sources_of

# The data of an exact answer is no older than this when it is asked for.
EXACT_WITHIN_S = 3.0
RATES_OF_TODAY_S = 36 * 3600.0
# One in five requests is for what everybody asks.
HOT, HOT_SHARE = 50, 0.2
GIVEN_UP_AFTER_S = 30.0
KEPT_STORIES = 20


@dataclass
class Account:
    """What readers saw, from the moment that counts on."""

    counts_from: float
    waited: list[float] = field(default_factory=list)
    sent_late: list[float] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    strategies: Counter[str] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)

    def count(self, what: str, scheduled: float, story: str = "") -> None:
        """Count an end; what came before warm-up was over is told apart."""
        early = scheduled < self.counts_from
        self.seen[f"warm_up_{what}" if early else what] += 1
        if story and not early and len(self.stories) < KEPT_STORIES:
            self.stories.append(f"{what}: {story}")


class Connection(asyncio.Protocol):
    """One kept connection to the gateway; one request at a time."""

    def __init__(self) -> None:
        self._got = b""
        self._end: asyncio.Future[tuple[int, Mapping[str, str], bytes]] | None = None
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self.is_open = False
        if self._end is not None and not self._end.done():
            self._end.set_exception(ConnectionError("the gateway closed the connection"))

    def close(self) -> None:
        """Give it up."""
        self._transport.abort()

    def ask(self, target: str) -> asyncio.Future[tuple[int, Mapping[str, str], bytes]]:
        """Send one request; status, headers and body come with the future."""
        self._end = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return self._end

    def data_received(self, data: bytes) -> None:
        """Take the answer when all of it is there."""
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found or self._end is None:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (each.partition(":") for each in lines)
        }
        if len(body) < int(headers.get("content-length", 0)):
            return
        self._got = b""
        if not self._end.done():
            self._end.set_result((int(first.split()[1]), headers, body))


class Readers:
    """All readers of one gateway."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._sources = sources_of(int(settings["endpoints"]))
        self._questions = [
            (source, subject) for source in self._sources for subject in source.subjects
        ]
        self._random = Random(settings["seed"])
        self._random.shuffle(self._questions)
        self._idle: list[Connection] = []
        self.account = Account(float(settings["counts_from"]))

    async def run(self) -> None:
        """Ask by the schedule until it ends."""
        per_s, begins_at = float(self._settings["per_s"]), time.time()
        asking: set[asyncio.Task[None]] = set()
        number = 0
        while (scheduled := begins_at + number / per_s) < self._settings["ends_at"]:
            number += 1
            ahead_s = scheduled - time.time()
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
            task = asyncio.create_task(self._read(*self._next(), scheduled))
            asking.add(task)
            task.add_done_callback(asking.discard)
        await asyncio.gather(*asking)

    def _next(self) -> tuple[LoadSource, str]:
        if self._random.random() < HOT_SHARE:
            return self._questions[int(self._random.random() * HOT)]
        return self._questions[int(self._random.random() * len(self._questions))]

    async def _read(self, source: LoadSource, subject: str, scheduled: float) -> None:
        account = self.account
        connection = None
        try:
            sent = time.time()
            async with asyncio.timeout(GIVEN_UP_AFTER_S):
                connection = await self._connection()
                status, headers, body = await connection.ask(f"/v1/{source.endpoint(subject)}")
        except (OSError, TimeoutError) as error:
            if connection is not None:
                connection.close()
            account.count("no_answer", scheduled, f"{type(error).__name__}: {error}")
            return
        waited = time.time() - scheduled
        self._idle.append(connection)
        if scheduled >= account.counts_from:
            account.waited.append(waited)
            account.sent_late.append(sent - scheduled)
        account.answered.append(headers.get("x-healing-request-id", ""))
        name = source.endpoint(subject)
        if status != 200:
            account.count(
                "failed", scheduled, f"{name} at {scheduled:.1f}: {status} {body[:300].decode()}"
            )
            return
        fidelity = headers["x-healing-fidelity"]
        account.count(fidelity, scheduled)
        account.strategies[headers["x-healing-strategy"]] += 1
        if (why := lie(source, subject, headers, body, sent)) is not None:
            account.count("wrong_as_good", scheduled, f"{name}: {fidelity}, {why}")

    async def _connection(self) -> Connection:
        while self._idle:
            known = self._idle.pop()
            if known.is_open:
                return known
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(
            Connection, "127.0.0.1", int(self._settings["gateway_port"])
        )
        return made


def lie(
    source: LoadSource, subject: str, headers: Mapping[str, str], body: bytes, sent: float
) -> str | None:
    """Why an answer is worse than its label; None when it is not."""
    told = json.loads(body)
    fidelity = headers["x-healing-fidelity"]
    as_of = datetime.fromisoformat(headers["x-healing-as-of"]).timestamp()
    if fidelity not in ("exact", "stale"):
        return "a label that was not asked for"
    if source.is_quotes:
        (quote,) = told["quoteResponse"]["result"]
        about, value, at = (
            quote["symbol"], quote["regularMarketPrice"], quote["regularMarketTime"]
        )  # fmt: skip
        truth, within_s = price(subject, at), EXACT_WITHIN_S
        if at != as_of:
            return f"its newest number is of {at}, as of {as_of} is said"
    else:
        about = f"{told['base_code']}-{told['target_code']}"
        value, truth, within_s = told["conversion_rate"], rate(subject), RATES_OF_TODAY_S
    if about != subject:
        return f"it is about {about}"
    if value != truth:
        return f"{value} instead of {truth}"
    if fidelity == "exact" and sent - as_of > within_s:
        return f"{sent - as_of:.1f} s old"
    return None


def share(values: list[float], part: float) -> float:
    """A quantile; `values` are sorted."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0.0


def main(settings: Mapping[str, Any]) -> None:
    """Ask, and tell."""
    import gc

    import uvloop

    readers = Readers(settings)
    gc.freeze()
    uvloop.run(readers.run())
    account = readers.account
    account.waited.sort()
    account.sent_late.sort()
    Path(settings["answered_file"]).write_text("\n".join(account.answered), encoding="utf-8")
    told = {
        "requests": len(account.waited),
        "seen": account.seen,
        "strategies": account.strategies,
        "stories": account.stories,
        "p50_s": share(account.waited, 0.5),
        "p99_s": share(account.waited, 0.99),
        "p999_s": share(account.waited, 0.999),
        "max_s": share(account.waited, 1.0),
        "over_3_s": sum(each > 3.0 for each in account.waited),
        "sent_late_p99_s": share(account.sent_late, 0.99),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
