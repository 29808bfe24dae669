"""What a fault at a place is worth: what it explains, less what has to be believed for it.

A fault is of one nature and sits at one place. To believe in it costs its price, what is odd about
it, and every call that should have failed and did not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from healing_pipeline.incidents.cause import PlaceKind
from healing_pipeline.incidents.ground import Ground, Way
from healing_pipeline.incidents.natures import (
    AT_ONE_HOST,
    OWN,
    PRICES,
    STRANGENESS,
    UNHEARD_OF,
    WITH_ONE_KEY,
    WITHOUT_OWN_SIGN,
    Nature,
    Sign,
)
from healing_pipeline.incidents.parts import Part
from healing_pipeline.incidents.sightings import JUST_BEFORE, LATE, SOONEST_S, View

# What a failure is worth to whoever explains it: more than any price, so that none stays open.
EXPLAINED = 8.0
# What a good call costs whoever says that it should have failed: one in fifty is luck.
CONTRADICTED = 4.0
# At most so much costs a good call just before the first bad one.
NARROW = 5.0
# A failure of another kind where everything should fail in this one.
MASKED = 2.0
# A good answer to another question, where no question should be answered.
OTHER_ANSWERED = 2.0
# A fault that lets so many calls through is one that comes and goes.
COMES_AND_GOES = 0.9
# The memory of outages that these endpoints shared makes it likelier that they share this one.
KNOWN_TOGETHER = 1.0


@dataclass(frozen=True, slots=True)
class Spot:
    """Some endpoints, at one host or with one key where that is named."""

    part: Part
    kind: PlaceKind
    host: str | None = None
    key: str | None = None

    def takes(self, way: Way) -> bool:
        """Whether a call that went this way went by here."""
        return self.host in (None, way.host) and self.key in (None, way.key)


@dataclass(frozen=True, slots=True)
class Fault:
    """What explains some failures.

    Attributes
    ----------
    view : View
        What was seen since it began.
    share : float
        Of the calls that it hits, those that fail.
    explained : Mapping[Way, int]
        The failures, as sets of endpoints by way.
    worth : float
        What it saves.
    """

    nature: Nature
    spot: Spot
    view: View
    share: float
    explained: Mapping[Way, int]
    worth: float


Left = dict[Way, dict[Sign, int]]
"""What is still unexplained."""


def weighed(
    ground: Ground, view: View, left: Left, spot: Spot, groups: list[int]
) -> Iterator[Fault]:
    """What a fault at a spot would be worth, for each nature that its failures speak for."""
    members = spot.part.members
    here = {
        way: {sign: bits & members for sign, bits in signs.items() if bits & members}
        for way, signs in left.items()
        if spot.takes(way)
    }
    signs: dict[Sign, int] = {}
    for each in here.values():
        for sign, bits in each.items():
            signs[sign] = signs.get(sign, 0) + bits.bit_count()
    for nature in sorted({OWN[sign] for sign in signs}):
        telling = sum(count for sign, count in signs.items() if OWN[sign] is nature)
        odd = {
            sign: STRANGENESS[nature][sign]
            for sign, count in signs.items()
            if sign in STRANGENESS[nature]
            and STRANGENESS[nature][sign] <= _elsewhere(sign, count, nature)
            # What is late besides is fewer than what tells.
            and (sign not in LATE or OWN[sign] is nature or count <= telling)
        }
        if not odd:
            continue
        explained: dict[Way, int] = {}
        masked = 0
        for way, found in here.items():
            bits = 0
            for sign, who in found.items():
                if sign in odd:
                    bits |= who
            if bits:
                explained[way] = bits
            masked += (view.failed(way) & members & ~bits).bit_count()
        count = sum(each.bit_count() for each in explained.values())
        share = _share(view, explained)
        against = _against(view, spot, explained, share) + _narrow(view, spot)
        of = sum(signs[sign] for sign in odd)
        # What is odd is odder the more there is of it.
        price = _price(nature, spot, ground)
        price += sum(each * (0.5 + 2.0 * (signs[sign] / of) ** 2) for sign, each in odd.items())
        if min(odd.values()) > 0.0:
            price += WITHOUT_OWN_SIGN
        if any(each & ~members == 0 for each in groups):
            price -= KNOWN_TOGETHER
        worth = EXPLAINED * count - price - against - MASKED * masked
        yield Fault(nature, spot, view, share, explained, worth)


def _elsewhere(sign: Sign, count: int, nature: Nature) -> float:
    """What it costs to explain so many failures by a fault of their own kind instead."""
    own = OWN[sign]
    if own is nature:
        return math.inf
    prices = PRICES[own]
    alone = prices.get(PlaceKind.ENDPOINT, UNHEARD_OF) * count
    return min(alone, prices.get(PlaceKind.PART, UNHEARD_OF), *prices.values())


def _price(nature: Nature, spot: Spot, ground: Ground) -> float:
    prices = PRICES[nature]
    if spot.kind in (PlaceKind.PART, PlaceKind.ENDPOINT):
        price = prices.get(spot.kind, UNHEARD_OF) + spot.part.extra
        if spot.kind is PlaceKind.ENDPOINT and spot.part.size == 1:
            # Other windows of the same question most likely share its fate.
            price += 0.25
        price += AT_ONE_HOST if spot.host is not None else 0.0
        return price + (WITH_ONE_KEY if spot.key is not None else 0.0)
    if spot.kind is PlaceKind.SOURCE and not ground.keys:
        # Without keys, what is said of us is said of our address.
        return min(prices.get(PlaceKind.SOURCE, UNHEARD_OF), prices.get(PlaceKind.KEY, math.inf))
    return prices.get(spot.kind, UNHEARD_OF)


def _share(view: View, explained: Mapping[Way, int]) -> float:
    """Of the calls that are hit, those that fail, by the calls of those that failed."""
    failed = good = 0
    for way, bit, bad, well in view.mixed:
        if explained.get(way, 0) >> bit & 1:
            # An incident begins with two failures in a row: the first two tell nothing of it.
            failed += max(0, bad - 2)
            good += well
    return 1.0 if not good else (failed + 1.0) / (failed + good + 2.0)


def _narrow(view: View, spot: Spot) -> float:
    """What it costs that a fault would have begun just between a good call and the first bad one.

    Calls that go out together see the same world. A good one from well before says nothing.
    """
    members = spot.part.members
    for doubled in sorted(view.just_before):
        for way, bits in view.just_before[doubled].items():
            if bits & members and spot.takes(way):
                apart_s = SOONEST_S * 2**doubled
                return min(NARROW, math.log(JUST_BEFORE.total_seconds() / apart_s))
    return 0.0


def _against(view: View, spot: Spot, explained: Mapping[Way, int], share: float) -> float:
    """What speaks against a fault: calls that should have failed."""
    members = spot.part.members
    each_costs = CONTRADICTED if share >= COMES_AND_GOES else -math.log(1.0 - share)
    cost = 0.0
    for way, bits in view.good.items():
        if spot.takes(way):
            well = bits & ~explained.get(way, 0) & ~view.failed(way)
            cost += each_costs * (members & (well | view.early.get(way, 0))).bit_count()
    if spot.kind in (PlaceKind.SOURCE, PlaceKind.HOST, PlaceKind.KEY):
        answered = 0
        for way, bits in view.other_good.items():
            if spot.takes(way):
                answered |= bits
        cost += OTHER_ANSWERED * answered.bit_count()
    return cost
