"""The overview: a row for each endpoint, and how its changes reach a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import orjson
from jinja2 import Template
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from healing_pipeline.web.dashboard.bars import paths_of
from healing_pipeline.web.dashboard.live import Live
from healing_pipeline.web.dashboard.paging import number
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import (
    AT,
    environment,
    packed,
    page_response,
    rendered,
    theme_of,
)
from healing_pipeline.web.dashboard.snapshot import WORST_FIRST, Row
from healing_pipeline.web.dashboard.sockets import number_in

# A browser without scripts asks for the page again after so long.
RELOAD_S = 15

# Of a large catalog the page has so many endpoints of each source, the worst first, and the page of
# a source so many at a time.
MOST_WORST, MOST_OF_SOURCE = 10, 200


def pages_of(dashboard: Dashboard, live: Live) -> list[BaseRoute]:
    """The overview, its socket, and the same for browsers whose sockets fail."""
    rows = Rows(dashboard)

    async def show(request: Request) -> Response:
        live.watch()
        theme, asked = theme_of(request), request.query_params
        source = asked["source"] if asked.get("source") in dashboard.catalog.sources else None
        page = number(asked.get("page")) or 1

        def make() -> Response:
            return page_response(request, rows.page(live, theme, source, page))

        return await dashboard.database.compute(make)

    async def tell(request: Request) -> Response:
        live.watch()
        asked = request.query_params
        changes = live.board.changes
        missed = changes.since(asked.get("epoch", ""), number_in(asked.get("after", "")))
        messages = [changes.whole()] if missed is None else missed
        content = f"[{','.join(messages)}]".encode()
        return await dashboard.database.compute(
            partial(packed, request, content, "application/json")
        )

    async def tell_banner(request: Request) -> Response:
        top = live.board.changes.now[1].top
        return packed(request, orjson.dumps({"banner": top["banner"]}), "application/json")

    async def listen(socket: WebSocket) -> None:
        await live.sockets.serve(socket)

    return [
        Route(AT, show),
        Route(f"{AT}/state.json", tell),
        Route(f"{AT}/banner.json", tell_banner),
        WebSocketRoute(f"{AT}/live", listen),
    ]


class Rows:
    """The page as text; a row that did not change is not written again.

    Parameters
    ----------
    dashboard : Dashboard
    """

    def __init__(self, dashboard: Dashboard) -> None:
        self._catalog = dashboard.catalog
        self._names = {
            name: [each.id for each in self._catalog.endpoints_of(name)]
            for name in self._catalog.sources
        }
        self._written: dict[str, tuple[Row, Markup]] = {}

    def page(self, live: Live, theme: str | None, only: str | None = None, number: int = 1) -> str:
        """The whole page, as it is now.

        Parameters
        ----------
        only : str, optional
            A source of a large catalog, of whose endpoints page `number` is shown.
        """
        seq, state = live.board.changes.now
        is_large, rows = live.board.is_large, live.board.endpoint_rows
        sources = []
        for name in self._catalog.sources:
            if name not in state.rows or (is_large and only not in (None, name)):
                continue
            names = shown = self._names[name]
            if is_large and only is None:
                shown = worst_of(rows, names)
            elif is_large:
                shown = names[(number - 1) * MOST_OF_SOURCE : number * MOST_OF_SOURCE]
            sources.append(
                {
                    "name": name,
                    "row": self._row(name, state.rows[name]),
                    "endpoints": [self._row(each, rows[each]) for each in shown if each in rows],
                    "state": state.rows[name]["s"],
                    "counts": state.rows[name]["w"],
                    "all": f"{AT}?source={name}" if is_large else None,
                    "endpoints_in_all": len(names),
                    "next": f"{AT}?source={name}&page={number + 1}"
                    if only is not None and is_large and number * MOST_OF_SOURCE < len(names)
                    else None,
                }
            )
        values = {
            "here": "Overview",
            "banner": live.board.banner,
            "epoch": live.board.changes.epoch,
            "seq": seq,
            "top": state.top,
            "sources": sources,
            "states": WORST_FIRST,
            "reload_s": RELOAD_S,
            "is_large": is_large,
            "only": only if is_large else None,
        }
        return rendered("overview.html", values, theme)

    def _row(self, name: str, row: Row) -> Markup:
        known = self._written.get(name)
        if known is None or known[0] is not row:
            known = self._written[name] = (row, row_text(name, row))
        return known[1]


def worst_of(rows: Mapping[str, Row], names: Sequence[str]) -> list[str]:
    """Of a source's endpoints those that are not live, the worst first; not all where many are."""
    by_state: dict[str, list[str]] = {each: [] for each in WORST_FIRST}
    for each in names:
        if each in rows:
            by_state[rows[each]["s"]].append(each)
    ill = [each for state in ("failed", "healing", "healed") for each in by_state[state]]
    return ill[:MOST_WORST]


def row_text(name: str, row: Row) -> Markup:
    """One row of the table, of an endpoint or of a whole source."""
    values: Mapping[str, Any] = {
        "name": name,
        "short": name.partition("/")[2],
        "row": row,
        "bar": paths_of(row["b"]),
    }
    return Markup(_row_template().render(values))  # noqa: S704 (a template that escapes)  # nosec B704


@cache
def _row_template() -> Template:
    return environment().get_template("overview_row.html")
