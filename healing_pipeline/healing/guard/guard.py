"""The guard in front of every upstream call: may it be made, and what is learned from its end.

A way is a host and a key. Their troubles are different ones: a revoked key is revoked at every
host, a blocked or broken host is so for every key. So there is a breaker per host and one per key,
and a way is open when both are, and the key's bucket and ledger have something left.

Nothing is cached between decisions and nothing waits: time comes as an argument, and a refusal is a
reason in words. For one event loop; not thread-safe.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from healing_pipeline.catalog.values import Source
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.facts import Origin
from healing_pipeline.healing.guard.breaker import BreakerRules
from healing_pipeline.healing.guard.cooldowns import (
    LONGEST_S,
    CooldownNews,
    Standing,
    Tell,
    learned,
    take_over,
)
from healing_pipeline.healing.guard.ends import count_end
from healing_pipeline.healing.guard.paths import GuardedSource, Path
from healing_pipeline.healing.guard.retry_after import retry_after_s
from healing_pipeline.healing.guard.shares import Key, Use
from healing_pipeline.healing.strategy import Way
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict
from healing_pipeline.providers.provider import UpstreamRequest

# What is left of a quota belongs to readers once so much of it is spent.
TO_SPARE = 0.5


class Guard:
    """Breakers, buckets, ledgers and retry budgets of all sources.

    Parameters
    ----------
    sources : Mapping[str, Source]
        By name.
    keyless : collection of (str, str)
        Source and host names where no key is sent although the source has some
        (``exchange_rate``, ``open``): one way, which no key's trouble closes.
    rules : BreakerRules
    tell : callable, optional
        Is handed what holds for other processes too; must return at once.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        keyless: Collection[tuple[str, str]] = (),
        rules: BreakerRules | None = None,
        tell: Tell | None = None,
    ) -> None:
        rules = rules or BreakerRules()
        self._tell = tell
        self._sources = {
            name: GuardedSource(source, {host for owner, host in keyless if owner == name}, rules)
            for name, source in sources.items()
        }

    def way_of(self, request: UpstreamRequest) -> Way:
        """The way that a request takes, by the names in it."""
        return self._source(request.source).path(request.host_name, request.key_name).way

    def ways(self, source_name: str, now: float, wall_now: datetime) -> tuple[Way, ...]:
        """Every way of a source as a reader finds it now, in order of preference."""
        return tuple(
            path.way if (met := path.closed(now, wall_now)) is None else _shut(path, met)
            for path in self._source(source_name).in_order
        )

    def choose(self, source_name: str, now: float, wall_now: datetime) -> Way:
        """The first open way; where none is, the one that opens first: there is always a candidate.

        Returns
        -------
        Way
            Not open when no way is; `admit` lets it through as the last one.
        """
        paths = self._source(source_name).in_order
        for path in paths:
            if path.closed(now, wall_now) is None:
                return path.way
        first = min(paths, key=lambda path: path.opens_at(now, wall_now))
        return _shut(first, self.met(source_name, first.way, now, wall_now))

    def opens_in(self, source_name: str, now: float, wall_now: datetime) -> float | None:
        """Seconds until the first way of a source opens.

        None where one is open, or where nothing but the end of a trial will tell.
        """
        paths = self._source(source_name).in_order
        return min(path.opens_in(now, wall_now) for path in paths) or None

    def has_to_spare(self, source_name: str, now: float, wall_now: datetime) -> bool:
        """Whether a source bears calls that no reader waits for.

        By every key less than half of the quota's minute, day and month is spent, and there is room
        for a healing call.
        """
        source = self._source(source_name)
        return source.budget.refusal() is None and all(
            (path.bucket is None or path.bucket.spent(now) < TO_SPARE)
            and (path.ledger is None or path.ledger.spent(wall_now) < TO_SPARE)
            for path in source.in_order
        )

    def bears_healing(self, source_name: str) -> bool:
        """Whether the retry budget of a source has room for one more healing call."""
        return self._source(source_name).budget.refusal() is None

    def met(self, source_name: str, way: Way, now: float, wall_now: datetime) -> Verdict:
        """What is known to be wrong with a way; ok for one that is open."""
        path = self._source(source_name).path_of(way)
        return path.closed(now, wall_now) or Verdict(FailureClass.OK, "open")

    def admit(
        self,
        source_name: str,
        way: Way,
        *,
        origin: Origin,
        healing: bool,
        now: float,
        wall_now: datetime,
        last: bool = False,
    ) -> str | None:
        """Let one call through, or say why not. Who is let through owes a `done`, come what may.

        Parameters
        ----------
        origin : Origin
            A probe takes from its own share of the quota, never from the readers'.
        healing : bool
            Whether a strategy asks: such calls stand under the source's retry budget.
        now : float
            Monotonic seconds.
        wall_now : datetime
            Aware UTC, for the quotas of day and month.
        last : bool
            That there is no other candidate. Neither breaker nor bucket refuses the last one. A
            quota that is spent by our own count does: that call could only end in an error. One
            that the provider calls exhausted is asked again at the breaker's pace. A probe is
            always the last: whoever schedules probes paces them, for all processes together.

        Returns
        -------
        str or None
            None: go, the call is counted. Else the reason, for a person.
        """
        source = self._source(source_name)
        path = source.path_of(way)
        is_probe = origin is Origin.PROBE
        bucket, ledger = path.bucket, path.ledger
        if ledger is not None:
            reason = ledger.refusal(wall_now, is_probe=is_probe)
            if reason is None:
                reason = path.refusal_of_marked(now, wall_now, last=last)
            if reason is not None:
                return f"{source_name}: {path.key_words}: {reason}"
        if not last and (broken := path.broken(now)) is not None:
            return f"{source_name}: {broken.evidence}"
        if bucket is not None and not last:
            reason = bucket.refusal(now, is_probe=is_probe)
            if reason is not None:
                return f"{source_name}: {path.key_words}: {reason}"
        if healing and (reason := source.budget.refusal()) is not None:
            return f"{source_name}: {reason}"
        if ledger is not None:
            ledger.count(wall_now, is_probe=is_probe)
        if bucket is not None:
            bucket.take(now, is_probe=is_probe)
        source.budget.begin(healing=healing)
        path.host.begin()
        if path.key is not None:
            path.key.begin()
        return None

    def done(
        self,
        source_name: str,
        way: Way,
        *,
        verdict_class: FailureClass | None,
        headers: Mapping[str, str],
        seconds: float,
        now: float,
        wall_now: datetime,
        healing: bool,
    ) -> None:
        """End a call that was admitted.

        Parameters
        ----------
        verdict_class : FailureClass or None
            None for a call that was given up before anything came of it (a reader who left, the
            loser of a hedge): it says nothing about the way.
        headers : Mapping[str, str]
            Of the response, names in lower case, for ``Retry-After``.
        seconds : float
            From `admit` to `now`.
        healing : bool
            As it was admitted.
        """
        source = self._source(source_name)
        path = source.path_of(way)
        source.budget.end(healing=healing)
        host, key = path.host, path.key
        host.end()
        if key is not None:
            key.end()
        if verdict_class is None:
            return
        began = now - seconds
        asked_s = retry_after_s(headers, wall_now, LONGEST_S) or 0.0
        before = Standing.of(path)
        count_end(path, verdict_class, asked_s=asked_s, began=began, now=now, wall_now=wall_now)
        if self._tell is not None:
            news = learned(
                source_name,
                path,
                before,
                began=began,
                now=now,
                wall_now=wall_now,
                asked_s=asked_s,
            )
            for each in news:
                self._tell(each)

    def take_over(self, news: CooldownNews, now: float, wall_now: datetime) -> None:
        """Go by what another process has learned; a source we do not have is passed over."""
        if news.source in self._sources:
            take_over(self._sources[news.source], news, now, wall_now)

    def share_out(self, shares: Mapping[Key, int], now: float) -> dict[Key, Use]:
        """Make no more calls a minute with these keys; and what is made of every metered key."""
        uses = {}
        for name, source in self._sources.items():
            for key_name, bucket in source.buckets.items():
                key = name, key_name
                bucket.share = min(bucket.per_minute, shares.get(key, bucket.share))
                uses[key] = Use(bucket.per_minute, bucket.used(now), bucket.wanted(now))
        return uses

    def seed(
        self,
        source_name: str,
        key_name: str | None,
        *,
        wall_now: datetime,
        day_count: int,
        month_count: int,
        probes_day: int | None = None,
        probes_month: int | None = None,
    ) -> None:
        """Take over what a key has spent already: see `Ledger.seed`.

        Nothing is done for a key without a quota per day or month, nor for one that was taken out
        of the configuration and still has calls on record.
        """
        ledger = self._source(source_name).ledger(key_name)
        if ledger is not None:
            ledger.seed(
                wall_now,
                day_count=day_count,
                month_count=month_count,
                probes_day=probes_day,
                probes_month=probes_month,
            )

    def _source(self, name: str) -> GuardedSource:
        try:
            return self._sources[name]
        except KeyError:
            raise ConfigurationError(
                f"The guard knows no source '{name}'.", "Add it to the configuration's sources."
            ) from None


def _shut(path: Path, met: Verdict) -> Way:
    return replace(path.way, is_open=False, why_closed=met.evidence)
