"""Whether a fact that comes from a disk is one: every column holds what its table takes.

A line that was torn in the middle may still be JSON, and one bad value that is believed would end
whoever works with it: the data path that starts from it, the thread that replays it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from types import UnionType
from typing import TypeAlias, Union, get_args, get_origin, get_type_hints

from healing_pipeline.healing.facts import Fact
from healing_pipeline.probing.reading import Reading

_Taken: TypeAlias = tuple[type, ...]


def unsound(fact: Fact) -> str | None:
    """The first thing that is wrong with a fact, in words; None for a sound one."""
    for name, taken in _TAKEN[type(fact)].items():
        value = getattr(fact, name)
        if not _is_one_of(value, taken):
            return f"its {name} is {str(value)[:40]!r}"
    return None


def _is_one_of(value: object, taken: _Taken) -> bool:
    if isinstance(value, bool):
        return bool in taken
    if isinstance(value, int | float) and float in taken:
        return _is_finite(value)
    if isinstance(value, datetime):
        return datetime in taken and value.tzinfo is not None
    if isinstance(value, Reading):
        return Reading in taken and _is_reading(value)
    return isinstance(value, taken)


def _is_reading(reading: Reading) -> bool:
    points = reading.points
    return (
        bool(points)
        and all(isinstance(each, str) for each in (reading.instrument, reading.interval))
        and reading.as_of.tzinfo is not None
        and all(isinstance(each.field, str) and each.at.tzinfo is not None for each in points)
        and all(_is_finite(each.value) for each in points)
        and all((a.at, a.field) < (b.at, b.field) for a, b in pairwise(points))
    )


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no column holds
        return False


def _parts_of(hint: object) -> _Taken:
    """The types that an annotation names: ``str | None`` is two of them."""
    if get_origin(hint) in (Union, UnionType):
        return tuple(each for part in get_args(hint) for each in _parts_of(part))
    kind = get_origin(hint) or hint
    assert isinstance(kind, type), f"{hint} is no type of a column"
    return (kind,)


_TAKEN: Mapping[type[Fact], Mapping[str, _Taken]] = {
    kind: {name: _parts_of(hint) for name, hint in get_type_hints(kind).items()}
    for kind in get_args(Fact)
}
