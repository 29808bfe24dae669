"""Readers' errors: what each source's share of them says now, and what it does to its budget."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting.error_rates import (
    BURN_RULES,
    BURNS_FOR,
    LATEST_ERROR_WITHIN,
    LONGEST_HEAL,
    WINDOWS,
    Finding,
    burn_finding,
    burns,
    enough,
    rate_finding,
    stands_long_enough,
)
from healing_pipeline.alerting.messages import rank
from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.storage import error_counts
from healing_pipeline.storage.error_counts import Counted

# Hours and days do not change within seconds.
BURN_EVERY = timedelta(minutes=1)

LONG = tuple(rule.long for rule in BURN_RULES)
# The third rule's short window is long enough to be read from what was folded.
FOLDED_SHORT = BURN_RULES[-1].short
SHORT = tuple(rule.short for rule in BURN_RULES if rule.short != FOLDED_SHORT)


class ErrorWatch:
    """Watches readers' errors by source. For one process; what it remembers is only since when.

    Parameters
    ----------
    catalog : Catalog
    settings : AlertSettings
    """

    def __init__(self, catalog: Catalog, settings: AlertSettings) -> None:
        self._catalog = catalog
        self._settings = settings
        self._seen_since: dict[str, datetime] = {}
        self._quiet_since: dict[str, datetime | None] = {}
        self._began_at: dict[str, datetime] = {}
        self._burns: dict[str, Finding] = {}
        self._burns_since: dict[str, datetime] = {}
        self._burned_at: datetime | None = None

    def rates(self, connection: Connection[Any], now: datetime) -> dict[str, Finding]:
        """What the last minutes say, by source; without those that are well enough."""
        troubled = error_counts.sources_with_errors(connection, now - LATEST_ERROR_WITHIN)
        found: dict[str, Finding] = {}
        began_at = dict(self._began_at)
        if troubled:
            since = error_counts.counted_since(connection, troubled, now)
            counts = self._counts(connection, since, now)
            for source, windows in counts.items():
                finding = rate_finding(windows.values(), self._settings.minimum_samples)
                if finding is not None:
                    found[source] = finding
                    counted = since[source].now
                    first_at = troubled[source] if counted is None else counted
                    began_at.setdefault(source, max(first_at, troubled[source]))
        self._began_at = {source: began_at[source] for source in found}
        self._note(connection, found, now)
        return found

    def lasting(
        self, rates: Mapping[str, Finding], burning: Mapping[str, Finding], now: datetime
    ) -> dict[str, Finding]:
        """What people are told of: of what `rates` and `burn_rates` found, what has stood."""
        found = {
            source: finding
            for source, finding in burning.items()
            if now - self._burns_since[source] >= BURNS_FOR
        }
        for source, finding in rates.items():
            if not stands_long_enough(self._seen_since[source], self._quiet_since[source], now):
                continue
            known = found.get(source)
            if known is None or rank(finding.level) >= rank(known.level):
                found[source] = finding
        return found

    def began_at(self, source: str, now: datetime) -> datetime:
        """Since when readers of a source have gone without answers."""
        return self._began_at.get(source) or self._burns_since.get(source, now)

    def burn_rates(self, connection: Connection[Any], now: datetime) -> dict[str, Finding]:
        """What hours and days say, by source; looked at once a minute."""
        at = self._burned_at
        if at is not None and timedelta() <= now - at < BURN_EVERY:
            return self._burns
        self._burned_at = now
        self._burns = {}
        # All short windows lie within the longest: without errors there nothing burns.
        troubled = error_counts.sources_with_errors(connection, now - FOLDED_SHORT)
        if troubled:
            self._burns = self._burning(connection, troubled, now)
        self._burns_since = {each: self._burns_since.get(each, now) for each in self._burns}
        return self._burns

    def _burning(
        self, connection: Connection[Any], troubled: Collection[str], now: datetime
    ) -> dict[str, Finding]:
        since = error_counts.counted_since(connection, troubled, now)
        objective, least = self._settings.objective, self._settings.minimum_samples
        long = error_counts.long_counts(connection, _budget(since), LONG, now)
        burning = {
            source: since[source]
            for source, windows in long.items()
            if any(burns(rule, windows[rule.long], objective, least) for rule in BURN_RULES)
        }
        if not burning:
            return {}
        short = error_counts.counts(connection, _now(burning), SHORT, now)
        folded = error_counts.long_counts(connection, _now(burning), (FOLDED_SHORT,), now)
        found = {}
        for source in burning:
            shorts = {**short[source], **folded[source]}
            pairs = [(rule, long[source][rule.long], shorts[rule.short]) for rule in BURN_RULES]
            finding = burn_finding(pairs, objective, least)
            if finding is not None:
                found[source] = finding
        return found

    def _counts(
        self, connection: Connection[Any], since: Mapping[str, Counted], now: datetime
    ) -> error_counts.Counts:
        first, *longer = WINDOWS
        counts = error_counts.counts(connection, _now(since), (first,), now)
        least = self._settings.minimum_samples
        seldom = {
            source: since[source]
            for source, windows in counts.items()
            if enough(windows.values(), least) is None
        }
        if seldom:
            endpoints = [each.id for name in seldom for each in self._catalog.endpoints_of(name)]
            more = error_counts.counts(connection, _now(seldom), longer, now, endpoints=endpoints)
            for source, windows in more.items():
                counts[source].update(windows)
        return counts

    def _note(
        self, connection: Connection[Any], found: Mapping[str, Finding], now: datetime
    ) -> None:
        self._seen_since = {each: self._seen_since.get(each, now) for each in found}
        healing = (
            error_counts.sources_being_healed(connection, now - LONGEST_HEAL) if found else set()
        )
        self._quiet_since = {
            each: None if each in healing else self._quiet_since.get(each) or now for each in found
        }


def _budget(since: Mapping[str, Counted]) -> dict[str, datetime | None]:
    return {source: each.budget for source, each in since.items()}


def _now(since: Mapping[str, Counted]) -> dict[str, datetime | None]:
    return {source: each.now for source, each in since.items()}
