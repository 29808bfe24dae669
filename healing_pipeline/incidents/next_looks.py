"""Which endpoints to ask next: those whose answers would tell apart what may be broken.

An engineer who sees one chart fail asks another chart and a quote. Which ones, follows from the
faults that would explain what fails about equally well: the best question is one that half of them
expect to fail.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from healing_pipeline.incidents.evidence import Evidence
from healing_pipeline.incidents.ground import Ground, bits_at, grounds, places_in
from healing_pipeline.incidents.weighing import at_home, faults_of, rivals_of
from healing_pipeline.incidents.worth import Fault

# What is this much less worth (odds of one to 400) is no rival any more.
FAR_BEHIND = 6.0

# A question whose answer is as good as known is not asked.
LEAST_DOUBT = 0.002


def worth_asking(evidence: Evidence, most: int = 3) -> tuple[str, ...]:
    """Endpoints that nobody has asked since, and whose answers would say how far a fault goes.

    Parameters
    ----------
    most : int
        For each source.

    Returns
    -------
    tuple of str
        The most telling first, source by source; empty where all is clear, and of no source whose
        calls are counted by the day or month.
    """
    if evidence.own_outage is not None and evidence.own_outage.ours:
        return ()
    found: list[str] = []
    for ground in grounds(evidence, evidence.failing):
        if any(each.is_scarce for each in ground.endpoints):
            continue
        told: list[str] = []
        for fault in faults_of(ground):
            for name in _telling(ground, fault, most - len(told)):
                if name not in told:
                    told.append(name)
        found += told
    return tuple(found)


def _telling(ground: Ground, fault: Fault, most: int) -> Iterable[str]:
    members = at_home(ground, fault)
    hypotheses = [
        (math.exp(each.worth - fault.worth), _expected(ground, each))
        for each in rivals_of(ground, fault, members)
        if each.worth > fault.worth - FAR_BEHIND
    ]
    groups = [hypotheses]
    unseen = ground.everything & ~_seen(ground, fault) & ~bits_at(ground.failing)
    for _ in range(most):
        best = max(places_in(unseen), key=lambda bit: (_split(groups, bit), -bit), default=None)
        if best is None or _split(groups, best) < LEAST_DOUBT:
            return
        unseen &= ~(1 << best)
        groups = [
            part
            for group in groups
            for part in (
                [each for each in group if each[1] >> best & 1],
                [each for each in group if not each[1] >> best & 1],
            )
            if part
        ]
        yield ground.endpoints[best].endpoint


def _expected(ground: Ground, fault: Fault) -> int:
    """Who should fail by a fault."""
    bits = 0
    for way, homes in ground.homes.items():
        if fault.spot.takes(way):
            bits |= homes & fault.spot.part.members
    return bits


def _seen(ground: Ground, fault: Fault) -> int:
    bits = 0
    for way, homes in ground.homes.items():
        bits |= homes & (fault.view.good.get(way, 0) | fault.view.failed(way))
    return bits


def _split(groups: list[list[tuple[float, int]]], bit: int) -> float:
    """How much doubt an answer would take: the smaller side of what it parts, over all groups."""
    total = sum(weight for group in groups for weight, _ in group)
    taken = 0.0
    for group in groups:
        hit = sum(weight for weight, expected in group if expected >> bit & 1)
        taken += min(hit, sum(weight for weight, _ in group) - hit)
    return taken / total
