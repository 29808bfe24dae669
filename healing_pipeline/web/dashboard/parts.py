"""What every page of the dashboard works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from healing_pipeline.catalog.settings import Settings
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.storage.bounded import BoundedDatabase
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.web.dashboard.rendering import page_response, rendered, theme_of


@dataclass(frozen=True, slots=True)
class BannerLine:
    """One thing that a visitor has to know, whatever the page.

    Attributes
    ----------
    level : str
        ``critical``, ``error``, ``warning`` or ``info``.
    mark, word : str
        The level as a shape and as a word.
    href : str or None
        The page that tells more.
    """

    level: str
    mark: str
    word: str
    text: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Banner:
    """What stands above every page; without lines nothing is said."""

    lines: tuple[BannerLine, ...] = ()


def no_banner() -> Banner:
    """Nothing to say."""
    return Banner()


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The parts that pages share.

    Attributes
    ----------
    catalog : Catalog
    settings : Settings
    now : callable
        Aware UTC.
    database : BoundedDatabase
        ``await dashboard.database.read(lambda connection: ...)``; raises `StorageError`, of which
        the guard around all pages makes a readable page.
    banner : callable
        What stands above every page now.
    recorder : Recorder or None
        The gateway's own, where there is one.
    """

    catalog: Catalog
    settings: Settings
    now: Callable[[], datetime]
    database: BoundedDatabase
    banner: Callable[[], Banner] = field(default=no_banner)
    recorder: Recorder | None = None

    async def page(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> Response:
        """A page made of a template of `templates/`, rendered beside the event loop."""
        theme = theme_of(request)
        given: Mapping[str, Any] = {"banner": self.banner(), **values}

        def make() -> Response:
            return page_response(request, rendered(template, given, theme), status)

        return await self.database.compute(make)

    async def problem(self, request: Request, status: int, title: str, text: str) -> Response:
        """A page that says why there is no other."""
        return await self.page(request, "problem.html", status=status, title=title, text=text)
