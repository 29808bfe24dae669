"""What is watched, as frozen values: sources with hosts, keys and quotas, and their endpoints.

Nothing here reads a file or an environment variable; `catalog.load` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.catalog.json_rules import Expect, KeyIn, Read
from healing_pipeline.catalog.market_hours import Calendar
from healing_pipeline.healing.fidelity import DEFAULT_ACCEPTS, Fidelity
from healing_pipeline.second_opinion.settings import SecondOpinionSettings


class Upstreams(StrEnum):
    """Where every source is looked for: the one setting that switches to the simulator."""

    REAL = "real"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a source: the name scenarios and routes use, and its base URL without path."""

    name: str
    base_url: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of a source's pool.

    Attributes
    ----------
    name : str
        ``primary``, or a spare's name; this is what is stored and shown.
    env : str
        The environment variable that holds the secret.
    secret : str
        The secret itself; never in `repr`, never stored.
    """

    name: str
    env: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Quota:
    """What one key may do; None means unmetered.

    Attributes
    ----------
    per_minute, per_day, per_month : int or None
        Calls, > 0.
    """

    per_minute: int | None = None
    per_day: int | None = None
    per_month: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A provider of data as this installation uses it.

    Attributes
    ----------
    name : str
        ``yahoo``, ``fred``, ...; what endpoints, scenarios and sensors call it.
    provider : str
        The folder under `providers` that speaks its language.
    hosts : tuple of Host
        In order of preference, at least one.
    keys : tuple of ApiKey
        In order of preference; empty for a source without keys.
    quota : Quota
        Per key.
    probe_share : float
        The part of the quota that probes may spend, 0 to 1.
    calendar : Calendar or None
        When its markets are open, for endpoints that say nothing else.
    key_in : KeyIn or None
        Where a JSON API wants its key; other providers know.
    """

    name: str
    provider: str
    hosts: tuple[Host, ...]
    keys: tuple[ApiKey, ...] = ()
    quota: Quota = Quota()
    probe_share: float = 0.2
    calendar: Calendar | None = None
    key_in: KeyIn | None = None


@dataclass(frozen=True, slots=True)
class Alternates:
    """Where else an endpoint's data may come from.

    Attributes
    ----------
    series : str or None
        Another series of the same source (FRED): ``GS10`` for ``DGS10``; fidelity proxy.
    etf : str or None
        The sector's ETF (Yahoo): ``XLK`` for ``AAPL``; fidelity proxy.
    endpoints : tuple of str
        Ids of catalogued endpoints, usually of other sources, that carry the same data.
    """

    series: str | None = None
    etf: str | None = None
    endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One question that is asked again and again.

    Attributes
    ----------
    id : str
        Unique: ``yahoo/chart-aapl-1d``: the source, a slash, a name of its own.
    source : str
        Name of its `Source`.
    path : str
        Path at the provider, without key and query: ``/v8/finance/chart/AAPL``. May hold
        ``{today}`` and ``{today-30d}``, filled in as ISO dates when a request is built.
    params : Mapping[str, str]
        Query parameters without the key; the same date marks are filled in.
    interval_s : float
        Seconds between probes, 30 to 600.
    deadline_s : float
        Seconds a reader waits at most, all attempts together.
    accepts : frozenset of Fidelity
        Labels a reader of this endpoint takes.
    max_age_s : float or None
        Older data than this is stale, counted while the market is open; None for no limit.
    alternates : Alternates
    owner : str or None
        Who is told about it.
    calendar : Calendar or None
        When its market is open, and on which days its daily series has a row; None where no day
        is expected and every hour counts.
    read, expect : Read or None, Expect or None
        Where a JSON API's numbers stand, and what must hold of its answers; other providers know.
    is_market : bool
        Whether its numbers move as a market's do, so that jumps and standing still are suspicious.
    """

    id: str
    source: str
    path: str
    params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    interval_s: float = 60.0
    deadline_s: float = 3.0
    accepts: frozenset[Fidelity] = DEFAULT_ACCEPTS
    max_age_s: float | None = None
    alternates: Alternates = Alternates()
    owner: str | None = None
    calendar: Calendar | None = None
    read: Read | None = None
    expect: Expect | None = None
    is_market: bool = True

    @property
    def is_dated(self) -> bool:
        """Whether its data says of when it is; else our own clock dates it."""
        return self.is_market or (self.read is not None and self.read.at is not None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that is watched.

    Attributes
    ----------
    sources : Mapping[str, Source]
        By name.
    endpoints : Mapping[str, Endpoint]
        By id; each `Endpoint.source` is a key of `sources`.
    upstreams : Upstreams
    witnesses : tuple of str
        ``host:port`` of places that are none of the sources', to tell our own connection's outage
        from theirs.
    alerts : AlertSettings
        Who is told of what, when.
    second_opinion : SecondOpinionSettings or None
        Which language model is asked, if one is.
    private_hosts : frozenset of (host, port)
        Those that may be in our own network, because the configuration names them.
    """

    sources: Mapping[str, Source]
    endpoints: Mapping[str, Endpoint]
    upstreams: Upstreams
    witnesses: tuple[str, ...] = ()
    alerts: AlertSettings = field(default_factory=AlertSettings)
    second_opinion: SecondOpinionSettings | None = None
    private_hosts: frozenset[tuple[str, int]] = frozenset()

    def endpoints_of(self, source: str) -> tuple[Endpoint, ...]:
        """The endpoints of one source, in the catalog's order."""
        return tuple(each for each in self.endpoints.values() if each.source == source)
