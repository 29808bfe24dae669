"""Our own connection, asked before many providers are blamed at once.

A lost call may be the provider's fault or ours. If anybody else answers, it is the provider's. If
nobody does, neither another source's host nor a witness, then nothing is known of any provider: no
incident begins, nothing is probed, and the moment somebody can be reached again it goes on by
itself. What is decided here is decided by `incidents.own_network`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

from healing_pipeline.catalog.values import Catalog, Upstreams
from healing_pipeline.control.own_outages import begin_own_outage, end_own_outage
from healing_pipeline.control.purse import Store
from healing_pipeline.healing.parts import Clock
from healing_pipeline.incidents.own_network import Judgement, Place, judge

# A host that was silent this long ago still counts as silent.
SILENT_FOR_S = 5.0

# While cut off, how often it is looked whether somebody can be reached.
ASK_AGAIN_AFTER_S = 1.0

# Of a source with many hosts two are asked: they stand or fall together.
MOST_HOSTS = 2

HTTPS = 443
HTTP = 80

Reach = Callable[[str, int], Awaitable[bool]]
"""Whether a host takes a connection at a port; never raises for the network."""


class OwnConnection:
    """Whether we are cut off, by what is heard and by asking around.

    Parameters
    ----------
    catalog : Catalog
        Its hosts are asked and, where upstreams are real, its witnesses.
    reach : Reach or None
        None: nobody can be asked, and it is never our own fault.
    store : Store
    clock : Clock

    Attributes
    ----------
    is_cut : bool
        Whether this process is cut off, as far as it knows.
    """

    def __init__(self, catalog: Catalog, reach: Reach | None, store: Store, clock: Clock) -> None:
        self.is_cut = False
        self._places = places_of(catalog)
        self._by_host = {_netloc(each): each for each in self._places}
        self._reach = reach
        self._store = store
        self._clock = clock
        self._answered: dict[str, float] = {}
        self._silent: dict[str, float] = {}
        self._turn = asyncio.Lock()
        self._asked = -float("inf")
        self._last = Judgement(False, "nobody was asked yet")

    def heard(self, host: str, began: float, *, answered: bool) -> None:
        """Take note of how a call to ``host:port`` ended.

        Parameters
        ----------
        began : float
            Monotonic seconds, of the call's beginning.
        """
        (self._answered if answered else self._silent)[host] = began

    async def is_ours(self, host: str, began: float) -> bool:
        """Whether it is our own fault that a call to `host`, begun then, was lost."""
        if self._reach is None:
            return False
        if self.is_cut:
            return True
        # An answer to a call that was begun no earlier proves the connection, and costs nothing.
        if any(at >= began for other, at in self._answered.items() if other != host):
            return False
        return (await self._asked_around(began)).ours

    async def is_back(self) -> bool:
        """Whether somebody can be reached (again); asks around once a second at most."""
        if self._reach is None:
            return True
        now = self._clock.monotonic()
        return not (await self._asked_around(now - ASK_AGAIN_AFTER_S)).ours

    async def _asked_around(self, since: float) -> Judgement:
        """A judgement that was begun at `since` or later; all who need one share it."""
        async with self._turn:
            if self._asked >= since:
                return self._last
            began = self._clock.monotonic()
            reached, silent = await self._asked_all()
            for host, at in self._silent.items():
                place = self._by_host.get(host)
                if place is not None and at > began - SILENT_FOR_S:
                    silent.append(place)
            self._asked, self._last = began, judge(reached, silent)
            await self._told(self._last)
            return self._last

    async def _asked_all(self) -> tuple[list[Place], list[Place]]:
        """Who can be reached, until the first can; and who could not."""
        assert self._reach is not None, "nobody is asked without a way to"
        reach = self._reach
        silent: list[Place] = []

        async def one(place: Place) -> tuple[Place, bool]:
            return place, await reach(place.host, place.port)

        asking = [asyncio.create_task(one(each)) for each in self._places]
        try:
            for ended in asyncio.as_completed(asking):
                place, answers = await ended
                if answers:
                    return [place], silent
                silent.append(place)
        finally:
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return [], silent

    async def _told(self, judgement: Judgement) -> None:
        """Say once that we are cut off, and once that it is over."""
        if judgement.ours and not self.is_cut:
            self.is_cut = True
            now = self._clock.now()
            await self._store(partial(begin_own_outage, at=now, evidence=judgement.evidence))
        elif self.is_cut and not judgement.ours:
            self.is_cut = False
            now = self._clock.now()
            await self._store(partial(end_own_outage, at=now, evidence=judgement.evidence))

    async def end_left_over(self) -> None:
        """End an outage that another process told of, if we are not cut off; else share it."""
        if await self.is_back():
            now, why = self._clock.now(), self._last.evidence
            await self._store(partial(end_own_outage, at=now, evidence=why))


def places_of(catalog: Catalog) -> tuple[Place, ...]:
    """Who is asked whether we can be reached ourselves.

    Where upstreams are simulated, witnesses say nothing: everything is on this machine.
    """
    by_address: Mapping[tuple[str, int], Place] = {
        (each.host, each.port): each
        for source in catalog.sources.values()
        for each in (_place(source.name, host.base_url) for host in source.hosts[:MOST_HOSTS])
    }
    witnesses = catalog.witnesses if catalog.upstreams is Upstreams.REAL else ()
    named = (_place(each, f"//{each}") for each in witnesses)
    return (*by_address.values(), *named)


def _place(owner: str, url: str) -> Place:
    parts = urlsplit(url)
    usual = HTTP if parts.scheme == "http" else HTTPS
    return Place(owner, parts.hostname or "", parts.port or usual)


def _netloc(place: Place) -> str:
    usual = {HTTP, HTTPS}
    host = f"[{place.host}]" if ":" in place.host else place.host
    return host if place.port in usual else f"{host}:{place.port}"
