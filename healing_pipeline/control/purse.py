"""What probes of one source spend: for a whole look at once, and for second looks as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from psycopg import Connection

from healing_pipeline.catalog.shards import Shard
from healing_pipeline.catalog.values import Source
from healing_pipeline.control.allowance import allowance, windows_of
from healing_pipeline.control.look import probe_limits
from healing_pipeline.storage import probes

# Second looks that come within this of each other pay together.
GATHER_S = 0.02

# An endpoint is asked up to this share of its interval sooner than that says, by chance.
EARLY = 0.1

Store = Callable[[Callable[[Connection[Any]], Any]], Awaitable[Any]]
"""Does work with a connection, off the event loop; one transaction."""


class Purse:
    """The probes' share of a source's first key, which is the one they use.

    Parameters
    ----------
    source : Source
    store : Store
    now : callable
        Aware UTC.
    """

    def __init__(self, source: Source, store: Store, now: Callable[[], datetime]) -> None:
        self._source = source.name
        self._key = source.keys[0].name if source.keys else "none"
        self._limits = probe_limits(source.quota, source.probe_share)
        self._store = store
        self._now = now
        self._buyers: list[asyncio.Future[datetime | None]] = []
        self._paying: set[asyncio.Task[None]] = set()

    def claim(
        self, connection: Connection[Any], now: datetime, most: int, shard: Shard | None = None
    ) -> tuple[dict[str, datetime], int]:
        """Claim what is due and can be paid, and pay for it.

        Parameters
        ----------
        shard : Shard, optional
            Of the source; all of it by default.

        Returns
        -------
        dict, int
            Since when each is due; how many are due and have to wait until there is more to spend.
        """
        part = shard or Shard(self._source)
        due_at = probes.next_due_at(connection, part)
        if due_at is None or due_at > now:
            return {}, 0
        if not self._limits:
            return self._claimed(connection, now, most, part), 0
        claimed: dict[str, datetime] = {}
        put_off = 0

        def wanted(used: Mapping[str, int]) -> int:
            nonlocal put_off
            room = allowance(self._limits, used, now)
            assert room.calls is not None, "a metered key"
            if room.calls:
                claimed.update(self._claimed(connection, now, min(most, room.calls), part))
            if len(claimed) == room.calls:
                put_off = probes.put_off_due(connection, source=part, now=now, until=room.opens_at)
            return len(claimed)

        self._spend(connection, now, wanted)
        return claimed, put_off

    async def buy(self) -> datetime | None:
        """Pay for a second look; None when that is done, else the moment to try again."""
        if not self._limits:
            return None
        bought: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
        self._buyers.append(bought)
        if len(self._buyers) == 1:
            task = asyncio.create_task(self._pay())
            self._paying.add(task)
            task.add_done_callback(self._paying.discard)
        return await bought

    async def _pay(self) -> None:
        await asyncio.sleep(GATHER_S)
        buyers, self._buyers = self._buyers, []
        try:
            paid, opens_at = await self._store(partial(self._bought, len(buyers)))
        except BaseException as error:
            for each in buyers:
                if not each.done():
                    each.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for place, each in enumerate(buyers):
            if not each.done():
                each.set_result(None if place < paid else opens_at)

    def _bought(self, calls: int, connection: Connection[Any]) -> tuple[int, datetime]:
        now = self._now()
        opens_at = now

        def wanted(used: Mapping[str, int]) -> int:
            nonlocal opens_at
            room = allowance(self._limits, used, now, second_look=True)
            assert room.calls is not None, "a metered key"
            opens_at = room.opens_at
            return min(calls, room.calls)

        return self._spend(connection, now, wanted), opens_at

    def _claimed(
        self, connection: Connection[Any], now: datetime, most: int, part: Shard
    ) -> dict[str, datetime]:
        return probes.claim_due(connection, source=part, now=now, limit=most, early=EARLY)

    def _spend(
        self,
        connection: Connection[Any],
        now: datetime,
        wanted: Callable[[Mapping[str, int]], int],
    ) -> int:
        return probes.spend_some(
            connection,
            source=self._source,
            key_name=self._key,
            kind="probe",
            now=now,
            wanted=wanted,
            windows=windows_of(self._limits),
        )
