"""From the evidence of all that fails to its causes. Pure and deterministic.

Our own network is asked about first. Then each source is looked at by itself, because providers
fail apart: what is broken there is what explains its failures most cheaply (`weighing`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from healing_pipeline.incidents.cause import Cause, Link, Place, PlaceKind, RootCause
from healing_pipeline.incidents.chain import chain_of, link_of_own_network, links_to_others
from healing_pipeline.incidents.detection import Severity, severity_of
from healing_pipeline.incidents.evidence import Evidence, Failing
from healing_pipeline.incidents.ground import Ground, grounds
from healing_pipeline.incidents.natures import Nature, root_cause_at
from healing_pipeline.incidents.own_network import LOST
from healing_pipeline.incidents.weighing import at_home, faults_of
from healing_pipeline.incidents.worth import COMES_AND_GOES, Fault

# An answer that was asked for so long after a failure proves that we were not cut off then.
NOT_CUT_AFTER = timedelta(seconds=2)


def find_causes(evidence: Evidence) -> tuple[Cause, ...]:
    """Find what is broken: every open incident is in exactly one cause.

    Returns
    -------
    tuple of Cause
        In the order in which their first members were detected.
    """
    ours = _cut_off(evidence)
    cut = {each.incident_id for each in ours}
    rest = tuple(each for each in evidence.failing if each.incident_id not in cut)
    found: list[tuple[Failing, Cause]] = []
    if ours:
        found.append((ours[0], _own_network(evidence, ours)))
    for ground in grounds(evidence, rest):
        found += _causes_of(ground, evidence)
    found.sort(key=lambda each: (each[0].detected_at, each[0].incident_id))
    return links_to_others(tuple(cause for _, cause in found), evidence)


def _cut_off(evidence: Evidence) -> list[Failing]:
    """The incidents that are our own connection's, the first detected first."""
    if evidence.own_outage is None or not evidence.own_outage.ours:
        return []
    answered = max((each.at for each in evidence.seen if each.is_ok and each.host), default=None)
    return sorted(
        (
            each
            for each in evidence.failing
            if each.failure_class in LOST
            # Somebody answered well after it began: it is older than our outage.
            and (answered is None or answered < each.began_at + NOT_CUT_AFTER)
        ),
        key=_detected,
    )


def _detected(failing: Failing) -> tuple[object, int]:
    return failing.detected_at, failing.incident_id


def _own_network(evidence: Evidence, ours: list[Failing]) -> Cause:
    place = Place(PlaceKind.NETWORK)
    scope = {*evidence.endpoints, *(each.endpoint for each in ours)}
    verdict = Link(
        "So what is broken?",
        f"all {len(scope)} endpoints go through it, {len(ours)} of them fail so far",
        f"{RootCause.OUR_NETWORK}, and no provider is blamed",
    )
    return Cause(
        root_cause=RootCause.OUR_NETWORK,
        place=place,
        scope=tuple(sorted(scope)),
        members=tuple(each.incident_id for each in ours),
        severity=Severity.CRITICAL,
        chain=(link_of_own_network(evidence), verdict),
    )


def _causes_of(ground: Ground, evidence: Evidence) -> list[tuple[Failing, Cause]]:
    bit_of = {each.endpoint: bit for bit, each in enumerate(ground.endpoints)}
    together = [
        sum(1 << bit_of[name] for name in group if name in bit_of)
        for group in evidence.failing_together
    ]
    found = []
    taken = 0
    for fault in faults_of(ground, together):
        members = at_home(ground, fault) & ~taken
        taken |= members
        found.append(_cause(ground, fault, members, evidence, together))
    return found


def _cause(
    ground: Ground, fault: Fault, bits: int, evidence: Evidence, together: list[int]
) -> tuple[Failing, Cause]:
    members = sorted(
        (each for bit, each in ground.failing.items() if bits >> bit & 1), key=_detected
    )
    one_host = fault.spot.host is not None and len(ground.hosts) > 1
    root_cause = root_cause_at(fault.nature, one_host=one_host)
    scope = scope_of(ground, fault, bits)
    place = _place(ground, fault, scope)
    cause = Cause(
        root_cause=root_cause,
        place=place,
        scope=tuple(sorted(ground.ids(scope))),
        members=tuple(each.incident_id for each in members),
        severity=_severity(fault, members, scope, ground),
        chain=chain_of(ground, fault, bits, scope, root_cause, place, evidence, together),
    )
    return members[0], cause


def scope_of(ground: Ground, fault: Fault, members: int) -> int:
    """Whom a fault hits: all whose own way leads past it, but for those that got through since."""
    spot, view = fault.spot, fault.view
    hit = cleared = 0
    for way, bits in ground.homes.items():
        if spot.takes(way):
            hit |= bits & spot.part.members
        cleared |= bits & view.good.get(way, 0) & ~view.failed(way)
    if fault.share >= COMES_AND_GOES:
        hit &= ~cleared
    # Who fails in another way has a cause of its own, and may have this one besides.
    return hit | members


def _place(ground: Ground, fault: Fault, scope: int) -> Place:
    spot, source = fault.spot, ground.source
    match spot.kind:
        case PlaceKind.SOURCE:
            return Place(PlaceKind.SOURCE, source, source)
        case PlaceKind.HOST:
            return Place(PlaceKind.HOST, source, spot.host or "")
        case PlaceKind.KEY:
            return Place(PlaceKind.KEY, source, spot.key or "")
    where = ""
    if spot.host is not None:
        where = f" at host {spot.host}"
    if spot.key is not None:
        where = f" with key {spot.key}"
    if scope.bit_count() == 1:
        (name,) = ground.ids(scope)
        return Place(PlaceKind.ENDPOINT, source, name + where)
    return Place(PlaceKind.PART, source, spot.part.name + where)


def _severity(fault: Fault, members: Iterable[Failing], scope: int, ground: Ground) -> Severity:
    """The worst of the members'; an annoyance that has all of a source is more."""
    order = list(Severity)
    worst = max((severity_of(each.failure_class) for each in members), key=order.index)
    whole = fault.spot.kind is PlaceKind.SOURCE and fault.nature in (Nature.DOWN, Nature.QUOTA)
    if whole and worst is Severity.WARNING and scope == ground.everything:
        return Severity.ERROR
    return worst
