"""The control path of a trial, which goes on when PostgreSQL comes back.

It does what Dagster's daemon does with sensors and runs: a tick that fails is followed by the next,
a run that fails is not run again, and an event that asked for a heal asks once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from time import monotonic

import psycopg

from healing_pipeline.control.look import Look
from healing_pipeline.control.watching import Watcher
from healing_pipeline.drill.control_loop import LOOK_EVERY_S, _heal, _refresh_routes
from healing_pipeline.drill.playing import Drill
from healing_pipeline.drill.world import caller
from healing_pipeline.errors import StorageError

AWAY = (StorageError, psycopg.OperationalError, psycopg.InterfaceError)


class Control:
    """Looks and heals until cancelled.

    Attributes
    ----------
    looked_at : float
        Monotonic; when all sources were last looked at without a fault.
    lost : Counter
        Looks and heals that PostgreSQL was away for.
    """

    def __init__(self, drill: Drill) -> None:
        self._drill = drill
        self.looked_at = 0.0
        self.lost: Counter[str] = Counter()

    async def run(self) -> None:
        """Go on until cancelled."""
        drill = self._drill
        caller.set("control")
        watcher = Watcher(drill.catalog, drill.engine, drill.database, drill.record, drill.clock)
        heals: set[asyncio.Task[None]] = set()
        asked_for: set[int] = set()
        try:
            while True:
                began = monotonic()
                ends = await asyncio.gather(
                    *(watcher.look(source) for source in drill.catalog.sources),
                    return_exceptions=True,
                )
                looks = [each for each in ends if isinstance(each, Look)]
                for each in ends:
                    if isinstance(each, AWAY):
                        self.lost["looks"] += 1
                    elif isinstance(each, BaseException):
                        raise each
                for request in (each for look in looks for each in look.requests):
                    if request.event_id not in asked_for:
                        asked_for.add(request.event_id)
                        heals.add(asyncio.create_task(_heal(drill, request)))
                for task in [each for each in heals if each.done()]:
                    heals.discard(task)
                    if task.exception() is None:
                        continue
                    if not isinstance(task.exception(), AWAY):
                        task.result()
                    self.lost["heals"] += 1
                try:
                    await _refresh_routes(drill)
                except AWAY:
                    self.lost["routes"] += 1
                else:
                    if len(looks) == len(ends):
                        self.looked_at = began
                await asyncio.sleep(max(0.05, LOOK_EVERY_S - (monotonic() - began)))
        finally:
            await asyncio.gather(*heals, return_exceptions=True)
            await watcher.aclose()
