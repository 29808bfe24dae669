"""The sources at which something fails, and the calls to each of them.

Endpoints are places in a row, and sets of them the bits of an integer, because every place that may
be broken is compared with everything that was seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.incidents.evidence import PROBE, Evidence, Failing, Seen, Standing
from healing_pipeline.incidents.natures import Sign, sign_of

PLAIN = "plain"

# These ask just what the endpoint asks; of what others ask, only the host and the key are known.
OWN_QUESTION = frozenset(
    {
        PROBE,
        PLAIN,
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
    hurried : bool
        Whether it was a healing call, which is given less time than others.
    """

    at: datetime
    bit: int
    way: Way
    sign: Sign | None
    own: bool
    hurried: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """One source: its endpoints, its open incidents, and the calls to it in the order of time.

    Attributes
    ----------
    failing : Mapping[int, Failing]
        Open incidents by the endpoint's bit.
    home : tuple of Way
        By bit: how the endpoint is asked first.
    homes : Mapping[Way, int]
        The other way round.
    hosts, keys : tuple of str
        All that the source has.
    """

    source: str
    endpoints: tuple[Standing, ...]
    failing: Mapping[int, Failing]
    calls: tuple[Call, ...]
    home: tuple[Way, ...]
    homes: Mapping[Way, int]
    hosts: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def everything(self) -> int:
        """All bits."""
        return (1 << len(self.endpoints)) - 1

    def ids(self, bits: int) -> list[str]:
        """The endpoints of a set."""
        return [self.endpoints[bit].endpoint for bit in places_in(bits)]


def places_in(bits: int) -> Iterator[int]:
    """The places of a set, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def bits_at(places: Iterable[int]) -> int:
    """A set from its places."""
    bits = 0
    for each in places:
        bits |= 1 << each
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
            hurried=each.how not in (PROBE, PLAIN),
        )
        for each in seen
        # Another provider that was asked instead is not of this source.
        if each.endpoint in bits and each.host in own_hosts
    ]
    calls.sort(key=lambda each: (each.at, each.bit, each.way, each.own, each.sign or ""))
    first = _first_ways(endpoints, calls)
    home = tuple(_home(bit, each, first) for bit, each in enumerate(endpoints))
    homes: dict[Way, int] = defaultdict(int)
    for bit, way in enumerate(home):
        homes[way] |= 1 << bit
    return Ground(
        source=source,
        endpoints=tuple(endpoints),
        failing={bits[each.endpoint]: each for each in failing},
        calls=tuple(calls),
        home=home,
        homes=homes,
        hosts=tuple(dict.fromkeys(host for each in endpoints for host in each.hosts)),
        keys=tuple(dict.fromkeys(key for each in endpoints for key in each.keys)),
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
