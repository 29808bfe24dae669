"""One stack at a time on one state folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.installation import STATE_DIR_VARIABLE


class AlreadyRunningError(HealingPipelineError):
    """Another `healing up` works on the same state."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock.

    Raises
    ------
    AlreadyRunningError
        If another process does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise AlreadyRunningError(
                f"`healing up` runs already (process {lock.read().strip() or 'unknown'}). Stop it "
                f"first, or give this one a state of its own: {STATE_DIR_VARIABLE}=..."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)
