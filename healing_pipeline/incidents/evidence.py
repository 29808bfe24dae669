"""What a diagnosis rests on, as values: what fails, what was seen lately, and how endpoints stand.

The caller reads it from wherever it is kept. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.incidents.own_network import Judgement
from healing_pipeline.probing.failure_class import FailureClass

PROBE = "probe"
"""How the control path looked; every other name is that of a strategy, ``plain`` included."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One call to an upstream and what came of it; a good one tells as much as a bad one.

    Attributes
    ----------
    at : datetime
        Aware UTC, when it was sent.
    source, endpoint : str
        For whom it was asked.
    host, key_name : str or None
        Whom it asked with what, by the names of the catalog. Without a host nothing was sent, and
        it tells nothing.
    failure_class : FailureClass
    evidence : str
        For a person.
    how : str
        ``probe``, ``plain``, or the strategy that asked.
    """

    at: datetime
    source: str
    endpoint: str
    host: str | None
    key_name: str | None
    failure_class: FailureClass
    evidence: str
    how: str = PROBE

    @property
    def is_ok(self) -> bool:
        """Whether good data came back."""
        return not self.failure_class.is_failure


@dataclass(frozen=True, slots=True)
class Failing:
    """An open incident.

    Attributes
    ----------
    began_at, detected_at : datetime
        Aware UTC: the first bad observation, and when that was believed.
    """

    incident_id: int
    endpoint: str
    source: str
    failure_class: FailureClass
    evidence: str
    began_at: datetime
    detected_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an endpoint stands in the catalog.

    Attributes
    ----------
    hosts, keys : tuple of str
        Of its source, in order of preference; the first is what is asked first.
    path : str
        Without key and query.
    params : Mapping[str, str]
        The query, without key.
    is_scarce : bool
        Whether calls to its source are counted by the day or month, so that none is to spare.
    """

    endpoint: str
    source: str
    hosts: tuple[str, ...]
    keys: tuple[str, ...] = ()
    path: str = ""
    params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_scarce: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the causes of what fails now are found from.

    Attributes
    ----------
    failing : tuple of Failing
        All open incidents.
    seen : tuple of Seen
        Of the last minutes, in any order.
    endpoints : Mapping[str, Standing]
        By id; of a failing endpoint that the catalog no longer has, nothing but its source is
        known.
    now : datetime
        Aware UTC.
    own_outage : Judgement or None
        The last word on our own connection; None when nobody had to ask.
    failing_together : tuple of frozenset of str
        Endpoints that failed together in the past, as the outer layer of learning found them.
    """

    failing: tuple[Failing, ...]
    seen: tuple[Seen, ...]
    endpoints: Mapping[str, Standing]
    now: datetime
    own_outage: Judgement | None = None
    failing_together: tuple[frozenset[str], ...] = ()


def standings(catalog: Catalog) -> dict[str, Standing]:
    """How every endpoint of a catalog stands, by its id."""
    found = {}
    for endpoint in catalog.endpoints.values():
        source = catalog.sources[endpoint.source]
        found[endpoint.id] = Standing(
            endpoint=endpoint.id,
            source=endpoint.source,
            hosts=tuple(each.name for each in source.hosts),
            keys=tuple(each.name for each in source.keys),
            path=endpoint.path,
            params=dict(endpoint.params),
            is_scarce=source.quota.per_day is not None or source.quota.per_month is not None,
        )
    return found
