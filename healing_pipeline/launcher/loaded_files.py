"""Which files a process has loaded, and whether one of them has changed since."""

from __future__ import annotations

import os
import sys
import sysconfig
import time
from collections.abc import Iterable

Stamp = tuple[int, int] | None

# Twenty launches at once share one look at a project's files.
FRESH_S = 0.05

# The thousands of files of installed libraries change with an upgrade, which takes longer.
LIBRARIES_FRESH_S = 2.0

# What a file system's clock may lag behind ours.
LAG_NS = 20_000_000

LIBRARIES = tuple(
    sysconfig.get_path(each) + os.sep for each in ("stdlib", "platstdlib", "purelib", "platlib")
)


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
        self._since_ns = since_ns - LAG_NS
        self._but = but
        self._project = _Watched(FRESH_S)
        self._libraries = _Watched(LIBRARIES_FRESH_S)
        self.note(())

    def note(self, also: Iterable[str]) -> None:
        """Take in what has been loaded meanwhile, and `also` these files."""
        now_ns = time.time_ns()
        for name in (*_module_files(), *also):
            if name in self or (self._but is not None and name in self._but):
                continue
            stamp = _stamp(name)
            written_meanwhile = stamp is not None and self._since_ns < stamp[0] <= now_ns
            watched = self._libraries if name.startswith(LIBRARIES) else self._project
            watched.stamps[name] = None if written_meanwhile else stamp

    def changed(self) -> tuple[str, ...]:
        """The files that are not what they were, the first few; empty when all are.

        Notes
        -----
        A project's files are looked at each time, installed libraries' every other second.
        """
        return self._project.changed() or self._libraries.changed()

    def __contains__(self, name: str) -> bool:
        return name in self._project.stamps or name in self._libraries.stamps


class _Watched:
    def __init__(self, fresh_s: float) -> None:
        self.stamps: dict[str, Stamp] = {}
        self._fresh_s = fresh_s
        self._looked_at = -fresh_s
        self._changed: tuple[str, ...] = ()

    def changed(self) -> tuple[str, ...]:
        if not self._changed and time.monotonic() - self._looked_at >= self._fresh_s:
            found = (
                name
                for name, stamp in self.stamps.items()
                if stamp is None or _stamp(name) != stamp
            )
            self._changed = tuple(name for name, _ in zip(found, range(3), strict=False))
            self._looked_at = time.monotonic()
        return self._changed


def _module_files() -> set[str]:
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {each for each in files if isinstance(each, str)}


def _stamp(name: str) -> Stamp:
    """Modification time in ns and size; (0, 0) for a file that is not there."""
    try:
        status = os.stat(name)  # noqa: PTH116 (thousands of them, before every run)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
