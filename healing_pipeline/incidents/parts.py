"""The places of a source at which something can break, as sets of endpoints.

Sets are bits of an integer, an endpoint each, because every one is compared with what was seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from healing_pipeline.incidents.evidence import Standing

# Longer paths are compared by their beginning.
MOST_SEGMENTS = 12


@dataclass(frozen=True, slots=True)
class Part:
    """Some endpoints of a source that have something in common.

    Attributes
    ----------
    name : str
        ``/v8/finance/chart/*``, ``function=FX_DAILY``, or an endpoint's id.
    members : int
        Bits of the endpoints.
    extra : float
        How much less likely it is than another of its size that it breaks as a whole.
    """

    name: str
    members: int
    extra: float = 0.0

    @property
    def size(self) -> int:
        """How many endpoints it has."""
        return self.members.bit_count()


def parts_of(endpoints: Sequence[Standing], wanted: int) -> list[Part]:
    """What of a source may break by itself: patterns of paths, values of parameters, endpoints.

    Parameters
    ----------
    endpoints : sequence of Standing
        All of one source; their places are the bits.
    wanted : int
        Bits of those that fail: nothing else has to be explained.

    Returns
    -------
    list of Part
        None of them the whole source, unless it has one endpoint, and no set of several endpoints
        twice: of its names, the least far-fetched is kept, and of those the one that says most.
    """
    whole = (1 << len(endpoints)) - 1
    named: dict[str, tuple[int, float]] = {}
    for bit, each in enumerate(endpoints):
        for name, extra in _names(each):
            members, _ = named.get(name, (0, extra))
            named[name] = members | 1 << bit, extra
    found: dict[int, Part] = {}
    for name, (members, extra) in sorted(
        named.items(), key=lambda one: (one[1][1], -len(one[0]), one[0])
    ):
        if members & wanted and members != whole and members.bit_count() > 1:
            found.setdefault(members, Part(name, members, extra))
    alone = [
        Part(each.endpoint, 1 << bit) for bit, each in enumerate(endpoints) if wanted >> bit & 1
    ]
    return [*found.values(), *alone]


def is_one_subject(part: Part, endpoints: Sequence[Standing]) -> bool:
    """Whether a part is one thing asked in a few ways: it shares its whole path with no other."""
    if "*" in part.name or "=" in part.name:
        return False
    return part.size == 1 or part.size <= max(1, len(endpoints) // 4)


def _names(endpoint: Standing) -> Iterator[tuple[str, float]]:
    """Every part that an endpoint belongs to, with how far-fetched it is."""
    segments = endpoint.path.split("/")[1 : MOST_SEGMENTS + 1]
    if endpoint.path:
        yield endpoint.path, 0.0
    for end in range(1, len(segments)):
        yield "/" + "/".join([*segments[:end], "*"]), 0.0
        for gap in range(1, end):
            # One segment may be anything, and so may what comes after the last that is named.
            named = [*segments[:gap], "*", *segments[gap + 1 : end + 1]]
            if end + 1 < len(segments):
                named.append("*")
            yield "/" + "/".join(named), 0.25
    for name, value in sorted(_said(endpoint.params).items()):
        yield f"{name}={value}", 1.25


def _said(params: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if value}
