"""The last policy on the local disk, for a start while PostgreSQL is away."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from healing_pipeline.learning.policy import EMPTY, Policy

_LOG = logging.getLogger(__name__)


class LocalPolicy:
    """Keeps one policy in one file; processes with one state folder share it.

    Parameters
    ----------
    path : Path
        Replaced as a whole, so that a reader never sees half of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Policy:
        """What was kept last; the empty policy when there is nothing usable."""
        try:
            return Policy.from_json(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return EMPTY
        except (OSError, ValueError) as error:
            _LOG.warning("%s holds no policy (%s); working without one", self._path, error)
            return EMPTY

    def write(self, policy: Policy) -> None:
        """Keep a policy; a full disk costs the file, nothing else."""
        name = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(
                "w", encoding="utf-8", dir=self._path.parent, prefix=self._path.name, delete=False
            ) as file:
                name = Path(file.name)
                file.write(policy.to_json())
            os.replace(name, self._path)  # noqa: PTH105 (both names are on hand)
        except OSError as error:
            _LOG.warning("the policy cannot be kept in %s: %s", self._path, error)
            if name is not None:
                name.unlink(missing_ok=True)
