"""Pruning: what is past its time goes, in small steps, once all that is made of it was made.

It can be broken off at any moment and be begun again: every step is a transaction of its own, and
before the first one of a time the database says how far back facts reach, so that nothing is folded
anew from what is left of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

import psycopg
from psycopg import Connection

from healing_pipeline.catalog.retention_section import Retention
from healing_pipeline.control.learning_run import day_of
from healing_pipeline.errors import StorageError
from healing_pipeline.storage import learning, pruning
from healing_pipeline.storage.database import OWNER_URL_VARIABLE
from healing_pipeline.storage.pruning import FactSweep, RowSweep, Sweep

# A step takes about this long, so that whoever writes never waits longer behind it; and as long
# again nothing is done, so that a disk is not kept busy by it alone.
STEP_S = 0.05
REST = 1.0
FEWEST, FIRST, MOST = 200, 2_000, 20_000

# Fewer rows than these leave little room to gain.
VACUUM_FROM = 5_000

TURN_EVERY_S = 1.0
FOLDS_WAITED_FOR = 6

NAMES = {
    "attempt": "attempts",
    "answer": "answers",
    "probe_result": "probe results",
    "decision": "decisions",
    "snapshot": "stored answers",
    "alert_group": "alert groups",
    "alert": "single messages",
    "incident": "incidents",
    "health_quarter": "quarters of health",
    "health_report": "rows of health reports",
    "inner_knowledge": "hours of strategies",
    "inner_pair": "hours of pairs",
    "inner_parameter": "hours of parameters",
    "inner_observation": "hours of observations",
    "inner_fold": "marks of folded hours",
    "policy": "policies",
    "key_usage": "windows of quotas",
    "cooldown": "cooldowns",
    "own_outage": "outages of our own",
    "silence": "silences",
    "maintenance": "maintenance windows",
    "second_opinion_budget": "days of second opinions",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that is past its time and stays."""

    what: str
    because: str


@dataclass(slots=True)
class Pruned:
    """What became of it.

    Attributes
    ----------
    removed : dict of str to int
        Rows by table; in a dry run those that would go.
    late : int
        Attempts among them that came after their time had been pruned: no fold has seen them.
    kept : list of Kept
    is_complete : bool
        False when time was up before all was done; the next run does the rest.
    """

    removed: dict[str, int] = field(default_factory=dict)
    late: int = 0
    kept: list[Kept] = field(default_factory=list)
    is_complete: bool = True
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Pruner:
    """Prunes one database.

    Parameters
    ----------
    connection : Connection
        Of `storage.pruning.pruner`.
    since : date
        Where learning begins.
    sources : sequence of str
        Whose facts have to be folded before they go.
    told : callable, optional
        Is given the table that is at work, and how many rows of it are done and were to be done.
    stop : callable, optional
        Whether to leave the rest for the next time.
    """

    connection: Connection[Any]
    retention: Retention
    since: date
    sources: Sequence[str]
    told: Callable[[str, int, int], None] = lambda _table, _done, _of: None
    stop: Callable[[], bool] = lambda: False
    rest: float = REST

    def prune(self, now: datetime, *, dry_run: bool = False) -> Pruned:
        """Take away what is past its time at `now`, or count it.

        Raises
        ------
        StorageError
            If PostgreSQL breaks off, and what was taken by then is gone; or if it is not the
            owner who prunes.
        """
        began, result = time.monotonic(), Pruned()
        try:
            if not dry_run:
                self._wait_for_turn()
            for make_sweeps in (self._detail, self._decisions, self._stories, self._summaries):
                for sweep in make_sweeps(now, result, dry_run):
                    if self.stop():
                        result.is_complete = False
                        break
                    self._sweep(sweep, result, dry_run=dry_run)
        except psycopg.errors.InsufficientPrivilege as error:
            raise StorageError(
                f"This role may not prune ({error.diag.message_primary}). Set {OWNER_URL_VARIABLE} "
                "to the URL of the schema's owner."
            ) from None
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StorageError(
                f"Pruning was broken off ({' '.join(str(error).split())}). What is gone is gone, "
                "all else is whole; run `healing prune` again."
            ) from None
        result.seconds = time.monotonic() - began
        return result

    def _wait_for_turn(self) -> None:
        while not pruning.take_turn(self.connection):
            self.told("another process prunes", 0, 0)
            if self.stop():
                raise StorageError("Another process prunes; nothing is left to do for this one.")
            time.sleep(TURN_EVERY_S)

    def _sweep(self, sweep: Sweep, result: Pruned, *, dry_run: bool) -> None:
        there = sweep.count(self.connection)
        removed = there if dry_run else self._take(sweep, there, result)
        if removed:
            result.removed[sweep.table] = result.removed.get(sweep.table, 0) + removed
        if not dry_run and removed < there and result.is_complete:
            because = _REASONS.get(sweep.table)
            if because is not None:
                result.kept.append(Kept(f"{there - removed} {NAMES[sweep.table]}", because))

    def _take(self, sweep: Sweep, there: int, result: Pruned) -> int:
        removed, most, is_last = 0, FIRST, not there
        while not is_last:
            if self.stop():
                result.is_complete = False
                break
            began = time.monotonic()
            gone, late, is_last = sweep.batch(self.connection, most)
            took = time.monotonic() - began
            removed += gone
            result.late += late
            self.told(sweep.table, removed, max(there, removed))
            most = round(min(MOST, max(FEWEST, most * STEP_S / max(took, STEP_S / 4))))
            if not is_last:
                time.sleep(self.rest * took)
        if isinstance(sweep, FactSweep) and removed >= VACUUM_FROM:
            sweep.vacuum(self.connection)
        return removed

    def _detail(self, now: datetime, result: Pruned, dry_run: bool) -> list[Sweep]:
        """Attempts, answers, probe results: those of an earlier run first, with what came since."""
        reached = pruning.watermark(self.connection, pruning.DETAIL)
        wanted = day_of(now - self.retention.lasting("detail"))
        until, kept = self._bearable(wanted)
        if kept is not None:
            result.kept.append(kept)
        for each in pruning.incidents_that_hold(self.connection, until or wanted):
            result.kept.append(
                Kept(
                    f"facts of {each.endpoint} since {each.began_at:%Y-%m-%d %H:%M}",
                    f"incident {each.id} is open",
                )
            )
        if dry_run:
            ends = max(filter(None, (until, reached.until)), default=None)
            return [] if ends is None else _facts(ends, reached.seq)
        if reached.until is not None:
            for sweep in _facts(reached.until, reached.seq):
                self._sweep(sweep, result, dry_run=False)
        if until is None or (reached.until is not None and until <= reached.until):
            return []
        moved = self._move_detail(wanted, now)
        if moved is None:
            result.kept.append(Kept(f"detail before {until:%Y-%m-%d}", FOLDING))
            return []
        return _facts(moved, pruning.watermark(self.connection, pruning.DETAIL).seq)

    def _bearable(self, wanted: datetime) -> tuple[datetime | None, Kept | None]:
        """Up to which day detail may go, and what stays because something still has to read it."""
        begin = datetime.combine(self.since, time_of_day(), wanted.tzinfo)
        until, because = wanted, ""
        unfolded = learning.first_unfolded(self.connection, begin, wanted, list(self.sources))
        if unfolded is not None:
            until = day_of(unfolded)
            because = (
                f"{unfolded:%Y-%m-%d %H:%M} is not folded into knowledge yet: `healing learn` does"
            )
        health = pruning.health_folded_until(self.connection, wanted)
        if health is None:
            return None, Kept(
                f"detail before {wanted:%Y-%m-%d}",
                "nothing was ever folded into health: `healing up`, `healing gateway` and "
                "`healing alerts run` do",
            )
        if day_of(health) < until:
            until = day_of(health)
            because = (
                f"{health:%Y-%m-%d %H:%M} is not folded into health yet: `healing up`, `healing "
                "gateway` and `healing alerts run` do"
            )
        if until == wanted:
            return until, None
        return until, Kept(f"detail from {until:%Y-%m-%d} to {wanted:%Y-%m-%d}", because)

    def _move_detail(self, wanted: datetime, now: datetime) -> datetime | None:
        """Say how far back detail reaches from now on; None while folds are under way."""
        for _ in range(FOLDS_WAITED_FOR):
            try:
                with pruning.no_folds(self.connection):
                    # Asked again: a fact may have come for an hour that was folded a moment ago.
                    until, _kept = self._bearable(wanted)
                    if until is not None:
                        pruning.move_watermark(self.connection, pruning.DETAIL, until, now)
                    return until
            except psycopg.errors.LockNotAvailable:
                time.sleep(TURN_EVERY_S)
        return None

    def _move_inner(self, until: datetime, now: datetime) -> bool:
        """Say how far back hours of knowledge reach from now on; False while days are summed."""
        try:
            with pruning.no_folds(self.connection):
                pruning.move_watermark(self.connection, pruning.INNER, until, now)
        except psycopg.errors.LockNotAvailable:
            return False
        return True

    def _decisions(self, now: datetime, _result: Pruned, dry_run: bool) -> list[Sweep]:
        until = day_of(now - self.retention.lasting("decisions"))
        if not dry_run:
            pruning.move_watermark(self.connection, pruning.DECISION, until, now)
        return [FactSweep("decision", until)]

    def _stories(self, now: datetime, _result: Pruned, _dry_run: bool) -> list[Sweep]:
        """Stored answers, alerts, then the incidents that no alert speaks of any more."""
        incidents = now - self.retention.lasting("incidents")
        return [
            RowSweep("snapshot", now - self.retention.lasting("snapshots")),
            *pruning.alert_sweeps(now - self.retention.lasting("alerts")),
            pruning.incident_sweep(incidents),
            *(
                RowSweep(table, incidents)
                for table in ("own_outage", "silence", "maintenance", "second_opinion_budget")
            ),
        ]

    def _summaries(self, now: datetime, result: Pruned, dry_run: bool) -> list[Sweep]:
        """Health, hours of knowledge whose days are summed, policies, quotas."""
        health = now - self.retention.lasting("health")
        hours = day_of(now - self.retention.lasting("knowledge"))
        unsummed = pruning.first_unsummed(self.connection, hours)
        if unsummed is not None:
            result.kept.append(
                Kept(
                    f"hours of knowledge from {unsummed:%Y-%m-%d} to {hours:%Y-%m-%d}",
                    f"{unsummed:%Y-%m-%d} is not summed yet: `healing learn` does",
                )
            )
            hours = unsummed
        inner = [RowSweep(table, hours) for table in (*pruning.INNER_TABLES, "inner_fold")]
        if not pruning.has_hours(self.connection, hours):
            inner = []
        elif not dry_run and not self._move_inner(hours, now):
            inner = []
            result.kept.append(Kept(f"hours of knowledge before {hours:%Y-%m-%d}", FOLDING))
        return [
            RowSweep("health_quarter", health),
            RowSweep("health_report", health),
            *inner,
            pruning.policy_sweep(now - self.retention.lasting("policies")),
            RowSweep("key_usage", now - QUOTA_WINDOWS_FOR),
            RowSweep("cooldown", now - COOLDOWNS_FOR),
        ]


# The longest window of a quota is a month.
QUOTA_WINDOWS_FOR = timedelta(days=62)
# The longest cooldown lasts a day.
COOLDOWNS_FOR = timedelta(days=2)

FOLDING = "a fold is under way and takes long: the next run takes it"
_REASONS = {
    "alert_group": "a message of them waits for its channel",
    "alert": "they wait for their channel",
    "incident": "they are part of one that is younger, or an alert speaks of them",
}


def _facts(until: datetime, seq: int) -> list[Sweep]:
    return [FactSweep(table, until - pruning.LOOK_BACK, seq) for table in pruning.DETAIL_TABLES]
