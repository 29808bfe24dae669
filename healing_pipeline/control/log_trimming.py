"""Logs of processes that run for months: a long one is begun anew, its older part beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 10_000_000
OLDER = ".1"


def trim_logs(state_dir: Path, most_bytes: int = MOST_BYTES) -> int:
    """Begin every log below `state_dir` anew that is longer than `most_bytes`; bytes that are gone.

    What it said stays in a file of the same name with ``.1`` behind it, until the next time.

    Notes
    -----
    Whoever writes appends, so that it goes on at the new end. A line that is written between the
    copy and the cut is lost.
    """
    gone = 0
    for log in _logs(state_dir):
        try:
            size = log.stat().st_size
            if size <= most_bytes:
                continue
            older = log.with_name(log.name + OLDER)
            gone += older.stat().st_size if older.exists() else 0
            shutil.copyfile(log, older)
            with log.open("r+b") as file:
                file.truncate(0)
        except OSError:
            # A process may have ended and taken its log with it; the next run sees to the rest.
            continue
    return gone


def _logs(state_dir: Path) -> Iterator[Path]:
    yield from state_dir.glob("*/*.log")
    yield from state_dir.glob("*/*/*.log")
    # PostgreSQL's own.
    yield from state_dir.glob("postgres/log")
