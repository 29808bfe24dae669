"""What all requests of one process share: memory, limits, and the ways to the world outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from healing_pipeline.catalog.values import Catalog, Endpoint, Source
from healing_pipeline.healing.batches import Batches
from healing_pipeline.healing.facts import Fact
from healing_pipeline.healing.guard.guard import Guard
from healing_pipeline.healing.memory import PolicyInForce, RouteTable, SnapshotMemory
from healing_pipeline.healing.strategy import Alternate, Way
from healing_pipeline.healing.validation import Scrutiny
from healing_pipeline.healing.wall_clock import WallClock
from healing_pipeline.learning.belief import PLAIN_HEALS, Belief
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import Response, Verdict
from healing_pipeline.providers.provider import Provider, UpstreamRequest

Send = Callable[[UpstreamRequest, float], Awaitable[Response]]
"""Sends one request within so many seconds; returns a `Response` whatever happens."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as an argument.

    Attributes
    ----------
    now : callable
        Aware UTC wall time.
    monotonic : callable
        Seconds that never go back.
    sleep : callable
        Awaits so many seconds.
    """

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a data path.

    Attributes
    ----------
    providers : Mapping[str, Provider]
        By provider name; by an endpoint's id where it has one of its own.
    record : callable
        Takes facts; must return at once.
    random : callable
        A number in [0, 1).
    policy : PolicyInForce
        What plans go by.
    belief : Belief
        What is down by what the attempts of this process say.
    sessions : dict
        Session tokens by (source, host name).
    wall : WallClock
        Notices when the clock is set back.
    """

    catalog: Catalog
    providers: Mapping[str, Provider]
    send: Send
    clock: Clock
    random: Callable[[], float]
    new_id: Callable[[], UUID]
    record: Callable[[Fact], None]
    snapshots: SnapshotMemory
    routes: RouteTable
    guard: Guard
    policy: PolicyInForce = field(default_factory=PolicyInForce)
    belief: Belief = field(default_factory=Belief)
    scrutiny: Scrutiny = field(default_factory=Scrutiny)
    batches: Batches = field(default_factory=Batches)
    sessions: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    wall: WallClock = field(default_factory=WallClock)

    def moment(self) -> tuple[datetime, float]:
        """Now, by both clocks; where the first was set back, what is remembered goes by it."""
        now, monotonic_s = self.clock.now(), self.clock.monotonic()
        by = self.wall.was_set_back(now, monotonic_s)
        if by is not None:
            self.snapshots.set_back(by)
        return now, monotonic_s

    def doubt(
        self,
        source: str,
        strategy: str,
        at: datetime,
        failed_as: FailureClass,
        met: Verdict | None,
    ) -> None:
        """Let an attempt that failed tell what may be down; `met` is what it was used against."""
        p = PLAIN_HEALS
        if met is not None:
            p = self.policy.policy.rate(source, met.failure_class, strategy)[0].p
        self.belief.saw(source, strategy, at, healed=False, failure_class=failed_as, p=p)

    def source_of(self, endpoint: Endpoint) -> Source:
        """The source of an endpoint of the catalog."""
        return self.catalog.sources[endpoint.source]

    def provider_of(self, endpoint: Endpoint) -> Provider:
        """Whoever speaks for an endpoint of the catalog."""
        return speaker(self.providers, self.catalog, endpoint)

    def alternates_of(self, endpoint: Endpoint, failed: Way) -> tuple[Alternate, ...]:
        """The endpoints that carry the same data, each by the best way to it, then by its others.

        One that the catalog of this installation does not have is no alternate. One of the same
        source is asked at another host than the `failed` way's, where there is one.
        """
        found = [self.catalog.endpoints.get(each) for each in endpoint.alternates.endpoints]
        known = [each for each in found if each is not None]
        ways = [
            self._ways_to(each, failed if each.source == endpoint.source else None)
            for each in known
        ]
        most = max((len(each) for each in ways), default=0)
        return tuple(
            Alternate(each, self.source_of(each), self.provider_of(each), its[place])
            for place in range(most)
            for each, its in zip(known, ways, strict=True)
            if place < len(its)
        )

    def _ways_to(self, endpoint: Endpoint, failed: Way | None) -> list[Way]:
        """The open ways to an endpoint, a host each; the least bad one where none is open."""
        now, wall_now = self.clock.monotonic(), self.clock.now()
        by_host: dict[str, Way] = {}
        for way in self.guard.ways(endpoint.source, now, wall_now):
            if way.is_open:
                by_host.setdefault(way.host.name, way)
        if failed is not None and len(by_host) > 1:
            by_host.pop(failed.host.name, None)
        return list(by_host.values()) or [self.guard.choose(endpoint.source, now, wall_now)]


def falls_back_to(catalog: Catalog) -> dict[str, str]:
    """By source, the other source that carries the same data for most of its endpoints."""
    others: dict[str, Counter[str]] = {}
    for endpoint in catalog.endpoints.values():
        for name in endpoint.alternates.endpoints:
            other = catalog.endpoints.get(name)
            if other is not None and other.source != endpoint.source:
                others.setdefault(endpoint.source, Counter())[other.source] += 1
    return {source: counts.most_common(1)[0][0] for source, counts in others.items()}


def speaker(providers: Mapping[str, Provider], catalog: Catalog, endpoint: Endpoint) -> Provider:
    """Whoever of `providers` speaks for an endpoint: one of its own, else its source's."""
    own = providers.get(endpoint.id)
    return providers[catalog.sources[endpoint.source].provider] if own is None else own


def keyless_hosts(
    catalog: Catalog, providers: Mapping[str, Provider], now: datetime
) -> set[tuple[str, str]]:
    """Hosts that are sent no key although their source has some: their provider says so."""
    found = set()
    for endpoint in catalog.endpoints.values():
        source = catalog.sources[endpoint.source]
        for host in source.hosts if source.keys else ():
            speaks = speaker(providers, catalog, endpoint)
            request = speaks.request(endpoint, host, source.keys[0], now)
            if request.key_name is None:
                found.add((source.name, host.name))
    return found
