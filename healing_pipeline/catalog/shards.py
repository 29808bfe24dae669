"""Shards: parts of a source's endpoints, each looked at by a sensor of its own.

An endpoint's place is a hash of its name, and a shard is a range of places. So every process finds
the same shards without asking anybody, and where their number is doubled each one is halved: no
endpoint changes between the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import pairwise

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.errors import ConfigurationError

VARIABLE = "HEALING_SHARDS"
REST = "rest"

# Places are numbers below this; they fit PostgreSQL's `int`.
PLACES = 2**31
MOST_SHARDS = 1_000

_PART = re.compile(r"(?:(?P<source>[^:,/\s]+)(?::(?=\d))?)?(?:(?P<number>\d+)/(?P<of>\d+))?")


@cache
def place_of(endpoint_id: str) -> int:
    """Where an endpoint stands among those of its source, 0 to 2**31 - 1."""
    return int.from_bytes(sha256(endpoint_id.encode()).digest()[:4]) % PLACES


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a source's endpoints.

    Attributes
    ----------
    number, of : int
        The first has the number 1.
    """

    source: str
    number: int = 1
    of: int = 1

    @property
    def name(self) -> str:
        """What its sensor is called after ``probe_``: the source, where it has one shard."""
        return self.source if self.of == 1 else f"{self.source}_{self.number}_of_{self.of}"

    @property
    def first(self) -> int:
        """Its first place."""
        return -(-(self.number - 1) * PLACES // self.of)

    @property
    def last(self) -> int:
        """Its last place."""
        return -(-self.number * PLACES // self.of) - 1

    def covers(self, endpoint_id: str) -> bool:
        """Whether an endpoint of its source is in it."""
        return self.of == 1 or self.first <= place_of(endpoint_id) <= self.last


class Shards:
    """The shards that this process looks at.

    Parameters
    ----------
    shards : iterable of Shard
        None twice.
    has_rest : bool
        Whether this code location has everything else too: learning, reports, alerts, pruning.
    """

    def __init__(self, shards: Iterable[Shard], *, has_rest: bool = True) -> None:
        self._by_name = {each.name: each for each in shards}
        self.has_rest = has_rest
        self._of_source: dict[str, list[Shard]] = {}
        for each in self._by_name.values():
            self._of_source.setdefault(each.source, []).append(each)

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def named(self, name: str) -> Shard:
        """The shard of that name; a name that is none is a source's, which is one shard."""
        return self._by_name.get(name) or Shard(name)

    def name_of(self, endpoint_id: str, source: str) -> str | None:
        """Under which name an endpoint is looked at here; None when it is not."""
        for each in self._of_source.get(source, ()):
            if each.covers(endpoint_id):
                return each.name
        return None


def whole(catalog: Catalog) -> Shards:
    """Every source as one shard."""
    return Shards(Shard(name) for name in catalog.sources)


def shards_of(catalog: Catalog, per_sensor: int, carried: str = "") -> Shards:
    """The shards of a catalog that a process carries.

    Parameters
    ----------
    catalog : Catalog
    per_sensor : int
        Endpoints that one sensor looks at, about; sources with more are split.
    carried : str
        What ``HEALING_SHARDS`` says: parts with commas between them. ``2/3``: the second third of
        every source; ``yahoo:2/3``: of one; ``yahoo``: all of it; ``rest``: what is no probing.
        Empty: everything.

    Raises
    ------
    ConfigurationError
        If it cannot be read, names a source there is not, or a part twice.
    """
    endpoints = Counter(each.source for each in catalog.endpoints.values())
    if not carried.strip():
        return Shards(
            each
            for name in catalog.sources
            for each in _split(Shard(name), endpoints[name], per_sensor)
        )
    parts, has_rest = _parts(carried, catalog.sources)
    return Shards(
        (each for part in parts for each in _split(part, endpoints[part.source], per_sensor)),
        has_rest=has_rest,
    )


def _split(part: Shard, endpoints: int, per_sensor: int) -> Iterator[Shard]:
    """The shards that a part of a source is made of."""
    of_part = max(1, -(-endpoints // (per_sensor * part.of)))
    for number in range(of_part):
        yield Shard(part.source, (part.number - 1) * of_part + number + 1, part.of * of_part)


def _parts(carried: str, sources: Iterable[str]) -> tuple[list[Shard], bool]:
    names = list(sources)
    parts: list[Shard] = []
    has_rest = False
    for text in (each.strip() for each in carried.split(",")):
        if text == REST:
            has_rest = True
            continue
        match = _PART.fullmatch(text)
        if match is None or not text:
            raise _wrong(f"`{text[:40]}` is no part")
        source = match["source"]
        number, of = int(match["number"] or 1), int(match["of"] or 1)
        if not 1 <= number <= of <= MOST_SHARDS:
            raise _wrong(f"`{text[:40]}`: there is no such part")
        if source is not None and source not in names:
            raise _wrong(f"`{text[:40]}`: the configuration has no source `{source[:40]}`")
        parts += [Shard(name, number, of) for name in ([source] if source else names)]
    by_source: dict[str, list[Shard]] = {}
    for each in parts:
        by_source.setdefault(each.source, []).append(each)
    for name, of_source in by_source.items():
        ordered = sorted(of_source, key=lambda each: each.first)
        if any(one.last >= other.first for one, other in pairwise(ordered)):
            raise _wrong(f"parts of `{name}` overlap")
    return parts, has_rest


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"The environment variable {VARIABLE} cannot be used: {problem}.",
        f"Write `export {VARIABLE}=1/2,{REST}` here and `{VARIABLE}=2/2` there, or name sources: "
        "`yahoo:1/2,fred`; unset it to look at everything.",
    )
