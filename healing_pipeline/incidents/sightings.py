"""What was seen at one source since a moment: who failed in which way, and who answered.

Good news from before an outage says nothing about it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from healing_pipeline.incidents.ground import Call, Ground, Way
from healing_pipeline.incidents.natures import OWN, STRANGENESS, Sign, Symptom, sign_of
from healing_pipeline.probing.failure_class import FailureClass

LATE = frozenset({FailureClass.TIMEOUT, FailureClass.SLOW})

# Failures of one endpoint at two places belong together if what is seen at one is no odder for what
# is wrong at the other.
MUCH_ALIKE = 1.0

# A good call of less than this before the first bad one went out together with it.
JUST_BEFORE = timedelta(seconds=2)
SOONEST_S = 0.001

# What answers sooner than this after a failure may be of a fault that comes and goes.
OVER_AFTER = timedelta(seconds=5)


@dataclass
class View:
    """What a ground looks like since a moment.

    Attributes
    ----------
    bad : dict
        By way, by sign: who failed there so, going by most of the failures.
    good : dict
        By way: who answered there, while whatever is wrong lasted.
    other_good : dict
        By way: whose calls for something else were answered there.
    early : dict
        By way: who was answered there before it failed there.
    mixed : list
        Who failed, and was answered by the same way afterwards: the way, the bit, how often each.
    just_before : dict
        Who was answered just before, by way, by how many times `SOONEST_S` doubled before.
    tally : dict
        By way and bit: how often it was answered (None), and how often it failed with each sign.
    """

    since: datetime
    bad: dict[Way, dict[Sign, int]] = field(default_factory=lambda: defaultdict(dict))
    good: dict[Way, int] = field(default_factory=lambda: defaultdict(int))
    other_good: dict[Way, int] = field(default_factory=lambda: defaultdict(int))
    early: dict[Way, int] = field(default_factory=lambda: defaultdict(int))
    mixed: list[tuple[Way, int, int, int]] = field(default_factory=list)
    just_before: dict[int, dict[Way, int]] = field(default_factory=dict)
    tally: dict[tuple[Way, int], dict[Sign | None, int]] = field(default_factory=dict)
    _failed: dict[Way, int] = field(default_factory=lambda: defaultdict(int))

    def fails(self, way: Way, bit: int, sign: Sign) -> None:
        """Take note of who failed how."""
        signs = self.bad[way]
        signs[sign] = signs.get(sign, 0) | 1 << bit
        self._failed[way] |= 1 << bit

    def failed(self, way: Way) -> int:
        """Who failed at a way, with whatever sign."""
        return self._failed.get(way, 0)


def view_since(ground: Ground, since: datetime) -> View:
    """Look at a ground since a moment; who failed before that is another matter."""
    view = View(since)
    older = {bit for bit, each in ground.failing.items() if each.began_at < since}
    calls = [each for each in ground.calls if each.at >= since]
    for call in ground.calls:
        if since - JUST_BEFORE < call.at < since and call.own and call.sign is None:
            apart_s = (since - call.at).total_seconds()
            answered = view.just_before.setdefault(max(0, int(math.log2(apart_s / SOONEST_S))), {})
            answered[call.way] = answered.get(call.way, 0) | 1 << call.bit
    over_at = _over_at(ground, since)
    haste = _haste(calls)
    before: dict[tuple[Way, int], int] = {}
    for call in calls:
        if not call.own:
            if call.sign is None:
                view.other_good[call.way] |= 1 << call.bit
            continue
        if call.sign is not None and (call.bit in older or call in haste):
            continue
        counts = view.tally.setdefault((call.way, call.bit), {})
        if call.sign is not None and None in counts and len(counts) == 1:
            view.early[call.way] |= 1 << call.bit
            before[call.way, call.bit] = counts[None]
        counts[call.sign] = counts.get(call.sign, 0) + 1
        if call.sign is None and (over_at is None or call.at < over_at):
            view.good[call.way] |= 1 << call.bit
    for bit, incident in ground.failing.items():
        place = ground.home[bit], bit
        if bit not in older and not any(view.tally.get(place, {}).keys() - {None}):
            believed = sign_of(incident.failure_class, incident.evidence)
            view.tally.setdefault(place, {})[believed] = 1
    most = {place: sign for place, counts in view.tally.items() if (sign := _most(counts))}
    for (way, bit), sign in most.items():
        home = most.get((ground.home[bit], bit))
        # Elsewhere it may be refused for another reason, which is no part of what is wrong here.
        if home is None or STRANGENESS[OWN[home]].get(sign, math.inf) <= MUCH_ALIKE:
            view.fails(way, bit, sign)
    for (way, bit), counts in view.tally.items():
        good = counts.get(None, 0)
        after = good - before.get((way, bit), 0)
        if after and len(counts) > 1 and view.good.get(way, 0) >> bit & 1:
            view.mixed.append((way, bit, sum(counts.values()) - good, after))
    return view


def _most(counts: Mapping[Sign | None, int]) -> Sign | None:
    """How the failures looked; None when there was none.

    Whatever is wrong, a call may be late besides: that says least, however often it happens. And
    whoever sends half of a body may break off or not.
    """
    failed = {sign: count for sign, count in counts.items() if sign is not None}
    for vague in (LATE | {Symptom.CUT}, LATE):
        told = {sign: count for sign, count in failed.items() if sign not in vague}
        if told:
            return max(told, key=lambda sign: (told[sign], sign))
    return max(failed, key=lambda sign: (failed[sign], sign), default=None)


def _haste(calls: Sequence[Call]) -> set[Call]:
    """Healing calls that ran into their own short limit, where that is no sign of the fault.

    It is none where somebody was answered by the same way, or failed in another manner there, and
    most failures of calls with more time were no lateness. Many heals at once make a host late.
    """
    failed = [each for each in calls if each.sign is not None and not each.hurried]
    if 2 * sum(each.sign in LATE for each in failed) > len(failed):
        return set()
    answered = {each.way for each in calls if each.sign is None}
    others = {(each.way, each.bit) for each in calls if each.sign not in LATE}
    return {
        each
        for each in calls
        if each.hurried
        and each.sign in LATE
        and (each.way in answered or (each.way, each.bit) in others)
    }


def _over_at(ground: Ground, since: datetime) -> datetime | None:
    """When most of those that fail had answered again by their own way; None if they have not.

    What is good from then on may be so because all is over.
    """
    wanted = {bit for bit, each in ground.failing.items() if each.began_at >= since}
    well: dict[int, datetime] = {}
    failed_at: dict[int, datetime] = {}
    for call in ground.calls:
        if (
            call.own
            and call.at >= since
            and call.bit in wanted
            and call.way == ground.home[call.bit]
        ):
            if call.sign is not None:
                failed_at[call.bit] = call.at
                well.pop(call.bit, None)
            elif call.at - failed_at.get(call.bit, since) > OVER_AFTER:
                well.setdefault(call.bit, call.at)
    return min(well.values()) if 2 * len(well) > len(wanted) else None
