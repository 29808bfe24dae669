"""What processes know together, followed in the background: routes, snapshots, quotas, the policy.

The data path never waits for PostgreSQL. A thread of its own looks for the database, takes over
what the others left there, and goes on listening; while the database is away it looks again and
again, and the data path works with what this process knows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
from psycopg import Connection

from healing_pipeline.catalog.values import Source
from healing_pipeline.errors import StorageError
from healing_pipeline.healing.facts import SnapshotFact
from healing_pipeline.healing.guard.cooldowns import CooldownNews
from healing_pipeline.healing.memory import Route
from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.storage.cooldowns import standing_cooldowns
from healing_pipeline.storage.database import Database, listen, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date
from healing_pipeline.storage.policies import active_policy
from healing_pipeline.storage.routes import active_routes
from healing_pipeline.storage.snapshots import load_snapshots
from healing_pipeline.storage.statements import load_statements

_LOG = logging.getLogger(__name__)
_SQL = load_statements("shared_memory")

# Older data is of no use to any strategy there is.
WORTH_TAKING = timedelta(days=1)
# Readers of other processes keep snapshots fresh too; their news are not urgent.
SNAPSHOTS_EVERY_S = 20.0
# When others were told to wait, what they have is looked for at once, but not all the time.
HASTENED_EVERY_S = 2.0
# A clock of another process may be behind ours.
CLOCK_SKEW = timedelta(seconds=10)
LISTEN_S = 0.25
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 2.0

_ROUTE, _POLICY = "healing_route", "healing_policy"
_CHANNELS = (_ROUTE, _POLICY)


@dataclass(frozen=True, slots=True)
class KeyCalls:
    """Calls made with one key in the current UTC day and month, and the probes' among them."""

    source: str
    key_name: str
    day_calls: int
    month_calls: int
    day_probes: int
    month_probes: int


@dataclass(frozen=True, slots=True)
class News:
    """What the database knows and this process may not.

    Attributes
    ----------
    at : datetime
        Aware UTC, when it was looked up.
    routes : tuple of Route or None
        All active ones; None when nothing was heard of a change.
    snapshots : tuple of SnapshotFact
    key_calls : tuple of KeyCalls
        Of sources with a daily or monthly quota.
    policy : Policy or None
        The one in force; the empty one where there is none, or none that can be read. None when
        nothing was heard of a change.
    cooldowns : tuple of Cooldown or CooldownEnd
        At a start; from then on `SharedLimits` tells of them, at once.
    """

    at: datetime
    routes: tuple[Route, ...] | None = None
    snapshots: tuple[SnapshotFact, ...] = ()
    key_calls: tuple[KeyCalls, ...] = ()
    policy: Policy | None = None
    cooldowns: tuple[CooldownNews, ...] = ()


def everything(connection: Connection[Any], sources: Iterable[Source], now: datetime) -> News:
    """All that is worth knowing for a process that begins now."""
    return News(
        now,
        tuple(active_routes(connection)),
        tuple(load_snapshots(connection, newer_than=now - WORTH_TAKING)),
        key_calls(connection, sources, now),
        policy_in_force(connection),
        standing_cooldowns(connection),
    )


def about(
    connection: Connection[Any], endpoint: str, sources: Iterable[Source], now: datetime
) -> News:
    """What a process needs to know that heals one endpoint: its data, the policy, its limits."""
    return News(
        now,
        snapshots=tuple(load_snapshots(connection, [endpoint], newer_than=now - WORTH_TAKING)),
        key_calls=key_calls(connection, sources, now),
        policy=policy_in_force(connection),
        cooldowns=standing_cooldowns(connection),
    )


def policy_in_force(connection: Connection[Any]) -> Policy:
    """The policy that plans go by; the empty one before the first, or when it cannot be read."""
    active = active_policy(connection)
    return EMPTY if active is None else active[1]


def key_calls(
    connection: Connection[Any], sources: Iterable[Source], now: datetime
) -> tuple[KeyCalls, ...]:
    """Calls counted against daily and monthly quotas; empty when no source has one."""
    named = [
        each.name
        for each in sources
        if each.quota.per_day is not None or each.quota.per_month is not None
    ]
    if not named:
        return ()
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = _SQL.key_calls(connection, sources=named, day=day, month=day.replace(day=1))
    return tuple(KeyCalls(**row) for row in rows)


class SharedMemory:
    """Follows the database for one process.

    Parameters
    ----------
    environ, state_dir
        Where the database is, see `resolve_database`; an embedded server is joined, or started.
    sources : iterable of Source
    now : callable
        Aware UTC.
    take : callable
        Is handed all news, in the follower's thread.
    is_known : callable
        Whether this process already has the snapshot of a question, fetched at that moment or
        later.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        state_dir: Path,
        *,
        sources: Iterable[Source],
        now: Callable[[], datetime],
        take: Callable[[News], None],
        is_known: Callable[[str, str, datetime], bool],
    ) -> None:
        self._environ = environ
        self._state_dir = state_dir
        self._sources = tuple(sources)
        self._now = now
        self._take = take
        self._is_known = is_known
        self._url: str | None = None
        self._connected = False
        self._hastened = False
        self._looked = threading.Event()
        self._stopped = threading.Event()
        self._seen_until = now()
        self._thread = threading.Thread(target=self._run, name="healing-memory", daemon=True)

    @property
    def is_connected(self) -> bool:
        """Whether the database is being followed at this moment."""
        return self._connected

    def url(self) -> str:
        """Where the database is, once it has been found with the schema of this code.

        Raises
        ------
        ConnectionError
            Before that.
        """
        if self._url is None:
            raise ConnectionError("the database has not been found yet")
        return self._url

    def start(self) -> None:
        """Begin to look for the database."""
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the first look to end, found or not; False when it still goes on."""
        return self._looked.wait(seconds)

    def look_soon(self) -> None:
        """Look for snapshots soon; returns at once.

        For when others were told to wait: what they stored is what readers here will need.
        """
        self._hastened = True

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop following. A connection that is just being tried ends by itself."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopped.is_set():
            began = monotonic()
            try:
                self._follow()
            except (StorageError, psycopg.Error, OSError) as error:
                if self._connected or pause_s == FIRST_PAUSE_S:
                    _LOG.warning("working without PostgreSQL for now: %s", error)
            except Exception:  # a thread that ends unseen would never look again
                _LOG.exception("looking for PostgreSQL failed; trying again")
            if self._connected:
                # It was there: a restart takes a moment, no more.
                pause_s = FIRST_PAUSE_S
            self._connected = False
            self._looked.set()
            self._stopped.wait(max(0.0, pause_s - (monotonic() - began)))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _follow(self) -> None:
        """Find the database and follow it until it is lost, or nobody wants to know any more."""
        with ExitStack() as stack:
            address = resolve_database(self._environ, self._state_dir)
            stack.callback(address.close)
            database = stack.enter_context(Database(address.url, max_size=2, timeout_s=3.0))
            bring_up_to_date(database, address.owner_url)
            # First listen, then look: what changes in between is told.
            listener = stack.enter_context(listen(address.url, _CHANNELS))
            self._seen_until = self._now()
            with database.connection() as connection:
                self._take(everything(connection, self._sources, self._seen_until))
            self._url, self._connected = address.url, True
            self._looked.set()
            looked_at = monotonic()
            look_at = looked_at + SNAPSHOTS_EVERY_S
            while not self._stopped.is_set():
                told = {each.channel for each in listener.notices(LISTEN_S)}
                now = monotonic()
                is_hastened = self._hastened and now >= looked_at + HASTENED_EVERY_S
                if not told and not is_hastened and now < look_at:
                    continue
                if is_hastened:
                    self._hastened = False
                is_time, looked_at = now >= look_at, now
                if is_time:
                    look_at = now + SNAPSHOTS_EVERY_S
                with database.connection() as connection:
                    # A route to cached data is worth nothing without the data.
                    self._take_snapshots(connection)
                    if is_time:
                        self._take_calls(connection)
                    if told:
                        self._take(
                            News(
                                self._now(),
                                tuple(active_routes(connection)) if _ROUTE in told else None,
                                policy=policy_in_force(connection) if _POLICY in told else None,
                            )
                        )

    def _take_calls(self, connection: Connection[Any]) -> None:
        """Hear what others spent of a quota that is theirs too: a key has one, however many ask."""
        now = self._now()
        if calls := key_calls(connection, self._sources, now):
            self._take(News(now, key_calls=calls))

    def _take_snapshots(self, connection: Connection[Any]) -> None:
        since, self._seen_until = self._seen_until - CLOCK_SKEW, self._now()
        new = {
            row["endpoint"]
            for row in _SQL.snapshot_news(connection, newer_than=since)
            if not self._is_known(row["endpoint"], row["request_key"], row["fetched_at"])
        }
        if new:
            self._take(
                News(
                    self._now(), snapshots=tuple(load_snapshots(connection, new, newer_than=since))
                )
            )
