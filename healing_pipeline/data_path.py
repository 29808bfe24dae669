"""An open data path: engine, memory, recorder and the way out; PostgreSQL is not needed for it.

Clients, the gateway and the sessions of the control path all stand on this. What the database knows
is taken over when it is there, and what happens is stored there or waits on disk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact, SnapshotFact
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.guard.cooldowns import Cooldown, CooldownNews, Tell
from healing_pipeline.healing.memory import (
    MOST_SNAPSHOTS,
    PolicyInForce,
    RouteTable,
    SnapshotMemory,
)
from healing_pipeline.healing.strategy import MOST_AHEAD, Snapshot
from healing_pipeline.installation import (
    allowed_hosts,
    build_engine,
    load_catalog,
    state_dir,
    system_clock,
)
from healing_pipeline.storage.local_policy import LocalPolicy
from healing_pipeline.storage.local_snapshots import MOST as LOCAL_SNAPSHOTS
from healing_pipeline.storage.local_snapshots import LocalSnapshots
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.redis_cooldowns import redis_cooldowns
from healing_pipeline.storage.shared_limits import SharedLimits
from healing_pipeline.storage.shared_memory import WORTH_TAKING, News, SharedMemory
from healing_pipeline.storage.spool_room import spool_bytes
from healing_pipeline.transport.http import HttpSender, new_client

# A database that answers is taken over before the first question; one that is away is not waited
# for any longer than this.
MEMORY_WITHIN_S = 1.5

# A database that is there tells soon what others were told, and which share of a key is ours.
LIMITS_WITHIN_S = 0.5

# An event loop that is busy with readers lets its shares be as they are.
SHARED_OUT_WITHIN_S = 2.0

KEEP_SNAPSHOTS_EVERY_S = 30.0

Told = TypeVar("Told")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine and the memory it works with.

    Attributes
    ----------
    sender : HttpSender
        Its only way out; belongs to one event loop.
    """

    catalog: Catalog
    engine: HealingEngine
    snapshots: SnapshotMemory
    routes: RouteTable
    policy: PolicyInForce
    sender: HttpSender

    def take(self, news: News) -> None:
        """Take over what the database knows. To be called where the engine runs."""
        if news.routes is not None:
            self.routes.replace_all(news.routes)
        if news.policy is not None:
            self.policy.put(news.policy)
        self.engine.take_over(news.cooldowns)
        for each in news.snapshots:
            self.remember(each, news.at)
        for calls in news.key_calls:
            if calls.source in self.catalog.sources:
                self.engine.guard.seed(
                    calls.source,
                    calls.key_name,
                    wall_now=news.at,
                    day_count=calls.day_calls,
                    month_count=calls.month_calls,
                    probes_day=calls.day_probes,
                    probes_month=calls.month_probes,
                )

    def remember(self, fact: SnapshotFact, now: datetime) -> None:
        """Take over one snapshot; an older one than ours changes nothing.

        Nor does one from the future, written before the clock was set back: nobody knows its age.
        """
        if fact.fetched_at > now + MOST_AHEAD:
            return
        self.snapshots.put(
            fact.endpoint,
            fact.request_key,
            Snapshot(
                fact.fetched_at, fact.reading, fact.body, fact.provider, Fidelity(fact.fidelity)
            ),
        )

    def knows(self, endpoint: str, request_key: str, fetched_at: datetime) -> bool:
        """Whether the snapshot of a question is at least as new as that moment."""
        known = self.snapshots.get(endpoint, request_key)
        return known is not None and known.fetched_at >= fetched_at


def new_engine(
    catalog: Catalog, record: Callable[[Fact], None], tell: Tell | None = None
) -> Engine:
    """An engine for `catalog` that asks the catalog's hosts and knows nothing yet."""
    snapshots = SnapshotMemory(max(MOST_SNAPSHOTS, 2 * len(catalog.endpoints)))
    routes, policy = RouteTable(), PolicyInForce()
    sender = HttpSender(new_client(), allowed_hosts(catalog))
    engine = build_engine(
        catalog,
        send=sender.send,
        record=record,
        clock=system_clock(),
        snapshots=snapshots,
        routes=routes,
        policy=policy,
        tell=tell,
    )
    return Engine(catalog, engine, snapshots, routes, policy, sender)


@dataclass(frozen=True, slots=True)
class DataPath:
    """An open data path; made by `open_data_path`, in the event loop it serves."""

    catalog: Catalog
    engine: HealingEngine
    recorder: Recorder
    memory: SharedMemory


@asynccontextmanager
async def open_data_path(
    config: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    memory_within_s: float = MEMORY_WITHIN_S,
) -> AsyncIterator[DataPath]:
    """Open a data path for as long as the block lasts.

    Parameters
    ----------
    config : Path
    environ : Mapping[str, str]
    memory_within_s : float
        Longest wait for PostgreSQL; it is looked for in the background from then on.

    Raises
    ------
    ConfigurationError
        If the configuration cannot be used. That PostgreSQL is away is no error.
    """
    catalog, folder = load_catalog(config, environ), state_dir(environ)
    most = LOCAL_SNAPSHOTS + len(catalog.endpoints)
    local = LocalSnapshots(folder / "snapshots.jsonl", most)
    kept = LocalPolicy(folder / "policy.json")
    loop = asyncio.get_running_loop()
    clock = system_clock()
    async with AsyncExitStack() as stack:

        def record(fact: Fact) -> None:
            local.note(fact)
            recorder.record(fact)

        def take(news: News) -> None:
            if news.policy is not None:
                kept.write(news.policy)
            _in(loop, parts.take, news)

        def tell(news: CooldownNews) -> None:
            limits.tell(news)
            if redis is not None:
                redis.tell(news)

        parts = new_engine(catalog, record, tell)
        stack.push_async_callback(parts.sender.aclose)
        stack.push_async_callback(parts.engine.aclose)
        memory = SharedMemory(
            environ,
            folder,
            sources=catalog.sources.values(),
            now=clock.now,
            take=take,
            is_known=parts.knows,
        )

        def hear(news: tuple[CooldownNews, ...]) -> None:
            _in(loop, parts.engine.take_over, news)
            if any(isinstance(each, Cooldown) for each in news):
                memory.look_soon()

        limits = SharedLimits(
            memory.url,
            hear,
            partial(asked_in, loop, parts.engine.share_out),
        )
        redis = redis_cooldowns(environ, hear)
        recorder = Recorder(memory.url, folder / "spool", most_bytes=spool_bytes(environ))
        # In this order: what is recorded last still finds its way, then nobody needs the database.
        stack.push_async_callback(asyncio.to_thread, memory.close)
        stack.push_async_callback(asyncio.to_thread, limits.close)
        if redis is not None:
            stack.push_async_callback(asyncio.to_thread, redis.close)
            redis.start()
        stack.push_async_callback(asyncio.to_thread, recorder.close)
        stack.push_async_callback(asyncio.to_thread, local.write)
        for each in await asyncio.to_thread(local.read, clock.now() - WORTH_TAKING):
            if each.endpoint in catalog.endpoints:
                parts.remember(each, clock.now())
        parts.policy.put(await asyncio.to_thread(kept.read))
        memory.start()
        await asyncio.to_thread(memory.wait, memory_within_s)
        limits.start()
        if memory.is_connected:
            await asyncio.to_thread(limits.wait, LIMITS_WITHIN_S)
        keeping = asyncio.create_task(_keep(local))
        stack.callback(keeping.cancel)
        yield DataPath(catalog, parts.engine, recorder, memory)


def _in(loop: asyncio.AbstractEventLoop, take: Callable[[Told], None], told: Told) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(take, told)


def asked_in(loop: asyncio.AbstractEventLoop, work: Callable[[Told], Result], told: Told) -> Result:
    """What `work` gives in its event loop; for a thread that has time to wait.

    Raises
    ------
    TimeoutError
        If the loop is closed, or too busy.
    """
    given: Future[Result] = Future()

    def run() -> None:
        if given.set_running_or_notify_cancel():
            try:
                given.set_result(work(told))
            except BaseException as error:
                given.set_exception(error)

    try:
        loop.call_soon_threadsafe(run)
    except RuntimeError:  # it was closed
        raise TimeoutError from None
    return given.result(SHARED_OUT_WITHIN_S)


async def _keep(local: LocalSnapshots) -> None:
    while True:
        await asyncio.sleep(KEEP_SNAPSHOTS_EVERY_S)
        await asyncio.to_thread(local.write)
