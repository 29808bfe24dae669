"""One run of pruning over a whole installation: our tables, then Dagster's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Protocol

import psycopg
from psycopg import Connection

from healing_pipeline.catalog.retention_section import Retention
from healing_pipeline.control.learning_run import day_of
from healing_pipeline.control.pruning import REST, Kept, Pruned, Pruner
from healing_pipeline.errors import StorageError
from healing_pipeline.storage import pruning, run_pruning
from healing_pipeline.storage.database import DatabaseAddress

RUNS_AT_ONCE, TICKS_AT_ONCE = 50, 5_000
VACUUM_FROM = 5_000
RUNS, TALK, TICKS = "run", "event of runs", "tick"
RUN_NAMES = {
    RUNS: "runs of Dagster's",
    TALK: "lines of runs' logs",
    TICKS: "ticks of sensors that are no more",
}


class _Sweep(Protocol):
    def batch(self, connection: Connection[Any], most: int) -> tuple[int, bool]: ...


def prune_installation(
    address: DatabaseAddress,
    retention: Retention,
    since: date,
    sources: Sequence[str],
    now: datetime,
    *,
    dry_run: bool = False,
    told: Callable[[str, int, int], None] = lambda _table, _done, _of: None,
    stop: Callable[[], bool] = lambda: False,
    rest: float = REST,
) -> Pruned:
    """Take away what is past its time in all tables, or count it.

    Parameters
    ----------
    since : date
        Where learning begins.
    sources : sequence of str
        Whose facts have to be folded before they go.
    told, stop, rest
        As of `Pruner`.

    Raises
    ------
    StorageError
        If PostgreSQL cannot be had, or breaks off.
    """
    began = time.monotonic()
    with pruning.pruner(address.owner_url) as connection:
        result = Pruner(connection, retention, since, sources, told, stop, rest).prune(
            now, dry_run=dry_run
        )
        with run_pruning.run_pruner(address.dagster_url) as dagster:
            if dagster is not None and result.is_complete:
                runs = _Runs(connection, dagster, result, told, stop, rest)
                try:
                    runs.prune(day_of(now - retention.lasting("runs")), now, dry_run=dry_run)
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    raise StorageError(
                        f"Pruning of Dagster's runs was broken off ({' '.join(str(error).split())})"
                        ". Run `healing prune` again."
                    ) from None
    result.seconds = time.monotonic() - began
    return result


class _Runs:
    """Prunes Dagster's tables; how far their logs were is noted in ours."""

    def __init__(
        self,
        ours: Connection[Any],
        dagster: Connection[Any],
        result: Pruned,
        told: Callable[[str, int, int], None],
        stop: Callable[[], bool],
        rest: float,
    ) -> None:
        self._ours = ours
        self._dagster = dagster
        self._result = result
        self._told = told
        self._stop = stop
        self._rest = rest

    def prune(self, before: datetime, now: datetime, *, dry_run: bool) -> None:
        """Runs made before a moment go, or what they said on their way."""
        runs = run_pruning.RunSweep(before)
        there = runs.count(self._dagster)
        if dry_run:
            self._note(RUNS, there)
            return
        removed = self._take(RUNS, runs, RUNS_AT_ONCE, there)
        if removed < there and self._result.is_complete:
            self._result.kept.append(
                Kept(
                    f"{there - removed} runs of Dagster's",
                    "an asset or a check is shown by them, or they materialised a partition",
                )
            )
        reached = pruning.watermark(self._ours, pruning.RUN_LOG).until
        talk = run_pruning.TalkSweep(reached, before)
        removed += self._take(TALK, talk, RUNS_AT_ONCE, 0)
        if self._result.is_complete:
            pruning.move_watermark(self._ours, pruning.RUN_LOG, before, now)
        self._take(TICKS, run_pruning.TickSweep(before), TICKS_AT_ONCE, 0)
        if removed >= VACUUM_FROM:
            run_pruning.vacuum_events(self._dagster)

    def _take(self, name: str, sweep: _Sweep, most: int, there: int) -> int:
        removed, is_last = 0, False
        while not is_last:
            if self._stop():
                self._result.is_complete = False
                break
            began = time.monotonic()
            gone, is_last = sweep.batch(self._dagster, most)
            removed += gone
            self._told(name, removed, max(there, removed))
            if not is_last:
                time.sleep(self._rest * (time.monotonic() - began))
        self._note(name, removed)
        return removed

    def _note(self, name: str, rows: int) -> None:
        if rows:
            self._result.removed[name] = rows
