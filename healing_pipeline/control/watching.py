"""One look at a source: probe what is due, hear what readers met, begin and move incidents.

A look is safe to repeat and to run twice at once: what is due is claimed in PostgreSQL, an incident
begins once however many look, and a heal is asked for by an event that is stored with the move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from psycopg import Connection

from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.control.look import HealRequest, Look, probe_limits, verdict_of
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact, Origin, ProbeResult
from healing_pipeline.healing.parts import Clock
from healing_pipeline.healing.strategy import Observation
from healing_pipeline.incidents.detection import (
    Begin,
    KnownIncident,
    LookAgain,
    Move,
    Step,
    overdue,
    step_for,
)
from healing_pipeline.probing.response import Verdict
from healing_pipeline.storage import incidents, observations, probes, routes
from healing_pipeline.storage.database import Database

# How far back readers' requests count as news.
NEWS = timedelta(seconds=15)

# While an incident is open its endpoint is looked at this often, however long its own interval.
RECOVERY_INTERVAL = timedelta(seconds=5)

# Between a first look and the second.
SECOND_LOOK_AFTER_S = 0.25

PROBE_TIMEOUT_S = 2.0

Result = TypeVar("Result")


class Watcher:
    """Looks at sources.

    Parameters
    ----------
    catalog : Catalog
    engine : HealingEngine
    database : Database
    record : callable
        Takes probe results; must return at once.
    clock : Clock
    """

    def __init__(
        self,
        catalog: Catalog,
        engine: HealingEngine,
        database: Database,
        record: Callable[[Fact], None],
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._database = database
        self._record = record
        self._clock = clock

    async def look(self, source: str, *, most: int = 200) -> Look:
        """Look at a source once.

        Parameters
        ----------
        source : str
        most : int
            Endpoints probed at most; the rest stays due for the next look.
        """
        now = self._clock.now()
        due, news, open_ones = await self._stored(partial(self._ask_storage, source, now, most))
        known = {each.endpoint: each for each in open_ones}
        told = {each.endpoint: each for each in news if each.endpoint in self._catalog.endpoints}
        news_of = (
            name
            for name, each in told.items()
            if verdict_of(each, has_incident=name in known) is not None
        )
        wanted = dict.fromkeys([*due, *news_of])
        endpoints = [
            self._catalog.endpoints[name] for name in wanted if name in self._catalog.endpoints
        ]
        seen = await asyncio.gather(
            *(self._examine(each, known.get(each.id), told.get(each.id)) for each in endpoints)
        )
        late = [_overdue_step(each, now) for each in open_ones if each.endpoint not in wanted]
        await self._stored(partial(self._apply_late, [step for step in late if step], now))
        requests = await self._stored(partial(self._requests, source))
        return Look(
            probed=sum(each is not None for each in seen),
            skipped=sum(each is None for each in seen),
            bad=sum(each is not None and not each.is_ok for each in seen),
            requests=requests,
        )

    def _ask_storage(
        self, source: str, now: datetime, most: int, connection: Connection[Any]
    ) -> tuple[list[str], list[observations.ReaderEvidence], list[incidents.IncidentRow]]:
        return (
            probes.claim_due(connection, source=source, now=now, limit=most),
            observations.reader_evidence(connection, source=source, since=now - NEWS),
            incidents.open_incidents(connection, source),
        )

    async def _examine(
        self,
        endpoint: Endpoint,
        row: incidents.IncidentRow | None,
        heard: observations.ReaderEvidence | None,
    ) -> Verdict | None:
        """Ask until it is clear what to do, then do it; None when the probe budget was spent."""
        incident = None if row is None else _known(row)
        verdict, by = verdict_of(heard, has_incident=incident is not None), Origin.READER
        second_look = False
        first_id: UUID | None = None
        began_at = heard.first_at if heard is not None and verdict is not None else None
        if verdict is not None and heard is not None:
            # Readers asked often enough to be their own second look.
            second_look = (heard.good_since if verdict.is_ok else heard.failures) >= 2
        else:
            result = await self._probe(endpoint, None)
            if result is None:
                return None
            verdict, by, first_id = result[0].verdict, Origin.PROBE, result[1]
            began_at = self._clock.now()
        step = step_for(verdict, incident, second_look=second_look, now=self._clock.now())
        if isinstance(step, LookAgain):
            await self._clock.sleep(SECOND_LOOK_AFTER_S)
            again = await self._probe(endpoint, first_id)
            if again is None:
                return verdict
            same = again[0].verdict.is_ok == verdict.is_ok
            verdict, by = again[0].verdict, Origin.PROBE
            step = step_for(verdict, incident, second_look=same, now=self._clock.now())
        await self._stored(partial(self._apply, endpoint, verdict, step, by, began_at))
        return verdict

    async def _probe(
        self, endpoint: Endpoint, confirms: UUID | None
    ) -> tuple[Observation, UUID] | None:
        source = self._catalog.sources[endpoint.source]
        key = source.keys[0].name if source.keys else "none"
        limits = probe_limits(source.quota, source.probe_share)
        now = self._clock.now()
        allowed = await self._stored(
            lambda connection: probes.spend(
                connection, source=source.name, key_name=key, kind="probe", now=now, limits=limits
            )
        )
        if not allowed:
            return None
        seen = await self._engine.observe(endpoint.id, timeout_s=PROBE_TIMEOUT_S)
        if not seen.sent:
            # Our own limits kept it back: that says nothing of the endpoint.
            return None
        result = ProbeResult(
            id=uuid4(),
            at=now,
            source=endpoint.source,
            endpoint=endpoint.id,
            host=seen.request.host_name,
            key_name=seen.request.key_name,
            failure_class=seen.verdict.failure_class,
            evidence=seen.verdict.evidence,
            seconds=seen.response.elapsed_s,
            status=seen.response.status,
            as_of=None if seen.reading is None else seen.reading.as_of,
            confirms=confirms,
        )
        self._record(result)
        return seen, result.id

    def _apply(
        self,
        endpoint: Endpoint,
        verdict: Verdict,
        step: Step | None,
        by: Origin,
        began_at: datetime | None,
        connection: Connection[Any],
    ) -> None:
        now = self._clock.now()
        if isinstance(step, Begin):
            incidents.begin_incident(
                connection,
                endpoint=endpoint.id,
                source=endpoint.source,
                failure_class=verdict.failure_class,
                evidence=verdict.evidence,
                severity=step.severity,
                detected_by=by,
                began_at=began_at or now,
                at=now,
                signal=step.signal,
                to_state=step.state,
                asks_heal=step.asks_heal,
                note=step.note,
            )
        elif isinstance(step, Move):
            _apply_move(connection, step, endpoint.id, now)
        if not verdict.is_ok:
            probes.hasten(connection, endpoint.id, now + RECOVERY_INTERVAL)

    def _apply_late(
        self, late: Iterable[tuple[str, Move]], now: datetime, connection: Connection[Any]
    ) -> None:
        for endpoint, move in late:
            _apply_move(connection, move, endpoint, now)

    def _requests(self, source: str, connection: Connection[Any]) -> tuple[HealRequest, ...]:
        return tuple(
            HealRequest(each.event_id, each.incident_id, each.endpoint, each.failure_class)
            for each in incidents.heal_requests(connection, source=source)
        )

    async def _stored(self, work: Callable[[Connection[Any]], Result]) -> Result:
        def run() -> Result:
            with self._database.connection() as connection:
                return work(connection)

        return await asyncio.to_thread(run)


def _known(row: incidents.IncidentRow) -> KnownIncident:
    return KnownIncident(id=row.id, state=row.state, since=row.state_since)


def _overdue_step(row: incidents.IncidentRow, now: datetime) -> tuple[str, Move] | None:
    move = overdue(_known(row), now)
    return None if move is None else (row.endpoint, move)


def _apply_move(connection: Connection[Any], move: Move, endpoint: str, now: datetime) -> None:
    with connection.transaction():
        moved = incidents.move_incident(
            connection,
            incident_id=move.incident_id,
            from_state=move.from_state,
            to_state=move.to_state,
            signal=move.signal,
            at=now,
            note=move.note,
            detail={},
            asks_heal=move.asks_heal,
        )
        if moved is not None and move.withdraws_route:
            routes.withdraw_route(connection, endpoint, now)
