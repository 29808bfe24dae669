"""The resource that every sensor, op and asset shares: this process's open session."""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import ExitStack
from pathlib import Path

import dagster as dg

from healing_pipeline.session import Session, open_session

_opened: dict[str, Session] = {}
_open_parts = ExitStack()
_opening = threading.Lock()


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
            if self.config_path not in _opened:
                with ExitStack() as parts:
                    session = open_session(parts, Path(self.config_path), os.environ)
                    _open_parts.enter_context(parts.pop_all())
                _opened[self.config_path] = session
            return _opened[self.config_path]


def close_sessions() -> None:
    """Close every session of this process, the last opened first; the next use opens a new one."""
    with _opening:
        _opened.clear()
        _open_parts.close()


atexit.register(close_sessions)
