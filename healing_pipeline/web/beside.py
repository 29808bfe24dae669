"""Everything beside the data, put together for a gateway: documentation, health, dashboard."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.types import ASGIApp

from healing_pipeline.catalog.settings import Settings
from healing_pipeline.data_path import DataPath
from healing_pipeline.installation import system_clock
from healing_pipeline.storage.bounded import BoundedDatabase
from healing_pipeline.web.dashboard import status
from healing_pipeline.web.dashboard.app import routes_of
from healing_pipeline.web.dashboard.guard import Guard, name_in
from healing_pipeline.web.dashboard.live import Live
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.gateway import OPEN_PATHS
from healing_pipeline.web.pages import Health, pages


class Pages:
    """The pages of one gateway; they work beside its data path and never in it.

    Parameters
    ----------
    path : DataPath
    settings : Settings
    hosts : frozenset of str or None
        The names of this machine that a page may be asked by besides loopback's and that of the
        address in links; None where a token is asked for.
    """

    def __init__(self, path: DataPath, settings: Settings, hosts: frozenset[str] | None) -> None:
        self._catalog = path.catalog
        now, url = system_clock().now, path.memory.url
        self._database = BoundedDatabase(url)
        self._live = Live(path.catalog, url, now)
        self._dashboard = Dashboard(
            catalog=path.catalog,
            settings=settings,
            now=now,
            database=self._database,
            banner=lambda: self._live.board.banner,
            recorder=path.recorder,
        )
        linked = name_in(settings.alerts.url.partition("://")[2].partition("/")[0])
        self._hosts = None if hosts is None else hosts | {linked}

    def start(self) -> None:
        """Begin to follow the database; to be called in the event loop that serves."""
        self._live.start()

    def close(self) -> None:
        """Stop following it."""
        self._live.close()
        self._database.close()

    def application(self, health: Health) -> ASGIApp:
        """The application for every path that is no data."""
        around = Middleware(Guard, dashboard=self._dashboard, hosts=self._hosts)
        return pages(self._catalog, health, routes_of(self._dashboard, self._live), around=[around])

    @staticmethod
    def is_open(path: str) -> bool:
        """Whether a path may be asked for without the gateway's token."""
        return path in OPEN_PATHS or status.is_open(path)
