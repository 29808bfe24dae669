"""Readers for a demonstration: what a website would ask, through the healing data path.

Run by `healing up` while upstreams are simulated, so that there is somebody to heal for. They are
readers like any other: they follow the routes of incidents, and what they meet is an observation.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

from healing_pipeline.client import AsyncHealingClient


async def read(client: AsyncHealingClient, requests_per_s: float, seed: int) -> None:
    """Ask for one endpoint after the other, at random moments, until cancelled."""
    rng = Random(f"readers:{seed}")  # noqa: S311 (traffic, not a secret)  # nosec B311
    endpoints = client.endpoints
    # A website that is up has shown every page before; start where it stands.
    await client.fetch_many(endpoints)
    asking: set[asyncio.Task[object]] = set()
    while True:
        task: asyncio.Task[object] = asyncio.create_task(client.fetch(rng.choice(endpoints)))
        asking.add(task)
        task.add_done_callback(asking.discard)
        await asyncio.sleep(rng.expovariate(requests_per_s))


async def read_until_stopped(config: Path, requests_per_s: float, seed: int) -> None:
    """Read until SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    async with AsyncHealingClient(config) as client:
        reading = asyncio.create_task(read(client, requests_per_s, seed))
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, reading.cancel)
        with suppress(asyncio.CancelledError):
            await reading


def main() -> None:
    """Read until told to stop: ``python -m healing_pipeline.stack.readers CONFIG RATE SEED``."""
    asyncio.run(read_until_stopped(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))


if __name__ == "__main__":
    main()
