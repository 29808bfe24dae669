"""The chain from evidence to verdict, in words and figures that a person on call can check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from healing_pipeline.incidents.cause import Cause, Link, Place, PlaceKind, RootCause
from healing_pipeline.incidents.evidence import Evidence
from healing_pipeline.incidents.ground import Ground, places_in
from healing_pipeline.incidents.natures import Nature
from healing_pipeline.incidents.sightings import View
from healing_pipeline.incidents.worth import COMES_AND_GOES, Fault

# Names that a line lists before it says "and 12 more".
MOST_NAMES = 4
# What begins within this of something else began with it.
SAME_MOMENT = timedelta(seconds=60)


def link_of_own_network(evidence: Evidence) -> Link:
    """Whether it is us."""
    question = "Is it our own network?"
    judgement = evidence.own_outage
    if judgement is None:
        return Link(question, "nobody had to be asked", "nothing speaks for it")
    if judgement.ours:
        return Link(question, judgement.evidence, "it is")
    return Link(question, judgement.evidence, "it is not")


def chain_of(
    ground: Ground,
    fault: Fault,
    members: int,
    scope: int,
    root_cause: RootCause,
    place: Place,
    evidence: Evidence,
    together: Sequence[int],
) -> tuple[Link, ...]:
    """The links from what fails at a source to one cause of it."""
    links = [
        link_of_own_network(evidence),
        _signs(ground, fault, members),
        _hosts(ground, fault),
        _keys(ground, fault),
        _others(ground, fault, scope),
        _coming_and_going(fault),
        _learned(ground, members, scope, together),
        Link(
            "So what is broken?",
            f"{_counted(scope.bit_count(), 'endpoint')} of {ground.source}'s"
            f" {len(ground.endpoints)} share it, {members.bit_count()} of them"
            f" {'has' if members.bit_count() == 1 else 'have'} an open incident",
            f"{root_cause}, at {place}",
        ),
    ]
    return tuple(each for each in links if each is not None)


def links_to_others(causes: tuple[Cause, ...], evidence: Evidence) -> tuple[Cause, ...]:
    """Say of each cause what else began with it and is a cause of its own."""
    if len(causes) < 2:
        return causes
    by_id = {each.incident_id: each for each in evidence.failing}
    began = [min(by_id[each].began_at for each in cause.members) for cause in causes]
    return tuple(
        replace(
            cause,
            chain=(
                *cause.chain[:-1],
                *_beside(cause, began[number], causes, began, evidence),
                cause.chain[-1],
            ),
        )
        for number, cause in enumerate(causes)
    )


def _beside(
    cause: Cause,
    began_at: datetime,
    causes: Sequence[Cause],
    began: Sequence[datetime],
    evidence: Evidence,
) -> Iterable[Link]:
    others = [
        (other, at)
        for other, at in zip(causes, began, strict=True)
        if other is not cause and abs(at - began_at) <= SAME_MOMENT
    ]
    if not others:
        return
    said = [
        f"{other.root_cause}, at {other.place}, began {_apart(at, began_at)}"
        for other, at in others[:MOST_NAMES]
    ]
    if len(others) > MOST_NAMES:
        said.append(f"and {len(others) - MOST_NAMES} more")
    elsewhere = {
        str(other.place.source)
        for other, _ in others
        if other.place.source != cause.place.source and _known(cause, other, evidence)
    }
    follows = "each explains failures that the other does not"
    if elsewhere:
        follows += (
            f"; {cause.place.source} and {', '.join(sorted(elsewhere))} failed together before:"
            " look for what they share"
        )
    yield Link("What else began within a minute of it?", "; ".join(said), follows)


def _known(one: Cause, other: Cause, evidence: Evidence) -> bool:
    return any(
        group.intersection(one.scope) and group.intersection(other.scope)
        for group in evidence.failing_together
    )


def _apart(at: datetime, began_at: datetime) -> str:
    seconds = (at - began_at).total_seconds()
    if abs(seconds) < 1.0:
        return "at the same moment"
    return f"{abs(seconds):.0f} s {'later' if seconds > 0 else 'before'}"


def _signs(ground: Ground, fault: Fault, members: int) -> Link:
    """What the calls said that the fault explains."""
    counts: Counter[str] = Counter()
    calls = failed = 0
    for way, bits in fault.explained.items():
        for bit in places_in(bits):
            tally = fault.view.tally[way, bit]
            calls += sum(tally.values())
            for sign, count in tally.items():
                if sign is not None:
                    counts[str(sign)] += count
                    failed += count
    said = ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=_most))
    follows = "one fault that shows itself in several ways" if len(counts) > 1 else "one fault"
    return Link(
        "What do the calls say?",
        f"{_listed(ground, members)} failed {failed} of {calls} calls since"
        f" {fault.view.since:%H:%M:%S}: {said}",
        follows if members.bit_count() > 1 else f"it is a matter of {_matter(fault.nature)}",
    )


def _most(one: tuple[str, int]) -> tuple[int, str]:
    return -one[1], one[0]


def _matter(nature: Nature) -> str:
    return {
        Nature.DOWN: "who answers at all",
        Nature.NAME: "the name",
        Nature.KEY: "who is let in",
        Nature.QUOTA: "how often we ask",
        Nature.PLAN: "what we are entitled to",
        Nature.REQUEST: "what is asked for",
        Nature.DATA: "what comes back",
    }[nature]


def _hosts(ground: Ground, fault: Fault) -> Link | None:
    """Whether another host of the source answers."""
    hosts = ground.hosts
    question = f"Does another host of {ground.source} answer?"
    if len(hosts) < 2:
        if fault.nature is not Nature.DOWN:
            return None
        return Link(question, f"{''.join(hosts)} is its only one", "host and provider are one")
    counts = {host: _calls(fault.view, fault.spot.part.members, host=host) for host in hosts}
    said = "; ".join(f"{host} {_answered(*counts[host])}" for host in hosts)
    if fault.spot.host is not None:
        return Link(question, said, f"it is host {fault.spot.host}, not {ground.source}")
    failing = {way.host for way in fault.explained}
    others = [host for host in hosts if host not in failing and any(counts[host])]
    if len(failing) > 1:
        return Link(question, said, "it is not one host")
    if others:
        return Link(question, said, "that is not enough to blame one host")
    return Link(question, said, "it cannot be told whether another host would do")


def _keys(ground: Ground, fault: Fault) -> Link | None:
    """Whether another key is accepted."""
    if fault.nature not in (Nature.KEY, Nature.QUOTA, Nature.PLAN):
        return None
    question = "Is another key accepted?"
    keys = ground.keys
    if not keys:
        return Link(question, f"{ground.source} takes none", "it is said of us, by our address")
    counts = {key: _calls(fault.view, fault.spot.part.members, key=key) for key in keys}
    said = "; ".join(f"{key} {_answered(*counts[key])}" for key in keys)
    if fault.spot.key is not None:
        rest = [key for key in keys if key != fault.spot.key]
        if any(counts[key][0] for key in rest):
            return Link(question, said, f"it is key {fault.spot.key}")
        return Link(question, said, f"nothing is known against any key but {fault.spot.key}")
    failing = {way.key for way in fault.explained}
    if len(failing) > 1:
        return Link(
            question, said, "no key of ours is let through: our account, or the provider's sign-in"
        )
    return Link(question, said, "it is not the key alone")


def _others(ground: Ground, fault: Fault, scope: int) -> Link | None:
    """Whether other endpoints of the source answer by the same way."""
    view = fault.view
    well = failed = 0
    for way in ground.homes:
        well |= ground.homes[way] & view.good.get(way, 0) & ~view.failed(way)
        failed |= ground.homes[way] & view.failed(way)
    unseen = ground.everything & ~well & ~failed
    question = f"Do other endpoints of {ground.source} answer since?"
    found = (
        f"{well.bit_count()} of {len(ground.endpoints)} do, {failed.bit_count()} fail,"
        f" {unseen.bit_count()} were not asked"
    )
    within = fault.spot.part.members
    if fault.spot.kind is PlaceKind.PART or fault.spot.kind is PlaceKind.ENDPOINT:
        outside = well & ~within
        if outside:
            return Link(
                question,
                f"{found}; among those that do: {_listed(ground, outside)}",
                f"it is {_called(ground, fault)}, not all of {ground.source}",
            )
        return Link(question, found, f"what fails has in common: {_called(ground, fault)}")
    inside = well & within
    if inside:
        return Link(question, found, "most of what was asked fails, so it is not one part")
    reach = scope & unseen
    if reach:
        return Link(question, found, f"{_counted(reach.bit_count(), 'more')} must be hit as well")
    return Link(question, found, "all of it is hit")


def _called(ground: Ground, fault: Fault) -> str:
    part = fault.spot.part
    if part.size == 1:
        return ground.ids(part.members)[0]
    return f"{part.name} ({_counted(part.size, 'endpoint')})"


def _coming_and_going(fault: Fault) -> Link | None:
    if fault.share >= COMES_AND_GOES:
        return None
    return Link(
        "Does it fail every time?",
        "endpoints that failed were answered in between",
        "it comes and goes, and a good answer clears nobody",
    )


def _learned(ground: Ground, members: int, scope: int, together: Sequence[int]) -> Link | None:
    known = [each for each in together if (each & members).bit_count() > 1]
    if not known:
        return None
    most = max(known, key=lambda each: ((each & scope).bit_count(), each))
    return Link(
        "Did they fail together before?",
        f"{_listed(ground, most & members)} did",
        "one thing that they share is likelier than several",
    )


def _calls(
    view: View, members: int, host: str | None = None, key: str | None = None
) -> tuple[int, int]:
    """Good and bad calls of some endpoints at a host or with a key."""
    good = bad = 0
    for way in {*view.good, *view.bad}:
        if host in (None, way.host) and key in (None, way.key):
            for bit in places_in(members & (view.good.get(way, 0) | view.failed(way))):
                tally = view.tally[way, bit]
                well = tally.get(None, 0)
                good, bad = good + well, bad + sum(tally.values()) - well
    return good, bad


def _answered(good: int, bad: int) -> str:
    if not good + bad:
        return "was not asked"
    if not good:
        return f"failed {bad} of {bad} calls"
    return f"answered {good} of {good + bad}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 or what == "more" else f"{count} {what}s"


def _listed(ground: Ground, bits: int) -> str:
    names = [ground.endpoints[bit].endpoint for bit in islice(places_in(bits), MOST_NAMES)]
    more = bits.bit_count() - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
