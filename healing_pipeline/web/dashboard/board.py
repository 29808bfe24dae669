"""What the overview shows at this moment, made of news by whoever follows the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from time import sleep
from uuid import uuid4

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.health_feed import HealthNews
from healing_pipeline.storage.health_quarters import QUARTER, quarter_of
from healing_pipeline.web.dashboard.banner import banner_of, line, when_away
from healing_pipeline.web.dashboard.bars import worst
from healing_pipeline.web.dashboard.deltas import Changes, State
from healing_pipeline.web.dashboard.parts import Banner
from healing_pipeline.web.dashboard.rendering import clock
from healing_pipeline.web.dashboard.snapshot import (
    Known,
    Row,
    Shown,
    endpoint_shown,
    letter_now,
    source_shown,
    summary_of,
)
from healing_pipeline.web.dashboard.striking import striking_for

# Between so many rows the interpreter is given up, to the event loop that answers readers.
ROWS_AT_A_TIME = 10
MOST_TEXTS = 4_096

# With more endpoints than these, browsers are kept up to date with the rows of sources alone: what
# changes in thousands of rows every few seconds is megabytes.
MOST_LIVE_ROWS = 1_000


class Board:
    """What the overview shows, kept up to date by the thread that follows the database.

    Parameters
    ----------
    catalog : Catalog
    now : datetime
        When the process began to look.

    Attributes
    ----------
    is_large : bool
        Whether the changes tell of sources alone.
    endpoint_rows : Mapping[str, Row]
        The row of every endpoint.
    """

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self._catalog = catalog
        # What an upstream said is read again with every piece of news, as long as it stands.
        self._strike = lru_cache(MOST_TEXTS)(striking_for(catalog).text)
        self._sources = {
            name: tuple(each.id for each in catalog.endpoints_of(name)) for name in catalog.sources
        }
        self.is_large = len(catalog.endpoints) > MOST_LIVE_ROWS
        self._known: dict[str, Known] = {each: Known() for each in catalog.endpoints}
        self._shown: dict[str, Shown] = {}
        self.endpoint_rows: Mapping[str, Row] = {}
        self._source_rows: dict[str, Row] = {}
        self._newest, self._today = 0, now.date()
        self._calm = Banner()
        self._read_at: datetime | None = None
        self.banner = Banner((line(Severity.INFO, "Nothing was read from PostgreSQL yet."),))
        self.changes = Changes(uuid4().hex)
        self.take(HealthNews(now))

    def take(self, news: HealthNews) -> str | None:
        """Take news over; the message to every browser, or None when they change nothing."""
        if news.away_since is not None:
            self.banner = when_away(self._calm, news.away_since, self._read_at)
        elif news.standings is not None:
            standings = {
                name: replace(each, evidence=self._strike(each.evidence or ""))
                for name, each in news.standings.items()
            }
            self._calm = banner_of(
                news.groups,
                {name: each for name, each in standings.items() if name in self._known},
                news.outage,
                endpoints=len(self._known),
                strike=self._strike,
            )
            self.banner, self._read_at = self._calm, news.at
            for name, known in self._known.items():
                standing = standings.get(name)
                if standing == known.standing:
                    continue
                worst_now = worst((known.worst_now, letter_now(standing)))
                self._know(name, replace(known, standing=standing, worst_now=worst_now))
        if news.lately is not None:
            self._read_at = news.at
            for name, known in self._known.items():
                self._know(
                    name,
                    replace(
                        known,
                        day=known.day if news.day is None else news.day.get(name),
                        lately=news.lately.get(name),
                        fidelity=(news.fidelity or {}).get(name),
                    ),
                )
        self._turn_to(news.at)
        return self.changes.publish(self._state())

    def _know(self, name: str, known: Known) -> None:
        if known != self._known[name]:
            self._known[name] = known
            self._shown.pop(name, None)

    def _turn_to(self, at: datetime) -> None:
        """Begin a new quarter, or a new day, when it has come."""
        newest = int(quarter_of(at).timestamp() / QUARTER.total_seconds())
        if (newest, at.date()) == (self._newest, self._today):
            return
        if newest != self._newest:
            self._known = {
                name: replace(each, worst_now=letter_now(each.standing))
                for name, each in self._known.items()
            }
        self._newest, self._today = newest, at.date()
        self._shown.clear()

    def _state(self) -> State:
        changed = {name for name in self._known if name not in self._shown}
        for number, name in enumerate(changed):
            if number % ROWS_AT_A_TIME == 0:
                sleep(0)  # readers go first
            self._shown[name] = endpoint_shown(self._known[name], self._newest, self._today)
        # Replaced as a whole: pages read it from other threads.
        self.endpoint_rows = {name: each.row for name, each in self._shown.items()}
        rows: dict[str, Row] = {}
        for source, names in self._sources.items():
            if not changed.isdisjoint(names) or source not in self._source_rows:
                self._source_rows[source] = source_shown([self._shown[name] for name in names])
            rows[source] = self._source_rows[source]
            if not self.is_large:
                rows |= {name: self.endpoint_rows[name] for name in names}
        top = {
            "at": clock(self._read_at),
            "summary": summary_of(self._shown.values()),
            "banner": [
                [each.level, each.mark, each.word, each.text, each.href or ""]
                for each in self.banner.lines
            ],
        }
        return State(top, rows)
