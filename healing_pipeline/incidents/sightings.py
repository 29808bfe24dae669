"""What was seen at one source, set by set: who failed in which way, who answered, and since when.

A way is a host with a key. Only what was seen since a moment counts: good news from before an
outage says nothing about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from healing_pipeline.incidents.evidence import PROBE, Evidence, Failing, Seen, Standing
from healing_pipeline.incidents.natures import Sign, sign_of

# These ask just what the endpoint asks; of what others ask, only the host and the key are known.
OWN_QUESTION = frozenset(
    {
        PROBE,
        "plain",
        "alternate_host",
        "rotate_api_key",
        "exponential_backoff_retry",
        "hedged_request",
        "refresh_session",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """Whom a call asked, and with which key; empty for none."""

    host: str
    key: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as far as a place is concerned.

    Attributes
    ----------
    bit : int
        The endpoint's place among those of its source.
    sign : Sign or None
        None for a good one.
    own : bool
        Whether it asked the endpoint's own question.
    """

    at: datetime
    bit: int
    way: Way
    sign: Sign | None
    own: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """One source: its endpoints, its open incidents, and the calls to it in the order of time.

    Attributes
    ----------
    failing : Mapping[int, Failing]
        Open incidents by the endpoint's bit.
    home : tuple of Way
        By bit: how the endpoint is asked first.
    """

    source: str
    endpoints: tuple[Standing, ...]
    failing: Mapping[int, Failing]
    calls: tuple[Call, ...]
    home: tuple[Way, ...]

    @property
    def everything(self) -> int:
        """All bits."""
        return (1 << len(self.endpoints)) - 1

    def ids(self, bits: int) -> list[str]:
        """The endpoints of a set."""
        return [each.endpoint for bit, each in enumerate(self.endpoints) if bits >> bit & 1]


@dataclass
class View:
    """What a ground looks like since a moment.

    Attributes
    ----------
    bad : dict
        By way, by sign: who failed there so, going by the latest failure.
    good : dict
        By way: who answered there, while whatever is wrong lasted.
    other_good : dict
        By way: whose calls for something else were answered there.
    tally : dict
        By way and bit: failed and good calls.
    """

    since: datetime
    bad: dict[Way, dict[Sign, int]] = field(default_factory=lambda: defaultdict(dict))
    good: dict[Way, int] = field(default_factory=lambda: defaultdict(int))
    other_good: dict[Way, int] = field(default_factory=lambda: defaultdict(int))
    tally: dict[tuple[Way, int], list[int]] = field(default_factory=dict)

    def failed(self, way: Way) -> int:
        """Who failed at a way, with whatever sign."""
        bits = 0
        for each in self.bad.get(way, {}).values():
            bits |= each
        return bits


def grounds(evidence: Evidence, open_ones: Iterable[Failing]) -> list[Ground]:
    """Every source that has an open incident, in the order of their names."""
    failing: dict[str, list[Failing]] = defaultdict(list)
    for each in sorted(open_ones, key=lambda one: (one.detected_at, one.incident_id)):
        failing[each.source].append(each)
    standing: dict[str, list[Standing]] = {name: [] for name in failing}
    for one in evidence.endpoints.values():
        if one.source in standing:
            standing[one.source].append(one)
    seen: dict[str, list[Seen]] = {name: [] for name in failing}
    for call in evidence.seen:
        if call.source in seen and call.host is not None:
            seen[call.source].append(call)
    return [_ground(name, failing[name], standing[name], seen[name]) for name in sorted(failing)]


def _ground(
    source: str, failing: Sequence[Failing], known: Sequence[Standing], seen: Sequence[Seen]
) -> Ground:
    endpoints = sorted(known, key=lambda each: each.endpoint)
    names = {each.endpoint for each in endpoints}
    hosts = endpoints[0].hosts if endpoints else ()
    lost = sorted({each.endpoint for each in failing} - names)
    # The catalog no longer has them, yet their incidents are open.
    endpoints += [Standing(each, source, hosts) for each in lost]
    bits = {each.endpoint: bit for bit, each in enumerate(endpoints)}
    own_hosts = {host for each in endpoints for host in each.hosts}
    calls = [
        Call(
            at=each.at,
            bit=bits[each.endpoint],
            way=Way(each.host or "", each.key_name or ""),
            sign=None if each.is_ok else sign_of(each.failure_class, each.evidence),
            own=each.how in OWN_QUESTION,
        )
        for each in seen
        # Another provider that was asked instead is not of this source.
        if each.endpoint in bits and each.host in own_hosts
    ]
    calls.sort(key=lambda each: (each.at, each.bit, each.way, each.own, each.sign or ""))
    first = _first_ways(endpoints, calls)
    return Ground(
        source=source,
        endpoints=tuple(endpoints),
        failing={bits[each.endpoint]: each for each in failing},
        calls=tuple(calls),
        home=tuple(_home(bit, each, first) for bit, each in enumerate(endpoints)),
    )


def _first_ways(endpoints: Sequence[Standing], calls: Iterable[Call]) -> dict[tuple[int, str], Way]:
    """By bit and host: the way that is asked first there, as far as it was seen."""
    found: dict[tuple[int, str], Way] = {}
    for each in calls:
        place = each.bit, each.way.host
        keys = endpoints[each.bit].keys
        first = keys[0] if keys else ""
        if place not in found or each.way.key == first:
            found[place] = each.way
    return found


def _home(bit: int, endpoint: Standing, first: Mapping[tuple[int, str], Way]) -> Way:
    host = endpoint.hosts[0] if endpoint.hosts else ""
    key = endpoint.keys[0] if endpoint.keys else ""
    return first.get((bit, host), Way(host, key))


def view_since(ground: Ground, since: datetime) -> View:
    """Look at a ground since a moment; who failed before that is another matter."""
    view = View(since)
    older = {bit for bit, each in ground.failing.items() if each.began_at < since}
    latest: dict[tuple[Way, int], Sign] = {}
    good_at: list[tuple[datetime, Way, int]] = []
    for call in ground.calls:
        if call.at < since:
            continue
        if not call.own:
            if call.sign is None:
                view.other_good[call.way] |= 1 << call.bit
            continue
        if call.sign is not None and call.bit in older:
            continue
        counts = view.tally.setdefault((call.way, call.bit), [0, 0])
        if call.sign is None:
            counts[1] += 1
            good_at.append((call.at, call.way, call.bit))
        else:
            counts[0] += 1
            latest[call.way, call.bit] = call.sign
    for bit, incident in ground.failing.items():
        home = ground.home[bit]
        if bit not in older and (home, bit) not in latest:
            latest[home, bit] = sign_of(incident.failure_class, incident.evidence)
            view.tally.setdefault((home, bit), [0, 0])[0] += 1
    for (way, bit), sign in latest.items():
        signs = view.bad[way]
        signs[sign] = signs.get(sign, 0) | 1 << bit
    over_at = _over_at(ground, since)
    for at, way, bit in good_at:
        if over_at is None or at < over_at:
            view.good[way] |= 1 << bit
    return view


def _over_at(ground: Ground, since: datetime) -> datetime | None:
    """When most of those that fail had answered again by their own way; None if they have not.

    What is good from then on may be so because all is over.
    """
    wanted = {bit for bit, each in ground.failing.items() if each.began_at >= since}
    well: dict[int, datetime] = {}
    for call in ground.calls:
        if (
            call.own
            and call.at >= since
            and call.bit in wanted
            and call.way == ground.home[call.bit]
        ):
            if call.sign is not None:
                well.pop(call.bit, None)
            else:
                well.setdefault(call.bit, call.at)
    return min(well.values()) if 2 * len(well) > len(wanted) else None
