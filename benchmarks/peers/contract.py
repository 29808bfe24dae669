"""What every contender is given and what it hands to its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.parts import Clock
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.registry import provider_named

# What a plain call may take where a second one shall fit into the reader's deadline.
ATTEMPT_S = 1.0


@dataclass(frozen=True, slots=True)
class World:
    """What a contender may know: the same catalog, hosts and keys for all of them.

    Attributes
    ----------
    clock : Clock
        The simulated one, for the dates in a question.
    """

    catalog: Catalog
    clock: Clock
    seed: int


@dataclass(frozen=True, slots=True)
class Question:
    """One reader's request.

    Attributes
    ----------
    ways : tuple of UpstreamRequest
        The GET by every host with the first key, then by every host with the next: the plain call
        first. A contender uses as many of them as it can be told of.
    """

    endpoint: str
    ways: tuple[UpstreamRequest, ...]
    deadline_s: float

    def hosts(self) -> tuple[UpstreamRequest, ...]:
        """The ways that differ in nothing but the host."""
        first = self.ways[0]
        return tuple(each for each in self.ways if each.key_name in (first.key_name, None))


class Label(StrEnum):
    """What a contender says about its data. One that says nothing says `exact`."""

    EXACT = "exact"
    FRESH_ENOUGH = "fresh_enough"  # from its cache, within the time it was told to keep data
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Handed:
    """An answer as an HTTP client sees it."""

    status: int
    body: bytes
    label: Label = Label.EXACT


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, and the reader was told so."""

    because: str


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of ours, which carries its own label, and what was tried for it."""

    answer: Answer
    trail: str = ""


End = Handed | Told | Failure
Read = Callable[[Question], Awaitable[End]]
Contender = Callable[[World], AbstractAsyncContextManager[Read]]


def question_of(world: World, endpoint_id: str) -> Question:
    """The question of an endpoint of the catalog, as of now."""
    endpoint = world.catalog.endpoints[endpoint_id]
    source = world.catalog.sources[endpoint.source]
    provider, now = provider_named(source.provider), world.clock.now()
    ways = [
        provider.request(endpoint, host, key, now)
        for key in source.keys or (None,)
        for host in source.hosts
    ]
    # A host that takes no key is the same way with each of them.
    distinct: dict[tuple[object, ...], UpstreamRequest] = {}
    for each in ways:
        distinct.setdefault((each.url, *each.headers.items()), each)
    return Question(endpoint_id, tuple(distinct.values()), endpoint.deadline_s)


async def within_deadline(read: Read, question: Question) -> End:
    """Read, and stop waiting when the reader's deadline is over, whatever the contender does."""
    try:
        async with asyncio.timeout(question.deadline_s):
            return await read(question)
    except TimeoutError:
        return Failure(f"nothing within {question.deadline_s:g} s")
