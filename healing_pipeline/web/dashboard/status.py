"""What everybody may see where the configuration says so: `/status`, and a badge for each source.

Names, states and rates; no evidence, no host, no key and no word of anybody's. Read once in half a
minute, however many look.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.errors import StorageError
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage.health_quarters import Totals, quarter_of, totals_by_source
from healing_pipeline.storage.incidents import open_incidents
from healing_pipeline.storage.pages import source_letters
from healing_pipeline.web.dashboard.badges import badge
from healing_pipeline.web.dashboard.bars import label_of, letters_of, paths_of, runs_of
from healing_pipeline.web.dashboard.day_bar import DAY
from healing_pipeline.web.dashboard.incident_telling import LIVE, LOOKS
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import ASSETS_AT, rendered, takes_gzip

KEPT_S = 30.0
# While PostgreSQL is away.
AGAIN_AFTER_S = 3.0
STATUS_AT, BADGES_AT = "/status", "/badge/"
# The worst of its endpoints is a source's.
WORST_FIRST = ("failed", "healing", "healed", "live", "none")
NOT_WATCHED = ("none", "not watched")
SWITCHED_OFF = (
    "The public status page and the badges are switched off. To switch them on, write "
    "`dashboard: {public: true}` into the configuration and start the gateway anew.\n"
)
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_FOR_EVERYBODY = {
    "cache-control": f"public, max-age={KEPT_S:.0f}",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
}


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How a source is, as far as it is everybody's business.

    Attributes
    ----------
    look, word : str
        A class of the style sheet, and the state in a word.
    uptime : float or None
        Good probes of its own, of all, over 24 hours.
    answered : float or None
        Readers' requests that were answered, healed ones included.
    paths : Mapping[str, str]
        Of the day's bar, see `bars`.
    endpoints : sequence of triples
        Name, look and word.
    """

    name: str
    look: str
    word: str
    uptime: float | None
    answered: float | None
    paths: Mapping[str, str]
    label: str
    endpoints: Sequence[tuple[str, str, str]]


def is_open(path: str) -> bool:
    """Whether a path of this page needs no token; switched off, it tells nothing."""
    return path == STATUS_AT or path.startswith((BADGES_AT, ASSETS_AT))


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """The status page and the badges; where they are switched off, how to switch them on."""
    known = Known(dashboard)

    async def show(request: Request) -> Response:
        if not dashboard.settings.public_status:
            return PlainTextResponse(SWITCHED_OFF, 404)
        found = await known.now()
        if found is None:
            return PlainTextResponse("The status is not known at the moment.\n", 503)
        headers = {**_HEADERS, **_FOR_EVERYBODY, "vary": "accept-encoding"}
        if not takes_gzip(request):
            return HTMLResponse(found.page, headers=headers)
        headers["content-encoding"] = "gzip"
        return HTMLResponse(found.packed, headers=headers)

    async def show_badge(request: Request) -> Response:
        if not dashboard.settings.public_status:
            return PlainTextResponse(SWITCHED_OFF, 404)
        name = request.path_params["source"]
        if name not in dashboard.catalog.sources:
            return _svg(badge(name[:40], "none", "no such source", None), 404)
        found = await known.now()
        if found is None:
            return _svg(badge(name, "none", "not known", None), 503)
        one = found.sources[name]
        return _svg(badge(name, one.look, one.word, one.uptime))

    return [Route(STATUS_AT, show), Route(f"{BADGES_AT}{{source}}.svg", show_badge)]


@dataclass(frozen=True, slots=True)
class Found:
    """The status page, also packed, and what it says of each source."""

    page: bytes
    packed: bytes
    sources: Mapping[str, SourceStatus]


class Known:
    """What is shown to everybody, read at most every `KEPT_S`.

    Parameters
    ----------
    dashboard : Dashboard
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, dashboard: Dashboard, clock: Callable[[], float] = monotonic) -> None:
        self._dashboard = dashboard
        self._clock = clock
        self._found: Found | None = None
        self._due_at = -float("inf")
        self._turn = asyncio.Lock()

    async def now(self) -> Found | None:
        """The page and the sources; the last known while PostgreSQL is away, None before any."""
        async with self._turn:
            if self._clock() >= self._due_at:
                self._due_at = self._clock() + (KEPT_S if await self._read() else AGAIN_AFTER_S)
        return self._found

    async def _read(self) -> bool:
        dashboard, at = self._dashboard, self._dashboard.now()

        def read(connection: Any) -> Found:
            sources = statuses(connection, dashboard.catalog, at)
            values = {
                "sources": list(sources.values()),
                "at_moment": at,
                "overall": overall(sources),
            }
            page = rendered("status.html", values).encode()
            return Found(page, gzip.compress(page, 9, mtime=0), sources)

        try:
            self._found = await dashboard.database.read(read)
        except StorageError:
            return False  # the page says of which moment it is
        return True


def statuses(connection: Any, catalog: Catalog, now: datetime) -> dict[str, SourceStatus]:
    """How every source of the catalogue is."""
    totals = {each.source: each for each in totals_by_source(connection, now - DAY, now)}
    letters = source_letters(connection, now - DAY, now)
    states = {each.endpoint: each.state for each in open_incidents(connection)}
    newest = int(quarter_of(now).timestamp()) // 900
    return {
        name: _status(catalog, name, totals.get(name), letters.get(name, []), states, newest)
        for name in catalog.sources
    }


def overall(sources: Mapping[str, SourceStatus]) -> tuple[str, str]:
    """All of it in a look and a sentence or two."""
    look = _worst(each.look for each in sources.values())
    failing = [each.name for each in sources.values() if each.look == "failed"]
    healed = [each.name for each in sources.values() if each.look in {"healed", "healing"}]
    said = []
    if failing:
        said.append(f"Not all data is served: {', '.join(failing)}.")
    if healed:
        said.append(f"Served by healing: {', '.join(healed)}.")
    if not said:
        said.append("All is well." if look == "live" else "Nothing is watched yet.")
    return look, " ".join(said)


def _status(
    catalog: Catalog,
    name: str,
    totals: Totals | None,
    letters: Sequence[tuple[int, str]],
    states: Mapping[str, State],
    newest: int,
) -> SourceStatus:
    endpoints = []
    for each in catalog.endpoints_of(name):
        state = states.get(each.id)
        look, word = LIVE if state is None else LOOKS[state]
        endpoints.append((each.id.split("/", 1)[1], look, word))
    bar = letters_of(letters, newest)
    look = _worst(look for _, look, _ in endpoints)
    if totals is None and look == LIVE[0]:
        endpoints = [(each, *NOT_WATCHED) for each, _, _ in endpoints]
        look = NOT_WATCHED[0]
    words = {"failed": "failing", NOT_WATCHED[0]: NOT_WATCHED[1]}
    error_rate = None if totals is None else totals.error_rate
    return SourceStatus(
        name=name,
        look=look,
        word=words.get(look, look),
        uptime=None if totals is None else totals.uptime,
        answered=None if error_rate is None else 1.0 - error_rate,
        paths=paths_of(runs_of(bar)),
        label=label_of(bar),
        endpoints=endpoints,
    )


def _worst(looks: Any) -> str:
    found = set(looks)
    return next((each for each in WORST_FIRST if each in found), "none")


def _svg(text: str, status: int = 200) -> Response:
    headers = {**_HEADERS, **_FOR_EVERYBODY}
    return Response(text, status, headers=headers, media_type="image/svg+xml")
