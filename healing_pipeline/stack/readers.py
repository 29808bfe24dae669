"""Readers for a demonstration: what a website would ask, through the healing data path.

Run by `healing up` while upstreams are simulated, so that there is somebody to heal for. They are
readers like any other: they follow the routes of incidents, and what they meet is an observation.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from random import Random

from healing_pipeline.errors import StorageError
from healing_pipeline.session import Session, open_session
from healing_pipeline.storage.database import listen


async def read(session: Session, requests_per_s: float, seed: int) -> None:
    """Ask for one endpoint after the other, at random moments, until cancelled."""
    rng = Random(f"readers:{seed}")  # noqa: S311 (traffic, not a secret)
    endpoints = list(session.catalog.endpoints)
    # A website that is up has shown every page before; start where it stands.
    await asyncio.gather(*(session.engine.fetch(each) for each in endpoints))
    asking: set[asyncio.Task[object]] = set()
    while True:
        task: asyncio.Task[object] = asyncio.create_task(
            session.engine.fetch(rng.choice(endpoints))
        )
        asking.add(task)
        task.add_done_callback(asking.discard)
        await asyncio.sleep(rng.expovariate(requests_per_s))


def follow_routes(session: Session, stopped: threading.Event) -> None:
    """Take over every change of a route as PostgreSQL tells of it."""
    while not stopped.is_set():
        try:
            with listen(session.database.url, ["healing_route"]) as listener:
                session.refresh_routes()
                while not stopped.is_set():
                    if any(True for _ in listener.notices(0.25)):
                        session.refresh_routes()
        except StorageError:
            # Readers go on by what they know; PostgreSQL is looked for again.
            stopped.wait(1.0)


def main() -> None:
    """Read until told to stop: ``python -m healing_pipeline.stack.readers CONFIG RATE SEED``."""
    config, requests_per_s, seed = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        session = open_session(stack, config)
        reading = session.portal.start_task_soon(read, session, requests_per_s, seed)
        stack.callback(reading.cancel)
        follower = threading.Thread(target=follow_routes, args=(session, stopped))
        follower.start()
        stack.callback(follower.join)
        while not stopped.wait(0.5) and not reading.done():
            pass
        stopped.set()
        if reading.done():
            reading.result()


if __name__ == "__main__":
    main()
