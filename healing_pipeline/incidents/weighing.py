"""Which faults explain what was seen at a source most cheaply.

The fault that saves most is taken, and what it leaves unexplained is looked at again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from healing_pipeline.incidents.cause import PlaceKind
from healing_pipeline.incidents.ground import Ground, bits_at
from healing_pipeline.incidents.parts import Part, is_one_subject, parts_of
from healing_pipeline.incidents.sightings import View, view_since
from healing_pipeline.incidents.worth import EXPLAINED, KNOWN_TOGETHER, Fault, Left, Spot, weighed

# Beginnings that are tried; those after the longest silences come first.
MOST_BEGINNINGS = 5


def faults_of(ground: Ground, together: Iterable[int] = ()) -> Iterator[Fault]:
    """The faults of one source, the one that explains most first.

    Parameters
    ----------
    together : iterable of int
        Sets of endpoints that failed together in the past.
    """
    failing = bits_at(ground.failing)
    parts = parts_of(ground.endpoints, failing)
    groups = [each for each in together if (each & failing).bit_count() > 1]
    views = [view_since(ground, each) for each in _beginnings(ground)]
    spots = list(_spots(ground, parts, views))
    left = [{way: dict(signs) for way, signs in view.bad.items()} for view in views]

    heap = [
        _Candidate(-_at_most(rest, spot), number, at, "", None)
        for at, rest in enumerate(left)
        for number, spot in enumerate(spots)
    ]
    heapq.heapify(heap)
    unassigned = failing
    while unassigned and heap:
        first = heapq.heappop(heap)
        # What others have explained by now is worth nothing more here.
        here = weighed(ground, views[first.at], left[first.at], spots[first.order], groups)
        again = [
            _Candidate(-round(fault.worth, 6), first.order, first.at, fault.nature, fault)
            for fault in here
            if first.nature in ("", fault.nature)
        ]
        best = min(again, default=None)
        if best is None:
            continue
        if (heap and heap[0] < best) or len(again) > 1:
            for each in again:
                heapq.heappush(heap, each)
            continue
        assert best.fault is not None, "it was weighed just now"
        done = at_home(ground, best.fault) & unassigned
        for rest in left:
            for way, bits in best.fault.explained.items():
                for sign in rest.get(way, {}):
                    rest[way][sign] &= ~bits
        if done:
            unassigned &= ~done
            yield best.fault


def rivals_of(ground: Ground, fault: Fault, members: int) -> Iterator[Fault]:
    """Every fault that would explain the same incidents, the fault itself among them."""
    parts = parts_of(ground.endpoints, members)
    view = fault.view
    for spot in _spots(ground, parts, [view]):
        if members & ~spot.part.members:
            continue
        # Each is held against the same failures: those that the fault explains.
        left: Left = {
            way: {sign: bits & fault.explained.get(way, 0) for sign, bits in signs.items()}
            for way, signs in view.bad.items()
        }
        for rival in weighed(ground, view, left, spot, []):
            if not members & ~at_home(ground, rival):
                yield rival


class _Candidate(NamedTuple):
    """A fault in the order of taking; of equals, the larger place and the earlier beginning.

    Without a nature nothing was weighed yet, and `dear` is what no fault there can be cheaper than.
    """

    dear: float
    order: int
    at: int
    nature: str
    fault: Fault | None

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        return self[:4] < other[:4]


def _at_most(left: Left, spot: Spot) -> float:
    """What a fault at a spot could be worth if it explained all that fails there for nothing."""
    members = spot.part.members
    return KNOWN_TOGETHER + EXPLAINED * sum(
        (bits & members).bit_count()
        for way, signs in left.items()
        if spot.takes(way)
        for bits in signs.values()
    )


def at_home(ground: Ground, fault: Fault) -> int:
    """Which open incidents a fault explains: those whose own way failed by it."""
    bits = 0
    for way, explained in fault.explained.items():
        bits |= explained & ground.homes.get(way, 0)
    return bits & bits_at(ground.failing)


def _beginnings(ground: Ground) -> list[datetime]:
    """Moments at which something may have begun, the earliest first."""
    began = sorted({each.began_at for each in ground.failing.values()})
    if len(began) <= MOST_BEGINNINGS:
        return began
    silences = sorted(range(1, len(began)), key=lambda at: (began[at - 1] - began[at], at))[
        : MOST_BEGINNINGS - 1
    ]
    return [began[0], *(began[at] for at in sorted(silences))]


def _spots(ground: Ground, parts: list[Part], views: list[View]) -> Iterator[Spot]:
    """Every place that may be broken, the largest first."""
    ways = {way for view in views for way in (*view.bad, *view.good)}
    hosts = sorted({each.host for each in ways})
    keys = sorted({each.key for each in ways} - {""})
    by_host = hosts if len(ground.hosts) > 1 else []
    whole = Part(ground.source, ground.everything)
    yield Spot(whole, PlaceKind.SOURCE)
    for host in by_host:
        yield Spot(whole, PlaceKind.HOST, host=host)
    for key in keys:
        yield Spot(whole, PlaceKind.KEY, key=key)
    for part in parts:
        one = is_one_subject(part, ground.endpoints)
        kind = PlaceKind.ENDPOINT if one else PlaceKind.PART
        yield Spot(part, kind)
        for host in by_host:
            yield Spot(part, kind, host=host)
        for key in keys if len(keys) > 1 else []:
            yield Spot(part, kind, key=key)
