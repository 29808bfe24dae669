"""Which files a process has loaded, and whether one of them has changed since."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable

# A check of some thousand files takes some milliseconds; twenty launches at once share one.
FRESH_S = 0.05


class LoadedFiles:
    """The modules' files of this process as they were when it loaded them.

    Parameters
    ----------
    since_ns : int
        Wall clock before the first of them was loaded. What was written after that may have been
        read before: it counts as changed.
    but : LoadedFiles, optional
        Files that another watches already.
    """

    def __init__(self, since_ns: int, but: LoadedFiles | None = None) -> None:
        self._since_ns = since_ns
        self._but = but
        self._stamps: dict[str, tuple[int, int] | None] = {}
        self._checked_at = -FRESH_S
        self._changed: tuple[str, ...] = ()
        self.note(())

    def note(self, also: Iterable[str]) -> None:
        """Take in what has been loaded meanwhile, and `also` these files."""
        known = self._stamps.keys() | (self._but._stamps.keys() if self._but else frozenset())
        now_ns = time.time_ns()
        for name in (*_module_files(), *also):
            if name not in known:
                stamp = _stamp(name)
                written_meanwhile = stamp is not None and self._since_ns < stamp[0] <= now_ns
                self._stamps[name] = None if written_meanwhile else stamp

    def changed(self) -> tuple[str, ...]:
        """The files that are not what they were, the first few; empty when all are."""
        if not self._changed and time.monotonic() - self._checked_at >= FRESH_S:
            found = (
                name
                for name, stamp in self._stamps.items()
                if stamp is None or _stamp(name) != stamp
            )
            self._changed = tuple(name for name, _ in zip(found, range(3), strict=False))
            self._checked_at = time.monotonic()
        return self._changed


def _module_files() -> set[str]:
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {each for each in files if isinstance(each, str)}


def _stamp(name: str) -> tuple[int, int] | None:
    """Modification time in ns and size; (0, 0) for a file that is not there."""
    try:
        status = os.stat(name)  # noqa: PTH116 (thousands of them, before every run)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
