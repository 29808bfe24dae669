"""Storing what examinations came to, in groups: those of one moment share a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from psycopg import Connection, DataError, IntegrityError

from healing_pipeline.control.examining import Finding
from healing_pipeline.control.purse import Store
from healing_pipeline.healing.parts import Clock
from healing_pipeline.incidents.detection import Begin, Move
from healing_pipeline.storage import incidents, probes, routes

# Steps that come within this of each other are stored together; none waits for more.
GATHER_S = 0.02

# While an incident is open its endpoint is looked at this often, however long its own interval.
RECOVERY_INTERVAL = timedelta(seconds=5)

# Of one source, where more are open than these, they share so many looks: a provider that is down
# with a thousand endpoints would be asked two hundred times a second, and all others late.
LOOKED_AFTER = 50

# So many of the others are looked at when one of a crowd has recovered; those that are well again
# too have others looked at in their turn.
RECOVER_WITH = 20


class Steps:
    """Stores findings soon after they come, whoever waits for it.

    Parameters
    ----------
    store : Store
    clock : Clock
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[tuple[Finding, asyncio.Future[None]]] = []
        self._storing: set[asyncio.Task[None]] = set()

    async def take(self, finding: Finding) -> None:
        """Store what a finding asks for; returns when it is.

        Raises
        ------
        StorageError
            If PostgreSQL cannot be had; the next look finds the same again.
        """
        if finding.step is None and not finding.is_bad:
            return
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((finding, stored))
        if len(self._waiting) == 1:
            task = asyncio.create_task(self._group())
            self._storing.add(task)
            task.add_done_callback(self._storing.discard)
        await stored

    async def _group(self) -> None:
        await asyncio.sleep(GATHER_S)
        group, self._waiting = self._waiting, []
        try:
            await self._store(partial(apply, [each for each, _ in group], self._clock.now()))
        except (DataError, IntegrityError):
            # One that can never be stored must not take the others with it.
            await asyncio.gather(*(self._alone(*each) for each in group))
        except Exception as error:
            for _, stored in group:
                _end(stored, error)
        else:
            for _, stored in group:
                _end(stored, None)

    async def _alone(self, finding: Finding, stored: asyncio.Future[None]) -> None:
        try:
            await self._store(partial(apply, [finding], self._clock.now()))
        except Exception as error:
            _end(stored, error)
        else:
            _end(stored, None)


def _end(stored: asyncio.Future[None], error: Exception | None) -> None:
    if stored.done():
        return
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(error)


def apply(findings: Sequence[Finding], now: datetime, connection: Connection[Any]) -> None:
    """Begin and move incidents, and look again soon at what is bad.

    All in one order, by endpoint, so that two that apply the like never wait for each other in a
    ring. An incident begins once however many look, and a move is made by whoever is first.
    """
    findings = sorted(findings, key=lambda each: each.endpoint.id)
    begins = [_new(each, each.step, now) for each in findings if isinstance(each.step, Begin)]
    if begins:
        incidents.begin_incidents(connection, begins)
    for each in findings:
        if isinstance(each.step, Move):
            apply_move(connection, each.step, each.endpoint.id, now)
    for source in sorted({each.endpoint.source for each in findings}):
        _look_again(connection, source, findings, now)


def _look_again(
    connection: Connection[Any], source: str, findings: Sequence[Finding], now: datetime
) -> None:
    """Have those of a source that are bad looked at again soon, and others of a crowd."""
    own = [each for each in findings if each.endpoint.source == source]
    bad = [each.endpoint.id for each in own if each.is_bad]
    open_ones = incidents.open_count(connection, source)
    if bad:
        soon = now + RECOVERY_INTERVAL * max(1.0, open_ones / LOOKED_AFTER)
        probes.hasten_all(connection, bad, soon)
    recovered = sum(isinstance(each.step, Move) and each.step.ends_incident for each in own)
    if recovered and open_ones > LOOKED_AFTER:
        probes.hasten_open(connection, source, now, most=recovered * RECOVER_WITH)


def apply_move(connection: Connection[Any], move: Move, endpoint: str, now: datetime) -> None:
    """Move an incident on, if nobody did before, and withdraw the route that this ends."""
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
        heal_since=move.heal_since,
    )
    if moved is not None and move.withdraws_route:
        routes.withdraw_route(connection, endpoint, now)


def _new(finding: Finding, step: Begin, now: datetime) -> incidents.NewIncident:
    assert finding.verdict is not None, "a step follows from what was seen"
    return incidents.NewIncident(
        endpoint=finding.endpoint.id,
        source=finding.endpoint.source,
        failure_class=finding.verdict.failure_class,
        evidence=finding.verdict.evidence,
        severity=step.severity,
        detected_by=finding.by,
        began_at=finding.began_at or now,
        at=now,
        signal=step.signal,
        to_state=step.state,
        asks_heal=step.asks_heal,
        note=step.note,
    )
