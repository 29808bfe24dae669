"""The resources: this process's open session, and a client for whoever only reads."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from random import Random

import dagster as dg

from healing_pipeline.client import HealingClient
from healing_pipeline.control.attendance import workers_of
from healing_pipeline.control.lookout import Lookout
from healing_pipeline.installation import config_path
from healing_pipeline.session import Session, open_session
from healing_pipeline.storage.probes import watch_new

_opened: dict[str, Session] = {}
_caught_up: set[str] = set()
_lookouts: dict[str, Lookout] = {}
_clients: dict[str, HealingClient] = {}
_defined: list[Path] = []
_open_parts = ExitStack()
_opening = threading.RLock()


class HealingResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives access to the engine and the tables; opened once per process, on first use.

    A code server evaluates hundreds of ticks an hour: each with a session of its own would connect
    hundreds of times. Where a process lives on after its last use, as a test does, `close_sessions`
    closes them.

    Attributes
    ----------
    config_path : str
        The configuration file.
    """

    config_path: str

    def session(self) -> Session:
        """Open the process's session, or give the one that is open.

        Raises
        ------
        HealingPipelineError
            If the configuration or PostgreSQL cannot be used; the tick or run fails with its cure.
        """
        with _opening:
            session = self.bare_session()
            if self.config_path not in _caught_up:
                session.catch_up()
                _caught_up.add(self.config_path)
            return session

    def bare_session(self) -> Session:
        """The process's session, which may know nothing yet of what the database knows.

        For whoever catches up with what it needs: a run that heals one endpoint.

        Raises
        ------
        HealingPipelineError
            As for `session`.
        """
        with _opening:
            if self.config_path not in _opened:
                with ExitStack() as parts:
                    session = open_session(
                        parts, Path(self.config_path), os.environ, caught_up=False
                    )
                    _open_parts.enter_context(parts.pop_all())
                _opened[self.config_path] = session
            return _opened[self.config_path]

    def lookout(self) -> Lookout:
        """What the ticks of this process share; opened on first use, with the session.

        Raises
        ------
        HealingPipelineError
            As for `session`.
        """
        with _opening:
            if self.config_path not in _lookouts:
                session = self.session()
                endpoints, shards = session.catalog.endpoints, session.watcher.shards

                def name_of(endpoint: str) -> str | None:
                    known = endpoints.get(endpoint)
                    return None if known is None else shards.name_of(endpoint, known.source)

                lookout = Lookout(
                    session.watcher,
                    session.database,
                    session.clock,
                    start=session.begin,
                    name_of=name_of,
                    workers=workers_of(sys.argv, os.environ, os.cpu_count() or 1),
                )
                _watch_all(session)
                lookout.start()
                session.limits.start()
                _open_parts.callback(lookout.close)
                _lookouts[self.config_path] = lookout
            return _lookouts[self.config_path]


def _watch_all(session: Session) -> None:
    """Let all that the configuration names be looked at; `healing migrate` need not have run."""
    spread = Random().random  # noqa: S311 (a schedule, not a secret)  # nosec B311
    with session.database.connection() as connection:
        watch_new(connection, session.catalog.endpoints.values(), session.clock.now(), spread)


class HealingClientResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A `HealingClient` for assets and ops of your own; opened once per process, on first use.

    It needs neither sensors nor jobs of ours, and PostgreSQL may be away.

    Attributes
    ----------
    config_path : str
        The configuration file.

    Examples
    --------
    ::

        @dg.asset
        def closing_prices(healing_client: HealingClientResource) -> dict[str, float]:
            client = healing_client.client()
            answer = client.fetch("yahoo/chart-aapl-1d", accepts={"exact", "stale"})
            if isinstance(answer, HealingFailed):
                raise dg.Failure(answer.verdict.evidence)
            return {p.at.isoformat(): p.value for p in answer.reading.points if p.field == "close"}

        dg.Definitions(
            assets=[closing_prices],
            # The name that it has in our definitions too.
            resources={"healing_client": HealingClientResource(config_path="healing_config.yaml")},
        )
    """

    config_path: str

    def client(self) -> HealingClient:
        """Open the process's client, or give the one that is open.

        Raises
        ------
        ConfigurationError
            If the configuration cannot be used.
        """
        with _opening:
            if self.config_path not in _clients:
                client = HealingClient.open(self.config_path, os.environ)
                _open_parts.callback(client.close)
                _clients[self.config_path] = client
            return _clients[self.config_path]


def defined_for(config: Path) -> None:
    """Note of which configuration this process's definitions are, for `open_ahead`."""
    _defined[:] = [config.resolve()]


def open_ahead() -> list[Path]:
    """Open the session of the process's definitions before there is a run that needs it.

    For a process that waits for its run: it holds a connection or two, which are looked at before
    they are used, and catches up when its run begins, however long it has waited.

    Returns
    -------
    list of Path
        The files it was made of: when one changes, it is out of date.
    """
    path = _defined[0] if _defined else config_path(os.environ).resolve()
    HealingResource(config_path=str(path)).bare_session()
    return [path]


def close_sessions() -> None:
    """Close what this process opened, the last first; the next use opens it anew."""
    with _opening:
        _opened.clear()
        _caught_up.clear()
        _lookouts.clear()
        _clients.clear()
        _open_parts.close()


atexit.register(close_sessions)
