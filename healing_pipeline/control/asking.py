"""Which heals are to be requested, each handed out once.

An incident that nobody has taken asks for its heal at every look. Two ticks must not both request
it, and a request that got lost must not be the last.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from healing_pipeline.catalog.shards import Shards
from healing_pipeline.control.look import HealRequest
from healing_pipeline.incidents.detection import UNTAKEN_AFTER
from healing_pipeline.storage import incidents
from healing_pipeline.storage.database import Database

# A request that was handed out and that nobody acted on is handed out again: whoever had it may
# have died with it.
ASKED_AGAIN_AFTER_S = 15.0

# Of one source, so many at most wait for a run that begins. A provider that is down with a thousand
# endpoints would fill the queue for minutes, and most of them are over before their run comes;
# those are asked for as the ones before them are taken.
MOST_WAITING = 25

# An incident that still waits after this has another event, and asks in its name.
FORGOTTEN_AFTER_S = 2 * UNTAKEN_AFTER.total_seconds()


@dataclass(frozen=True, slots=True)
class Request:
    """One heal that is to be requested, and since when the tables say so."""

    source: str
    heal: HealRequest
    since: datetime


class Asking:
    """Hands out requests; safe from any thread.

    Parameters
    ----------
    database : Database
    shards : Shards, optional
        What is looked at under which name; each source as a whole by default.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        database: Database,
        shards: Shards | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._shards = Shards(()) if shards is None else shards
        self._clock = clock
        self._began = clock()
        self._since: dict[int, float] = {}
        self._turn = threading.Lock()

    def hand_out(
        self, sources: Collection[str], is_requested: Callable[[int], bool]
    ) -> list[Request]:
        """Requests of these sources that nobody has; who gets them here is to see to them.

        Parameters
        ----------
        sources : collection of str
            Names of them, or of shards of them.
        is_requested : callable
            Whether a run was requested for an incident event. It is asked where this process cannot
            know: for what it handed out before, and in its first minute, for what a process before
            it may have asked for.
        """
        with self._database.connection() as connection:
            rows = [
                row
                for shard in map(self._shards.named, sources)
                for row in incidents.heal_requests(connection, source=shard.source)
                if shard.covers(row.endpoint)
            ]
        with self._turn:
            now = self._clock()
            due = [row for row in self._in_turn(rows) if self._is_due(row.event_id, now)]
            is_young = now - self._began < UNTAKEN_AFTER.total_seconds()
            doubtful = {row.event_id for row in due if is_young or row.event_id in self._since}
            self._since.update({row.event_id: now for row in due})
            self._since = {
                event_id: at for event_id, at in self._since.items() if now - at < FORGOTTEN_AFTER_S
            }
        return [
            Request(
                row.source,
                HealRequest(row.event_id, row.incident_id, row.endpoint, row.failure_class),
                row.at,
            )
            for row in due
            if row.event_id not in doubtful or not is_requested(row.event_id)
        ]

    def _in_turn(self, rows: Sequence[incidents.HealRequestRow]) -> list[incidents.HealRequestRow]:
        """Those that were handed out before, and of each source as many others as there is room."""
        room = Counter({row.source: MOST_WAITING for row in rows})
        room.subtract(row.source for row in rows if row.event_id in self._since)
        taken = []
        for row in rows:
            if row.event_id not in self._since:
                if room[row.source] <= 0:
                    continue
                room[row.source] -= 1
            taken.append(row)
        return taken

    def _is_due(self, event_id: int, now: float) -> bool:
        return now - self._since.get(event_id, -ASKED_AGAIN_AFTER_S) >= ASKED_AGAIN_AFTER_S
