"""Where exact data was to be had while a reader got something else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.drill.ways import LATER_S, asked_of, surely_fails
from healing_pipeline.drill.world import line_of
from healing_pipeline.probing.reading import Reading
from healing_pipeline.simulator.faults import Asked, FaultPlan
from healing_pipeline.simulator.truth import Truth
from healing_pipeline.simulator.upstreams import UPSTREAMS
from healing_pipeline.simulator.upstreams.contract import Answer, Ask


class Had(StrEnum):
    """How surely a call would have brought it."""

    AT_ONCE = "at once"
    WITH_LUCK = "with luck or patience"  # a share of the calls came through, or all came slowly
    LATER = "a second or two later"


@dataclass(frozen=True, slots=True)
class ExactWay:
    """One call that would have brought exact data within the reader's deadline."""

    asked: Asked
    had: Had

    def __str__(self) -> str:
        """Source, host and key, and how surely."""
        named = (self.asked.source, self.asked.host, self.asked.key)
        return f"{'/'.join(each for each in named if each is not None)} {self.had}"


def exact_way(
    catalog: Catalog,
    endpoint: Endpoint,
    truth: Truth,
    plan: FaultPlan,
    asked_at: datetime,
    at_s: float,
) -> ExactWay | None:
    """The surest call that would have brought exact data; None when there was none.

    Parameters
    ----------
    asked_at : datetime
        On the simulated clock; `at_s` on that of the faults.
    """
    ways = list(_ways(catalog, endpoint, truth, asked_at))
    for way in ways:
        if not plan.matching(way, at_s):
            return ExactWay(way, Had.AT_ONCE)
    for way in ways:
        if not surely_fails(plan, way, at_s, endpoint.deadline_s):
            return ExactWay(way, Had.WITH_LUCK)
    for later_s in LATER_S[1:]:
        for way in ways:
            if not surely_fails(plan, way, at_s + later_s, endpoint.deadline_s - later_s):
                return ExactWay(way, Had.LATER)
    return None


def _ways(catalog: Catalog, endpoint: Endpoint, truth: Truth, now: datetime) -> Iterator[Asked]:
    """Every host and key of the source, then those of alternates that carry all of the numbers."""
    yield from _served(catalog, endpoint, now)
    own = _truth_of(catalog, endpoint, truth, now)
    for name in endpoint.alternates.endpoints:
        other = catalog.endpoints.get(name)
        if other is None or own is None:
            continue
        theirs = _truth_of(catalog, other, truth, now)
        if theirs is not None and carries(theirs, own):
            yield from _served(catalog, other, now)


def _served(catalog: Catalog, endpoint: Endpoint, now: datetime) -> Iterator[Asked]:
    """Hosts and keys of an endpoint's source, without hosts that do not have this question."""
    source = catalog.sources[endpoint.source]
    line = line_of(catalog, endpoint, now)
    for host in source.hosts:
        said = UPSTREAMS[source.provider].question(Ask(host.name, line.path, line.params), now)
        if isinstance(said, Answer):
            continue
        for key in source.keys or (None,):
            yield asked_of(catalog, endpoint, now, host, key)


def _truth_of(catalog: Catalog, endpoint: Endpoint, truth: Truth, now: datetime) -> Reading | None:
    source = catalog.sources[endpoint.source]
    return truth.reading(source.provider, line_of(catalog, endpoint, now), now)


def carries(theirs: Reading, own: Reading) -> bool:
    """Whether every number of `own` is among theirs; live ones however they are dated."""
    if theirs.instrument != own.instrument:
        return False
    dated = own.interval != "now"
    known = {(each.at if dated else None, each.field): each.value for each in theirs.points}
    return all(
        math.isclose(known.get((each.at if dated else None, each.field), math.nan), each.value)
        for each in own.points
    )
