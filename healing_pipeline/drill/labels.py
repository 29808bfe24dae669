"""The truth about a fault of the simulator: its root cause, where it sits and whom it hits.

It is read from the fault's kind and match alone, and from which calls the catalog's endpoints make;
nothing here knows how a diagnosis comes about.

- What is wrong decides the root cause. Whoever does not answer, answers too late, with an error of
  its own or with a block is down, and so is whoever says it on a page for people or lets its proxy
  say it, which `html_page` and `invalid_data` do. A refused key, a limit, a plan and a request are
  what they are called; and who answers in time with something that is not the data asked for has
  bad data, be it empty, old, frozen, cut, garbage or of another shape.
- Where it is decides between the two that are down: one host of several is the host, everything
  else is the provider, also where only a part of it is hit. Everything of everybody at once that
  cannot be connected to is our own network.
- Hit are the endpoints whose plain call, to the first host with the first key, the match covers.
  A fault that takes a share of the calls hits all of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.ways import asked_of
from healing_pipeline.incidents.diagnosis import PlaceKind, RootCause
from healing_pipeline.simulator.faults import Fault, FaultKind, Match

CAUSES: dict[FaultKind, RootCause] = {
    FaultKind.TIMEOUT: RootCause.PROVIDER_DOWN,
    FaultKind.SLOW: RootCause.PROVIDER_DOWN,
    FaultKind.SLOW_DRIP: RootCause.PROVIDER_DOWN,
    FaultKind.NETWORK_ERROR: RootCause.PROVIDER_DOWN,
    FaultKind.RESET: RootCause.PROVIDER_DOWN,
    FaultKind.DOWN: RootCause.PROVIDER_DOWN,
    FaultKind.SERVER_ERROR: RootCause.PROVIDER_DOWN,
    FaultKind.BOT_BLOCK: RootCause.PROVIDER_DOWN,
    FaultKind.INVALID_DATA: RootCause.PROVIDER_DOWN,
    FaultKind.HTML_PAGE: RootCause.PROVIDER_DOWN,
    FaultKind.AUTH_ERROR: RootCause.KEY,
    FaultKind.RATE_LIMIT: RootCause.QUOTA,
    FaultKind.QUOTA_EXHAUSTED: RootCause.QUOTA,
    FaultKind.PLAN_LIMIT: RootCause.PLAN,
    FaultKind.NOT_FOUND: RootCause.REQUEST,
    FaultKind.BAD_REQUEST: RootCause.REQUEST,
    FaultKind.EMPTY: RootCause.DATA,
    FaultKind.STALE_DATA: RootCause.DATA,
    FaultKind.FROZEN_VALUE: RootCause.DATA,
    FaultKind.TRUNCATE: RootCause.DATA,
    FaultKind.GARBAGE: RootCause.DATA,
    FaultKind.WRONG_SCHEMA: RootCause.DATA,
    FaultKind.HUGE_BODY: RootCause.DATA,
}

CUTS = frozenset({FaultKind.DOWN, FaultKind.NETWORK_ERROR, FaultKind.TIMEOUT})


@dataclass(frozen=True, slots=True)
class Label:
    """What a diagnosis should say.

    Attributes
    ----------
    root_cause : RootCause
    kind : PlaceKind
        How large the place is.
    scope : frozenset of str
        Ids of the endpoints that are hit; never empty.
    """

    root_cause: RootCause
    kind: PlaceKind
    scope: frozenset[str]


def label_of(fault: Fault, catalog: Catalog, now: datetime) -> Label | None:
    """The truth about one fault; None where it hits no endpoint's plain call."""
    scope = frozenset(
        name
        for name, endpoint in catalog.endpoints.items()
        if fault.match.covers(asked_of(catalog, endpoint, now))
    )
    if not scope:
        return None
    cut = fault.kind in CUTS and scope == frozenset(catalog.endpoints)
    if cut and len(catalog.sources) > 1:
        return Label(RootCause.OUR_NETWORK, PlaceKind.NETWORK, scope)
    source = catalog.sources[catalog.endpoints[min(scope)].source]
    one_of_many = fault.match.host is not None and len(source.hosts) > 1
    cause = CAUSES[fault.kind]
    if cause is RootCause.PROVIDER_DOWN and one_of_many:
        cause = RootCause.HOST_DOWN
    return Label(cause, _kind(fault.match, scope, one_of_many), scope)


def joint_label(faults: Sequence[Fault], catalog: Catalog, now: datetime) -> Label | None:
    """The truth about faults that are one outage: a source that fails in several ways at once."""
    labels = [each for each in (label_of(fault, catalog, now) for fault in faults) if each]
    if not labels:
        return None
    scope = frozenset().union(*(each.scope for each in labels))
    cause = RootCause.PROVIDER_DOWN
    if all(each.root_cause is RootCause.HOST_DOWN for each in labels):
        cause = RootCause.HOST_DOWN
    source = catalog.endpoints[min(scope)].source
    whole = len(scope) == len(catalog.endpoints_of(source))
    return Label(cause, PlaceKind.SOURCE if whole else PlaceKind.PART, scope)


def _kind(match: Match, scope: frozenset[str], one_of_many: bool) -> PlaceKind:
    if match.path is not None or match.rows_over is not None:
        return PlaceKind.ENDPOINT if len(scope) == 1 else PlaceKind.PART
    if match.key is not None:
        return PlaceKind.KEY
    return PlaceKind.HOST if one_of_many else PlaceKind.SOURCE
