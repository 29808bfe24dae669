"""The folder where warm processes meet: private, and with a name that a socket's path can hold."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from healing_pipeline.launcher.settings import LONGEST_FOLDER


def usable_folder(folder: Path) -> Path:
    """`folder`, or a stand-in with a shorter name: a Unix socket's path is limited."""
    folder = folder.resolve()
    if len(os.fsencode(folder)) <= LONGEST_FOLDER:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"dagster-warm-{os.getuid()}-{digest}"


def private_folder(folder: Path) -> Path:
    """A folder that only this user can enter: whoever reaches its sockets can run code.

    Raises
    ------
    OSError
        If it cannot be made, or belongs to somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    folder.chmod(0o700)
    return folder
