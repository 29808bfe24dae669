"""Yahoo's crumbs: a new one every second, which knows when it was handed out.

A crumb says its moment in its own text, so a simulation need not remember those it gave away.
"""

from __future__ import annotations

from typing import Final

from healing_pipeline.simulator.noise import seed_of

CRUMB_PATH: Final = "/v1/test/getcrumb"

_MARK = "."


def crumb_of(seed: int, at_s: int) -> str:
    """The crumb that is handed out in a second since 1970."""
    return f"{at_s:x}{_MARK}{seed_of('crumb', seed, at_s) & 0xFFFFFF:06x}"


def crumb_issued_s(seed: int, crumb: str) -> int | None:
    """The second in which a crumb was handed out; None for what is no crumb of ours."""
    said, mark, _ = crumb.partition(_MARK)
    try:
        at_s = int(said, 16) if mark else None
    except ValueError:
        return None
    return at_s if at_s is not None and crumb_of(seed, at_s) == crumb else None
