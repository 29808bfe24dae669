"""Cases: what goes wrong, at random but by a seed. Nothing here knows how a diagnosis is found.

Every source, every size of place and every kind of fault has its turn, two thirds of them alone. A
third is correlated: two faults at once at one source or at two, one outage that shows itself in
several ways, or our own connection that is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.labels import CAUSES, Label, joint_label, label_of
from healing_pipeline.simulator.faults import Fault, FaultKind
from healing_pipeline.simulator.scenario import fault_from_json

SOURCES = ("yahoo", "fred", "polygon", "alpha_vantage", "exchange_rate")
FIRST_HOSTS = {"yahoo": "query1", "polygon": "polygon", "exchange_rate": "v6"}
KEYED = ("fred", "polygon", "alpha_vantage", "exchange_rate")
PARTS = {
    "yahoo": ("/v8/finance/chart/*", "/v7/finance/quote", "/v8/finance/chart/A*"),
    "polygon": (
        "/v2/aggs/ticker/*/range/5/minute/*",
        "/v2/aggs/ticker/*/range/1/day/*",
        "/v2/aggs/ticker/*/prev",
        "/v2/aggs/ticker/AAPL/*",
        "/v2/aggs/ticker/SPY/*",
    ),
    "exchange_rate": ("/v6/latest/*", "/v6/pair/*"),
}
SINGLES = {
    "yahoo": tuple(
        f"/v8/finance/chart/{each}"
        for each in ("AAPL", "MSFT", "TSLA", "XOM", "SPY", "IBM", "^GSPC", "EURUSD=X")
    ),
    "polygon": (
        "/v2/aggs/ticker/NVDA/range/1/day/*",
        "/v2/aggs/ticker/AAPL/range/1/day/*",
        "/v2/aggs/ticker/SPY/range/5/minute/*",
        "/v2/aggs/ticker/TSLA/*",
    ),
    "exchange_rate": ("/v6/latest/EUR", "/v6/latest/JPY", "/v6/pair/GBP/USD"),
}

OF_KEYS = (
    FaultKind.AUTH_ERROR,
    FaultKind.RATE_LIMIT,
    FaultKind.QUOTA_EXHAUSTED,
    FaultKind.PLAN_LIMIT,
)
# Only a part of the calls may be hit by these: a fault that comes and goes.
FLAPPING = (
    *(FaultKind.TIMEOUT, FaultKind.NETWORK_ERROR, FaultKind.SERVER_ERROR, FaultKind.RESET),
    *(FaultKind.TRUNCATE, FaultKind.EMPTY, FaultKind.SLOW),
)
# One outage shows itself in these ways at once.
MANNERS = (
    *(FaultKind.TIMEOUT, FaultKind.SERVER_ERROR, FaultKind.NETWORK_ERROR),
    *(FaultKind.HTML_PAGE, FaultKind.RESET),
)
KINDS = tuple(CAUSES)
FORMS = (
    *("source", "host", "key", "part", "endpoint"),
    *("two sources", "two of one source", "one in many ways", "network"),
)

# A part of the endpoints was looked at when the diagnosis is made.
LOOKED = (0.3, 0.5, 0.7, 0.9)
CORRELATED_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Case:
    """One thing, or two, that go wrong.

    Attributes
    ----------
    form : str
        One of `FORMS`: where a fault sits, or how several come together.
    faults : tuple of dict
        As the simulator's control API takes them.
    truths : tuple of Label
        What is broken; fewer than faults where several are one outage.
    looked : float
        The share of endpoints that are looked at.
    seed : int
    """

    number: int
    form: str
    correlated: bool
    kinds: tuple[str, ...]
    faults: tuple[Mapping[str, Any], ...]
    truths: tuple[Label, ...]
    looked: float
    seed: int


def cases(catalog: Catalog, now: datetime, count: int, seed: int) -> list[Case]:
    """Draw cases; every third is correlated."""
    return [_case(catalog, now, number, seed) for number in range(count)]


def _case(catalog: Catalog, now: datetime, number: int, seed: int) -> Case:
    rng = Random(f"diagnosis:{seed}:{number}")
    correlated = number % 3 == 0
    while True:
        form, groups = _correlated(rng) if correlated else _alone(rng)
        read = [[fault_from_json(fault, 0) for fault in group] for group in groups]
        truths = [_truth(group, catalog, now) for group in read]
        known = [each for each in truths if each is not None]
        apart = sum(len(each.scope) for each in known)
        if len(known) == len(groups) and apart == len(frozenset().union(*(t.scope for t in known))):
            break
    faults = tuple(fault for group in groups for fault in group)
    return Case(
        number=number,
        form=form,
        correlated=correlated,
        kinds=tuple(dict.fromkeys(str(each["fault"]) for each in faults)),
        faults=faults,
        truths=tuple(known),
        looked=rng.choice(LOOKED),
        seed=rng.randrange(2**31),
    )


def _truth(group: list[Fault], catalog: Catalog, now: datetime) -> Label | None:
    if len(group) == 1:
        return label_of(group[0], catalog, now)
    return joint_label(group, catalog, now)


Groups = list[list[dict[str, Any]]]


def _alone(rng: Random) -> tuple[str, Groups]:
    form, fault = _fault(rng, rng.choice(SOURCES))
    return form, [[fault]]


def _correlated(rng: Random) -> tuple[str, Groups]:
    forms: list[Callable[[Random], tuple[str, Groups]]] = [
        *(_two_sources, _two_sources, _two_of_one, _two_of_one),
        *(_one_in_many_ways, _one_in_many_ways, _cut, _several),
    ]
    return rng.choice(forms)(rng)


def _several(rng: Random) -> tuple[str, Groups]:
    """One fault that several endpoints share."""
    while True:
        form, fault = _fault(rng, rng.choice(SOURCES))
        if form != "endpoint":
            return form, [[fault]]


def _two_sources(rng: Random) -> tuple[str, Groups]:
    return "two sources", [[_fault(rng, each)[1]] for each in rng.sample(SOURCES, 2)]


def _two_of_one(rng: Random) -> tuple[str, Groups]:
    """Two parts of one source that fail in two ways."""
    source = rng.choice(list(PARTS))
    paths = rng.sample([*PARTS[source], *SINGLES[source]], 2)
    while True:
        kinds = rng.sample(KINDS, 2)
        if CAUSES[kinds[0]] is not CAUSES[kinds[1]]:
            break
    return "two of one source", [
        [_written(rng, kind, {"source": source, "path": path})]
        for kind, path in zip(kinds, paths, strict=True)
    ]


def _one_in_many_ways(rng: Random) -> tuple[str, Groups]:
    """A source that is down and says so differently from path to path."""
    source = rng.choice(("yahoo", "polygon", "exchange_rate"))
    kinds = rng.sample(MANNERS, 2)
    match: dict[str, Any] = {"source": source}
    if rng.random() < 0.3:
        match["host"] = FIRST_HOSTS[source]
    pattern = {"yahoo": PARTS["yahoo"][1], "polygon": PARTS["polygon"][0]}
    path = pattern.get(source, PARTS["exchange_rate"][1])
    # The later fault wins where both match.
    return "one in many ways", [
        [
            _written(rng, kinds[0], match),
            _written(rng, kinds[1], {**match, "path": path}),
        ]
    ]


def _cut(rng: Random) -> tuple[str, Groups]:
    del rng
    return "network", [[{"match": {}, "fault": "down"}]]


def _fault(rng: Random, source: str) -> tuple[str, dict[str, Any]]:
    """One fault at a place of a source."""
    forms = ["source"]
    forms += ["host"] * (source in FIRST_HOSTS)
    forms += ["key"] * (source in KEYED)
    forms += ["part", "endpoint"] * (source in PARTS)
    form = rng.choice(forms)
    match: dict[str, Any] = {"source": source}
    kind = rng.choice(KINDS)
    if form == "host":
        match["host"] = FIRST_HOSTS[source]
    elif form == "key":
        match["key"] = "primary"
        kind = rng.choice(OF_KEYS)
    elif form in ("part", "endpoint"):
        match["path"] = rng.choice((PARTS if form == "part" else SINGLES)[source])
        if source in FIRST_HOSTS and rng.random() < 0.2:
            match["host"] = FIRST_HOSTS[source]
    if kind in FLAPPING and rng.random() < 0.25:
        match["share"] = rng.choice((0.5, 0.7, 0.85))
    return form, _written(rng, kind, match)


def _written(rng: Random, kind: FaultKind, match: Mapping[str, Any]) -> dict[str, Any]:
    fault: dict[str, Any] = {"match": dict(match), "fault": kind.value}
    if kind is FaultKind.SLOW:
        fault["latency_s"] = rng.choice((2.5, 6.0))
    if kind is FaultKind.FROZEN_VALUE:
        fault["age_s"] = 200_000
    return fault
