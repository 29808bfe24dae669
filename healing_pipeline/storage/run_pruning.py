"""Taking away what Dagster keeps for ever: whole runs, and what others said on their way.

By statements and not by Dagster's own ``delete_run``, which takes one run at a time and leaves the
results of its checks behind. What it would erase besides, the status of partitions, is spared here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import with_scheme
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("run_pruning")

# What is ours among the runs and ticks of an instance, as the definitions name it. A source that is
# no more had a sensor too.
JOBS = ("fold_hours", "heal_endpoint", "prune", "refresh_market_data", "report_health")
ASSETS = ("health_report", "inner_knowledge", "market_data", "outer_knowledge", "policy")
TICKING = (
    *("alert_on_run_failure", "alert_watch", "late_events", "learning_automation"),
    *("health_report_every_hour", "market_data_every_10_minutes", "prune_every_night"),
    *("report_on_change", "probe_.*", "stand_in_[0-9]+"),
)
_ASSET_KEYS = [f'["{each}"]' for each in ASSETS]
_NAMED = f"^({'|'.join(TICKING)})$"

_OPTIONS = "-c lock_timeout=5s -c statement_timeout=120s -c vacuum_cost_delay=2ms -c TimeZone=UTC"


@contextmanager
def run_pruner(dagster_url: str) -> Iterator[Connection[Any] | None]:
    """A connection to Dagster's tables; None where it has none yet.

    Raises
    ------
    StorageError
        If PostgreSQL cannot be had.
    """
    given = conninfo_to_dict(with_scheme(dagster_url, "postgresql"))
    given["options"] = f"{given.get('options') or ''} {_OPTIONS}".strip()
    info = make_conninfo("", **{**given, "application_name": "healing-prune-runs"})
    try:
        connection: Connection[Any] = psycopg.connect(info, autocommit=True)
    except psycopg.OperationalError as error:
        raise StorageError(
            f"Dagster's database does not answer ({error}). `healing prune` can be run again."
        ) from None
    with connection:
        yield connection if _SQL.has_tables(connection) else None


@dataclass(slots=True)
class RunSweep:
    """Ended runs that say they may go, made before a moment."""

    before: datetime
    _after_id: int = 0
    _shown: list[str] | None = None

    def count(self, connection: Connection[Any]) -> int:
        """How many there are, those included that show how something stands."""
        count: int = _SQL.count_runs(connection, before=self.before)
        return count

    def batch(self, connection: Connection[Any], most: int) -> tuple[int, bool]:
        """Take at most `most` away; how many, and whether they were the last."""
        if self._shown is None:
            self._shown = [row["run_id"] for row in _SQL.runs_that_show(connection)]
        with connection.transaction():
            found = list(
                _SQL.old_runs(
                    connection,
                    before=self.before,
                    shown=self._shown,
                    after_id=self._after_id,
                    most=most,
                )
            )
            if not found:
                return 0, True
            run_ids = [row["run_id"] for row in found]
            _SQL.delete_event_tags(connection, run_ids=run_ids)
            _SQL.delete_events(connection, run_ids=run_ids)
            _SQL.delete_checks(connection, run_ids=run_ids)
            _SQL.delete_runs(connection, run_ids=run_ids)
        self._after_id = found[-1]["id"]
        return len(found), len(found) < most


@dataclass(slots=True)
class TalkSweep:
    """What runs of ours said on their way, in a time; what they did stays."""

    since: datetime | None
    before: datetime
    _after_id: int = 0

    def batch(self, connection: Connection[Any], most: int) -> tuple[int, bool]:
        """Take that of at most `most` runs away; how many rows, and whether they were the last."""
        found = list(
            _SQL.runs_between(
                connection,
                since=self.since,
                before=self.before,
                after_id=self._after_id,
                most=most,
                jobs=list(JOBS),
                assets=_ASSET_KEYS,
            )
        )
        if not found:
            return 0, True
        removed: int = _SQL.delete_talk(connection, run_ids=[row["run_id"] for row in found])
        self._after_id = found[-1]["id"]
        return removed, len(found) < most


@dataclass(frozen=True, slots=True)
class TickSweep:
    """Ticks of ours from before a moment; the newest of each sensor and schedule stays."""

    before: datetime

    def batch(self, connection: Connection[Any], most: int) -> tuple[int, bool]:
        """Take at most `most` away; how many, and whether they were the last."""
        removed: int = _SQL.delete_ticks(connection, before=self.before, most=most, named=_NAMED)
        return removed, removed < most


def vacuum_events(connection: Connection[Any]) -> None:
    """Make the room of what was taken free for what comes."""
    _SQL.vacuum_events(connection)
