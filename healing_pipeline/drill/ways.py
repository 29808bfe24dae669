"""What existed: every call that could have brought an accepted answer, whoever knows of it.

Kept on the strict side. Only what surely failed did not exist: a call that some share of the
requests came through with, or that would have been slow yet in time, counts as a way to the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from healing_pipeline.catalog.values import ApiKey, Catalog, Endpoint, Host, Source
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import LongTtlCache, UseCachedData
from healing_pipeline.providers.provider import Provider
from healing_pipeline.providers.registry import provider_named
from healing_pipeline.simulator.faults import Asked, Fault, FaultKind, FaultPlan
from healing_pipeline.simulator.questions import asked_rows
from healing_pipeline.simulator.truth import question_of

# So much of the rows is the least that a smaller question is counted to ask for.
SMALLER = 0.5

# A reader waits, so what can be had a little later exists as well.
LATER_S = (0.0, 1.0, 2.0)


def asked_of(
    catalog: Catalog,
    endpoint: Endpoint,
    now: datetime,
    host: Host | None = None,
    key: ApiKey | None = None,
) -> Asked:
    """A call as the simulator's faults see it; the plain one where no other way is named."""
    source = catalog.sources[endpoint.source]
    if host is None:
        host, key = source.hosts[0], source.keys[0] if source.keys else None
    request = provider_named(source.provider).request(endpoint, host, key, now)
    question = question_of(source.provider, request.line, now)
    return Asked(
        source=source.name,
        host=host.name,
        key=request.key_name,
        path=request.line.path,
        rows=1 if question is None else asked_rows(question),
    )


def ways_to(catalog: Catalog, endpoint: Endpoint, now: datetime) -> Iterator[Asked]:
    """Every call whose answer a reader of an endpoint would accept.

    Each host and key of its source, for the question itself and, where they are accepted, for
    fewer rows, for daily bars and for its substitutes; and each host and key of its alternates.
    """
    alternates = (catalog.endpoints.get(name) for name in endpoint.alternates.endpoints)
    for one in (*_questions(catalog, endpoint, now), *alternates):
        if one is None:
            continue
        source = catalog.sources[one.source]
        for host in source.hosts:
            for key in source.keys or (None,):
                yield asked_of(catalog, one, now, host, key)


def _questions(catalog: Catalog, endpoint: Endpoint, now: datetime) -> Iterator[Endpoint]:
    provider: Provider = provider_named(catalog.sources[endpoint.source].provider)
    path, params = endpoint.path, endpoint.params
    others: list[tuple[str, Mapping[str, str]] | None] = []
    if Fidelity.COARSER in endpoint.accepts:
        others.append(provider.smaller(endpoint, params, SMALLER, now))
        others.append(provider.daily(path, params, now))
    if Fidelity.PROXY in endpoint.accepts:
        named = (endpoint.alternates.etf, endpoint.alternates.series)
        others += [provider.substituted(path, params, each) for each in named if each is not None]
    yield endpoint
    for each in others:
        if each is not None:
            yield replace(endpoint, path=each[0], params=each[1])


def surely_fails(plan: FaultPlan, asked: Asked, at_s: float, within_s: float) -> bool:
    """Whether a call at a moment would meet a fault that leaves it no good answer in time.

    Parameters
    ----------
    within_s : float
        Seconds left for it.
    """
    for fault in reversed(plan.matching(asked, at_s)):
        if _lets_through(fault, asked, within_s):
            return False
        if fault.match.share >= 1.0:
            return True
    return False


def _lets_through(fault: Fault, asked: Asked, within_s: float) -> bool:
    if fault.match.share <= 0.0:
        return False
    if fault.kind is FaultKind.SLOW:
        return fault.latency_s < within_s
    # A crumb opens an ended session again.
    return fault.kind is FaultKind.AUTH_ERROR and asked.source == "yahoo"


def way_existed(
    catalog: Catalog, endpoint: Endpoint, asked_at: datetime, at_s: float, plan: FaultPlan
) -> bool:
    """Whether any call from `asked_at` on, which is `at_s` of the plan, would have brought data."""
    return any(
        not surely_fails(plan, way, at_s + later_s, endpoint.deadline_s - later_s)
        for later_s in LATER_S
        if later_s < endpoint.deadline_s
        for way in ways_to(catalog, endpoint, asked_at + timedelta(seconds=later_s))
    )


def longest_kept(source: Source) -> timedelta:
    """How old the oldest data is that any cache strategy may serve for a source."""
    ages = [UseCachedData().max_age]
    if source.quota.per_day is not None or source.quota.per_month is not None:
        ages.append(LongTtlCache().max_age)
    return max(ages)
