"""The ways of one source, each with what limits it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.catalog.values import Source
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.guard.breaker import Breaker, BreakerRules
from healing_pipeline.healing.guard.bucket import Bucket
from healing_pipeline.healing.guard.budget import RetryBudget
from healing_pipeline.healing.guard.ledger import Ledger
from healing_pipeline.healing.strategy import Way
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Verdict


@dataclass(frozen=True, slots=True)
class Path:
    """A way, with what limits it: the host's breaker, and the key's breaker, bucket and ledger.

    Attributes
    ----------
    key : Breaker or None
        None for calls without a key; those may have a bucket and a ledger all the same.
    """

    way: Way
    host: Breaker
    key: Breaker | None
    bucket: Bucket | None
    ledger: Ledger | None

    @property
    def key_words(self) -> str:
        """The key, in words."""
        return "calls without key" if self.way.key is None else f"key {self.way.key.name}"

    def broken(self, now: float) -> Verdict | None:
        """What host or key are ejected for; None when both let a call through."""
        if (reason := self.host.refusal(now)) is not None:
            return Verdict(self.host.cause, reason)
        if self.key is not None and (reason := self.key.refusal(now)) is not None:
            return Verdict(self.key.cause, reason)
        return None

    def closed(self, now: float, wall_now: datetime) -> Verdict | None:
        """Why a reader's call would not be let through; None when it would."""
        if (met := self.broken(now)) is not None:
            return met
        if self.bucket is not None:
            reason = self.bucket.refusal(now, is_probe=False)
            if reason is not None:
                return Verdict(FailureClass.RATE_LIMIT, f"{self.key_words}: {reason}")
        if self.ledger is not None:
            reason = self.ledger.refusal(wall_now, is_probe=False) or self.ledger.marked(wall_now)
            if reason is not None:
                return Verdict(FailureClass.QUOTA_EXHAUSTED, f"{self.key_words}: {reason}")
        return None

    def refusal_of_marked(self, now: float, wall_now: datetime, *, last: bool) -> str | None:
        """Why a key whose quota the provider calls exhausted is not asked; the last is, at times.

        The provider may have been wrong, or misread: who asks at the breaker's pace finds out.
        """
        marked = None if self.ledger is None else self.ledger.marked(wall_now)
        breaker = self.host if self.key is None else self.key
        return None if last and breaker.refusal(now) is None else marked

    def opens_at(self, now: float, wall_now: datetime) -> tuple[bool, bool, float]:
        """Order of ways that are all closed: one with quota left first, then by when it opens."""
        at = max(now, self.host.until or now)
        if self.key is not None:
            at = max(at, self.key.until or now)
        if self.bucket is not None:
            at = max(at, self.bucket.back_at())
        if self.ledger is None:
            return False, False, at
        spent = self.ledger.refusal(wall_now, is_probe=False) is not None
        return spent, self.ledger.marked(wall_now) is not None, at

    def opens_in(self, now: float, wall_now: datetime) -> float:
        """Seconds until a reader's call would be let through; 0 when it is, or nobody knows."""
        _, _, at = self.opens_at(now, wall_now)
        back_in_s = 0.0 if self.ledger is None else self.ledger.back_in_s(wall_now)
        return max(at - now, back_in_s)


class GuardedSource:
    """One source's paths, in order of preference, and its retry budget.

    The keys vary fastest: a spare key is tried before the second host, because a host that is down
    has its breaker against it with every key, and a key that is revoked with every host.

    Parameters
    ----------
    source : Source
    keyless : collection of str
        Names of hosts that take no key although the source has some.
    rules : BreakerRules

    Attributes
    ----------
    buckets : Mapping
        Of the keys that have one, by their names.
    """

    __slots__ = ("_by_names", "buckets", "budget", "in_order", "name")

    def __init__(self, source: Source, keyless: Collection[str], rules: BreakerRules) -> None:
        self.name = source.name
        self.budget = RetryBudget()
        limits = {
            key.name: (Breaker(f"key {key.name}", rules), *_limits_of_key(source))
            for key in source.keys
        }
        self.buckets: Mapping[str, Bucket] = {
            name: bucket for name, (_, bucket, _) in limits.items() if bucket is not None
        }
        without_key = (None, None) if source.keys else _limits_of_key(source)
        self._by_names: dict[tuple[str, str | None], Path] = {}
        for host in source.hosts:
            breaker = Breaker(f"host {host.name}", rules)
            for key in source.keys:
                path = Path(Way(host, key), breaker, *limits[key.name])
                self._by_names[host.name, key.name] = path
            self._by_names[host.name, None] = Path(Way(host, None), breaker, None, *without_key)
        self.in_order: tuple[Path, ...] = tuple(
            path
            for (host_name, key_name), path in self._by_names.items()
            if (key_name is None) == (not source.keys or host_name in keyless)
        )

    def path(self, host_name: str, key_name: str | None) -> Path:
        """The path of these names; one without key exists for every host."""
        try:
            return self._by_names[host_name, key_name]
        except KeyError:
            raise ConfigurationError(
                f"Source '{self.name}' has no host '{host_name}' with key '{key_name}'.",
                "Ask by a way that the guard gave out, or add host and key to the configuration.",
            ) from None

    def path_of(self, way: Way) -> Path:
        """The path of a way."""
        return self.path(way.host.name, None if way.key is None else way.key.name)

    def ledger(self, key_name: str | None) -> Ledger | None:
        """The ledger of a key; None where there is none, or no such key (any more)."""
        path = self._of_key(key_name)
        return None if path is None else path.ledger

    def key(self, key_name: str) -> Breaker | None:
        """The breaker of a key; None where there is no such key (any more)."""
        path = self._of_key(key_name)
        return None if path is None else path.key

    def host(self, host_name: str) -> Breaker | None:
        """The breaker of a host; None where there is no such host (any more)."""
        path = self._by_names.get((host_name, None))
        return None if path is None else path.host

    def _of_key(self, key_name: str | None) -> Path | None:
        return self._by_names.get((self.in_order[0].way.host.name, key_name))


def _limits_of_key(source: Source) -> tuple[Bucket | None, Ledger | None]:
    quota, share = source.quota, source.probe_share
    bucket = None if quota.per_minute is None else Bucket(quota.per_minute, share)
    has_ledger = quota.per_day is not None or quota.per_month is not None
    return bucket, Ledger(quota, share) if has_ledger else None
