"""A reader with a data path of its own, as a process: ``python one_reader.py CONFIG``.

Takes commands as lines of JSON and answers each with one: ``{"endpoint": ..., "for_s": ...,
"every_s": ...}`` reads an endpoint again and again and tells of each answer when it was asked for,
how long it took and what its label was. Ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from healing_pipeline.client import AsyncHealingClient
from healing_pipeline.healing.answer import Answer


async def serve(config: str) -> None:
    async with AsyncHealingClient(config) as client:
        print(json.dumps("ready"), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await read(client, **json.loads(line))), flush=True)


async def read(
    client: AsyncHealingClient, endpoint: str, for_s: float = 0.0, every_s: float = 0.05
) -> list[list[object]]:
    """At least once; slow answers delay nobody."""
    until, reads = time.monotonic() + for_s, []
    while True:
        reads.append(asyncio.create_task(timed(client, endpoint)))
        if time.monotonic() >= until:
            return [list(each) for each in await asyncio.gather(*reads)]
        await asyncio.sleep(every_s)


async def timed(client: AsyncHealingClient, endpoint: str) -> tuple[float, float, str]:
    at, began = time.time(), time.monotonic()
    answer = await client.fetch(endpoint)
    label = str(answer.fidelity) if isinstance(answer, Answer) else str(answer.verdict)
    return at, time.monotonic() - began, label


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
