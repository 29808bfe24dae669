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
_opening = threading.Lock()


class HealingResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Gives access to the engine and the tables; opened once per process, on first use.

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
                stack = ExitStack()
                try:
                    session = open_session(stack, Path(self.config_path), os.environ)
                except BaseException:
                    stack.close()
                    raise
                atexit.register(stack.close)
                _opened[self.config_path] = session
            return _opened[self.config_path]
