"""What is the matter now, followed in the background for all who look at the dashboard.

A thread of its own listens and reads; nobody else waits for the database. News come at once, rates
every few seconds, and what was folded of the day every minute.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import psycopg

from healing_pipeline.errors import StorageError
from healing_pipeline.storage.alert_groups import AlertGroup, firing_groups
from healing_pipeline.storage.dashboards import (
    Seen,
    Standing,
    day_by_endpoint,
    newest_fidelity,
    since_folded,
    standings,
)
from healing_pipeline.storage.database import Database, Listener, listen
from healing_pipeline.storage.health_quarters import (
    ARRIVES_WITHIN,
    QUARTER,
    fold_quarters,
    quarter_of,
)
from healing_pipeline.storage.own_outages import OwnOutage, latest_own_outage
from healing_pipeline.storage.statements import load_statements

_LOG = logging.getLogger(__name__)
_SQL = load_statements("dashboards")

CHANNELS = (
    "healing_incident",
    "healing_route",
    "healing_alert",
    "healing_alert_group",
    "healing_answer_failed",
)
QUARTERS_SHOWN = 96
# What happens within this becomes one piece of news.
LISTEN_S = 0.25
RATES_EVERY_S, RATES_AFTER_NEWS_S, RATES_UNWATCHED_S = 5.0, 1.5, 30.0
DAY_EVERY_S = 60.0
# Reading may not take more than this part of the time, however much there is to read.
BUSY_SHARE = 0.1
STATEMENT_LIMIT_MS = 10_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
# Quarters folded at a time, so that news never wait long; what is left comes with the next rates.
FOLDS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class HealthNews:
    """What was read; None where nothing was.

    Attributes
    ----------
    at : datetime
        Aware UTC, when it was read.
    away_since : datetime or None
        PostgreSQL does not answer since then; nothing else is set.
    standings, groups, outage
        What stands now; read together.
    day, lately, fidelity
        Rates; `day` is None as long as the folded part is the one of before.
    """

    at: datetime
    away_since: datetime | None = None
    standings: Mapping[str, Standing] | None = None
    groups: Sequence[AlertGroup] = ()
    outage: OwnOutage | None = None
    day: Mapping[str, Seen] | None = None
    lately: Mapping[str, Seen] | None = None
    fidelity: Mapping[str, str] | None = None


class HealthFeed:
    """Follows the database for one process.

    Parameters
    ----------
    url : callable
        Where the database is; raises `ConnectionError` as long as nobody knows.
    endpoints : sequence of str
        Ids.
    now : callable
        Aware UTC.
    take : callable
        Is handed all news, in the follower's thread.
    """

    def __init__(
        self,
        url: Callable[[], str],
        endpoints: Sequence[str],
        *,
        now: Callable[[], datetime],
        take: Callable[[HealthNews], None],
    ) -> None:
        self._url = url
        self._endpoints = tuple(endpoints)
        self._now = now
        self._take = take
        self._boundary = now()
        self._looked_at = monotonic()
        self._has_more = False
        self._is_connected = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="healing-health", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop following."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def watch(self) -> None:
        """Somebody looks: rates are read often for the next minute."""
        self._looked_at = monotonic()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        away_since: datetime | None = None
        while not self._stopped.is_set():
            try:
                self._follow()
            except (StorageError, psycopg.Error, OSError) as error:
                _LOG.debug("the dashboard is without PostgreSQL: %s", error)
            except Exception:  # a thread that ends unseen would never look again
                _LOG.exception("the dashboard could not be kept up to date; trying again")
            if self._is_connected:
                away_since, pause_s = None, FIRST_PAUSE_S
                self._is_connected = False
            away_since = away_since or self._now()
            if not self._stopped.is_set():
                self._take(HealthNews(self._now(), away_since=away_since))
            self._stopped.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _follow(self) -> None:
        """Follow the database until it is lost, or nobody wants to know any more."""
        with ExitStack() as stack:
            url = self._url()
            # First listen, then look: what changes in between is told.
            listener = stack.enter_context(listen(url, CHANNELS))
            database = stack.enter_context(Database(url, max_size=1, timeout_s=3.0))
            self._read_standings(database)
            self._is_connected = True
            day_at = rates_at = soonest = standings_at = monotonic()
            is_new = is_told = False
            while not self._stopped.is_set():
                is_told = self._hears(listener) or is_told
                if is_told and (began := monotonic()) >= standings_at:
                    self._read_standings(database)
                    is_new, is_told = True, False
                    standings_at = monotonic() + (monotonic() - began) / BUSY_SHARE
                due = min(rates_at, soonest) if is_new else rates_at
                if monotonic() < due:
                    continue
                began = monotonic()
                is_new = False
                self._read_rates(database, is_day_due=began >= day_at)
                ended = monotonic()
                rest_s = (ended - began) / BUSY_SHARE
                is_watched = ended - self._looked_at < DAY_EVERY_S
                rates_at = ended + max(rest_s, RATES_EVERY_S if is_watched else RATES_UNWATCHED_S)
                soonest = ended + max(rest_s, RATES_AFTER_NEWS_S)
                if began >= day_at:
                    day_at = ended + DAY_EVERY_S

    @staticmethod
    def _hears(listener: Listener) -> bool:
        return len(list(listener.notices(LISTEN_S))) > 0

    def _read_standings(self, database: Database) -> None:
        with database.connection() as connection:
            _SQL.limit_statement(connection, limit_ms=STATEMENT_LIMIT_MS)
            outage = latest_own_outage(connection)
            news = HealthNews(
                self._now(),
                standings=standings(connection),
                groups=tuple(firing_groups(connection)),
                outage=outage if outage is not None and outage.ended_at is None else None,
            )
        self._take(news)

    def _read_rates(self, database: Database, *, is_day_due: bool) -> None:
        now = self._now()
        boundary = quarter_of(now - ARRIVES_WITHIN)
        is_day_due = is_day_due or boundary != self._boundary or self._has_more
        if is_day_due:
            self._fold(database, now)
        with database.connection() as connection:
            _SQL.limit_statement(connection, limit_ms=STATEMENT_LIMIT_MS)
            first = quarter_of(now) - (QUARTERS_SHOWN - 1) * QUARTER
            day = day_by_endpoint(connection, first, boundary) if is_day_due else None
            lately = since_folded(connection, boundary, now)
            fidelity = newest_fidelity(connection, self._endpoints, first)
        self._boundary = boundary
        self._take(HealthNews(now, day=day, lately=lately, fidelity=fidelity))

    def _fold(self, database: Database, now: datetime) -> None:
        """Fold what nobody else has, should the process that does be away."""
        with database.connection() as connection:
            folded = fold_quarters(connection, now, most=FOLDS_AT_ONCE)
        self._has_more = len(folded) == FOLDS_AT_ONCE
