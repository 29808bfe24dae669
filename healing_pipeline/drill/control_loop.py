"""The control path of a drill in one process: what Dagster's sensors and runs do, as a loop."""

from __future__ import annotations

import asyncio
from typing import Any

from healing_pipeline.control import heal_run
from healing_pipeline.control.alerting import Alerting
from healing_pipeline.control.diagnosing import Diagnosing, causes_at
from healing_pipeline.control.look import HealRequest
from healing_pipeline.control.settling import settle
from healing_pipeline.control.watching import Watcher
from healing_pipeline.drill.playing import Drill, side_by_side
from healing_pipeline.drill.world import caller
from healing_pipeline.healing.answer import Answer
from healing_pipeline.storage.routes import active_routes

# The control loop looks at every source this often.
LOOK_EVERY_S = 0.5


# And everything that people may have to be told of, as `healing alerts run` does.
JUDGE_EVERY_S = 1.0


async def control_loop(drill: Drill) -> None:
    """Look, heal and tell people until cancelled."""
    await side_by_side(_look_and_heal(drill), tell_people(drill))


async def tell_people(drill: Drill) -> None:
    """Do what the process of alerts does, but for sending, until cancelled."""
    alerting = Alerting(drill.catalog, drill.catalog.alerts)
    diagnosing = Diagnosing(drill.catalog)
    while True:
        began = drill.clock.monotonic()
        await drill.store(lambda connection: diagnosing.look(connection, drill.clock.now()))
        await drill.store(lambda connection: alerting.evaluate(connection, drill.clock.now()))
        spent = drill.clock.monotonic() - began
        await asyncio.sleep(max(0.05, JUDGE_EVERY_S - spent))


async def _look_and_heal(drill: Drill) -> None:
    caller.set("control")
    watcher = Watcher(drill.catalog, drill.engine, drill.database, drill.record, drill.clock)
    heals: set[asyncio.Task[None]] = set()
    asked_for: set[int] = set()
    try:
        while True:
            began = drill.clock.monotonic()
            looks = await asyncio.gather(
                *(watcher.look(source) for source in drill.catalog.sources)
            )
            for request in (each for look in looks for each in look.requests):
                if request.event_id not in asked_for:
                    asked_for.add(request.event_id)
                    heals.add(asyncio.create_task(_heal(drill, request)))
            for task in [each for each in heals if each.done()]:
                heals.discard(task)
                task.result()
            await _refresh_routes(drill)
            spent = drill.clock.monotonic() - began
            await asyncio.sleep(max(0.05, LOOK_EVERY_S - spent))
    finally:
        await asyncio.gather(*heals)


async def _heal(drill: Drill, request: HealRequest) -> None:
    """Do what the job `heal_endpoint` does, step by step."""
    taken = await drill.store(
        lambda connection: heal_run.take(connection, request.incident_id, drill.clock.now())
    )
    if taken is None:
        return
    found = await drill.store(
        lambda connection: causes_at(connection, drill.catalog, taken.source, drill.clock.now())
    )
    diagnosis = heal_run.diagnosed(drill.engine, taken, found)
    last = drill.engine.last_good(taken.endpoint)
    end = await heal_run.healed(drill.engine, taken)
    checks: tuple[Any, ...] = ()
    if isinstance(end, Answer):
        checks = heal_run.verified(
            drill.catalog,
            drill.engine.provider_of(taken.endpoint),
            end,
            None if last is None else last.reading,
            drill.clock.now(),
        )
    again = await drill.store(
        lambda connection: heal_run.diagnosed_again(
            connection, drill.catalog, taken, diagnosis, drill.clock.now()
        )
    )
    await drill.store(
        lambda connection: settle(
            connection,
            taken,
            again,
            end,
            checks,
            drill.clock.now(),
            catalog=drill.catalog,
        )
    )
    await _refresh_routes(drill)


async def _refresh_routes(drill: Drill) -> None:
    drill.routes.replace_all(await drill.store(active_routes))
