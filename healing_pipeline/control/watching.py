"""One look at a source: probe what is due, hear what readers met, begin and move incidents.

A look is safe to repeat and to run twice at once: what is due is claimed in PostgreSQL, an incident
begins once however many look, and a heal is asked for by an event that is stored with the move.
While all is well a look is one transaction, however many endpoints it probes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from psycopg import Connection

from healing_pipeline.catalog.shards import Shard, Shards, whole
from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.control.examining import Examiner, Finding
from healing_pipeline.control.look import HealRequest, Look, probe_limits, verdict_of
from healing_pipeline.control.own_connection import OwnConnection, Reach
from healing_pipeline.control.purse import Purse
from healing_pipeline.control.rounds import Round
from healing_pipeline.control.steps import RECOVERY_INTERVAL, Steps, apply_move
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact
from healing_pipeline.healing.parts import Clock
from healing_pipeline.healing.wall_clock import WallClock
from healing_pipeline.incidents.detection import KnownIncident, Move, overdue
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage import incidents, observations
from healing_pipeline.storage.clock_repairs import put_right
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.own_outages import OwnOutage, latest_own_outage

__all__ = ["RECOVERY_INTERVAL", "HealRequest", "Look", "Watcher", "probe_limits"]

# How far back readers' requests count as news.
NEWS = timedelta(seconds=15)

# A look that something hangs in ends all the same, and sooner when there is something to heal.
LOOK_S = 1.0
ONCE_ASKED_S = 0.3

# Turns that one look claims at most, so that its statement stays short.
MOST = 1_000

# Transactions of all looks together; they have threads of their own, because a resolver that hangs
# takes those of everybody.
STORING_THREADS = 5

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a look has to do, as PostgreSQL knows it.

    Attributes
    ----------
    due : Mapping
        Endpoints that this look claimed and paid for, and since when each is due.
    skipped : int
        Due, but there was nothing to pay with.
    open_ones : Mapping
        Incidents by endpoint.
    known : Mapping
        The same, as far as detection needs them.
    moves : tuple
        Incidents that have waited too long, and how each goes on; in the order of their endpoints.
    outage : OwnOutage or None
        Of our own connection: the one that lasts, else the last.
    """

    due: Mapping[str, datetime]
    skipped: int
    news: Mapping[str, observations.ReaderEvidence]
    open_ones: Mapping[str, incidents.IncidentRow]
    known: Mapping[str, KnownIncident]
    moves: tuple[tuple[str, Move], ...]
    outage: OwnOutage | None


class Watcher:
    """Looks at sources. For one event loop.

    Parameters
    ----------
    catalog : Catalog
    engine : HealingEngine
    database : Database
    record : callable
        Takes probe results; must return at once.
    clock : Clock
    reach : Reach, optional
        How it is found out whether our own connection is down; without it, it never is.
    shards : Shards, optional
        What is looked at under which name; each source as a whole by default.

    Attributes
    ----------
    shards : Shards
    """

    def __init__(
        self,
        catalog: Catalog,
        engine: HealingEngine,
        database: Database,
        record: Callable[[Fact], None],
        clock: Clock,
        reach: Reach | None = None,
        shards: Shards | None = None,
    ) -> None:
        self.shards = whole(catalog) if shards is None else shards
        self._catalog = catalog
        self._database = database
        self._clock = clock
        self._threads = ThreadPoolExecutor(STORING_THREADS, "healing-watcher")
        self._own_connection = OwnConnection(catalog, reach, self._stored, clock)
        self._purses = {
            name: Purse(source, self._stored, clock.now) for name, source in catalog.sources.items()
        }
        self._examiner = Examiner(
            catalog, engine, clock, self._purses, self._own_connection, record
        )
        self._steps = Steps(self._stored, clock)
        self._rounds: dict[str, Round] = {}
        self._wall = WallClock()

    async def look(self, name: str, *, most: int = MOST) -> Look:
        """Look at a source, or at a shard of it, once.

        Parameters
        ----------
        name : str
            Of the shard; the source's where it has one.
        most : int
            Endpoints probed at most; the rest stays due for the next look.

        Notes
        -----
        Lasts a second at most, whatever hangs: an examination that is under way then goes on, its
        step is stored when it ends, and the next look counts it. While our own connection is down
        nothing is probed, and nothing is asked to be healed.
        """
        if self._own_connection.is_cut and not await self._own_connection.is_back():
            return Look(probed=0, skipped=0, bad=0, requests=(), own_outage=True)
        now = self._clock.now()
        by = self._wall.was_set_back(now, self._clock.monotonic())
        if by is not None:
            await self._stored(partial(_put_right, now, by))
        shard = self.shards.named(name)
        around = self._rounds.setdefault(name, Round())
        agenda = await self._stored(partial(self._agenda, shard, now, most))
        if agenda.outage is not None and agenda.outage.ended_at is None:
            await self._own_connection.end_left_over()
        if agenda.moves:
            # Apart from the claim: whoever stores findings takes an incident before its turn on the
            # schedule, and the two would wait for each other.
            await self._stored(partial(_moved, agenda.moves, now))
        for endpoint in self._wanted(agenda):
            if endpoint.id not in around:
                around.begin(endpoint.id, self._examined(endpoint, agenda))
        await around.wait(LOOK_S, ONCE_ASKED_S)
        ended = around.harvest()
        seen = [each for each in ended if each.verdict is not None]
        requests: tuple[HealRequest, ...] = ()
        if agenda.open_ones or any(each.step is not None for each in ended):
            requests = await self._stored(partial(_requests, shard))
        return Look(
            probed=len(seen),
            skipped=agenda.skipped + len(ended) - len(seen),
            bad=sum(each.is_bad for each in seen),
            requests=requests,
            lags_s=tuple(each.lag_s for each in seen if each.lag_s is not None),
            own_outage=self._own_connection.is_cut,
        )

    async def aclose(self) -> None:
        """Give up what is under way."""
        for each in self._rounds.values():
            await each.aclose()
        self._threads.shutdown(wait=False)

    def _agenda(
        self, shard: Shard, now: datetime, most: int, connection: Connection[Any]
    ) -> Agenda:
        source = shard.source
        due, skipped = self._purses[source].claim(connection, now, most, shard)
        outage = latest_own_outage(connection)
        since = now - NEWS
        if outage is not None and outage.ended_at is not None:
            # What readers met while we were cut off says nothing of the source. An end that is
            # still to come was noted before the clock was set back.
            since = max(since, min(outage.ended_at, now))
        heard = observations.reader_evidence(
            connection, source=source, since=since, until=now + NEWS
        )
        news = [each for each in heard if shard.covers(each.endpoint)]
        rows = [
            each
            for each in incidents.open_incidents(connection, source)
            if shard.covers(each.endpoint)
        ]
        open_ones = {each.endpoint: each for each in rows}
        wanted = {*due, *_news_of(news, open_ones)}
        unserved = (
            observations.unserved(connection, source=source, since=since, until=now + NEWS)
            if any(each.state is State.HEALED for each in rows)
            else {}
        )
        known = {each.endpoint: _known(each, unserved.get(each.endpoint)) for each in rows}
        moves = ((endpoint, overdue(known[endpoint], now)) for endpoint in sorted(known))
        return Agenda(
            due=due,
            skipped=skipped,
            news={each.endpoint: each for each in news},
            open_ones=open_ones,
            known=known,
            moves=tuple(
                (endpoint, move)
                for endpoint, move in moves
                if move is not None and endpoint not in wanted
            ),
            outage=outage,
        )

    def _wanted(self, agenda: Agenda) -> list[Endpoint]:
        """What is due, and what readers have news of; each once."""
        names = dict.fromkeys([*agenda.due, *_news_of(agenda.news.values(), agenda.open_ones)])
        return [self._catalog.endpoints[each] for each in names if each in self._catalog.endpoints]

    async def _examined(self, endpoint: Endpoint, agenda: Agenda) -> Finding:
        """Examine one endpoint and store what follows from it."""
        finding = await self._examiner.examine(
            endpoint,
            agenda.known.get(endpoint.id),
            agenda.news.get(endpoint.id),
            agenda.due.get(endpoint.id),
        )
        await self._steps.take(finding)
        return finding

    async def _stored(self, work: Callable[[Connection[Any]], Result]) -> Result:
        def run() -> Result:
            with self._database.connection() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


def _news_of(
    news: Collection[observations.ReaderEvidence],
    open_ones: Mapping[str, incidents.IncidentRow],
) -> list[str]:
    """Endpoints of which readers know something that the control path does not."""
    return [
        each.endpoint
        for each in news
        if verdict_of(each, has_incident=each.endpoint in open_ones) is not None
    ]


def _put_right(now: datetime, by: timedelta, connection: Connection[Any]) -> None:
    put_right(connection, now, by)


def _requests(shard: Shard, connection: Connection[Any]) -> tuple[HealRequest, ...]:
    return tuple(
        HealRequest(each.event_id, each.incident_id, each.endpoint, each.failure_class)
        for each in incidents.heal_requests(connection, source=shard.source)
        if shard.covers(each.endpoint)
    )


def _known(row: incidents.IncidentRow, unserved_at: datetime | None) -> KnownIncident:
    return KnownIncident(row.id, row.state, row.state_since, row.heals, unserved_at)


def _moved(moves: Collection[tuple[str, Move]], now: datetime, connection: Connection[Any]) -> None:
    for endpoint, move in moves:
        apply_move(connection, move, endpoint, now)
