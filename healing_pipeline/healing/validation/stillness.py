"""Series whose newest rows are copies: what a frozen market leaves inside one body."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from healing_pipeline.probing.reading import Reading

# A run of still rows this unlikely, by how often the same body's older rows stand still.
UNLIKELY = 1e-4

# Fewer older rows do not tell what is usual.
FEWEST_OLDER_ROWS = 20

# An economic series often repeats itself, a bar that was traded in does not.
FEWEST_STILL = {"close": 2, "value": 4}


@dataclass(frozen=True, slots=True)
class Row:
    """One row as far as standing still goes."""

    value: float
    open: float | None
    volume: float | None


def newest_two(reading: Reading) -> tuple[float | None, float | None]:
    """The newest ``close`` or ``value`` of a series and the one before, without reading it all."""
    found: list[float] = []
    for value in reversed(_column(reading)):
        if value is not None:
            found.append(value)
            if len(found) == 2:
                return found[0], found[1]
    return (found[0] if found else None), None


def standing_still(reading: Reading) -> str | None:
    """Say how the newest rows of a series stand still where the older ones move; None if not.

    Notes
    -----
    A bar stands still when it opens and closes at the close before it, though it was traded in:
    bars without volume are how providers write "no trade", and no lie. Series that often repeat
    themselves (a policy rate) are measured by their own habit and not accused.
    """
    newest, before = newest_two(reading)
    if newest is None or newest != before:
        return None
    rows = _rows(reading)
    is_traded = any(row.volume for row in rows)
    steps = [
        now.value == then.value
        and now.open in (None, now.value)
        and (bool(now.volume) or not is_traded)
        for then, now in pairwise(rows)
    ]
    still = 0
    while still < len(steps) and steps[-1 - still]:
        still += 1
    older = steps[: len(steps) - still]
    kind = "value" if rows[-1].open is None and rows[-1].volume is None else "close"
    if not older and still >= FEWEST_OLDER_ROWS and is_traded:
        return f"all {still + 1} rows stand at {newest:g}, though they were traded in"
    if len(older) < FEWEST_OLDER_ROWS or still < FEWEST_STILL[kind]:
        return None
    usual = (sum(older) + 1) / (len(older) + 2)
    if usual**still > UNLIKELY:
        return None
    return (
        f"the newest {still + 1} rows all stand at {newest:g}, "
        f"while {sum(older)} of the {len(older)} before them repeat the one before"
    )


def _rows(reading: Reading) -> list[Row]:
    columns = (_column(reading), reading.column("open"), reading.column("volume"))
    return [
        Row(value, opened, volume)
        for value, opened, volume in zip(*columns, strict=True)
        if value is not None
    ]


def _column(reading: Reading) -> tuple[float | None, ...]:
    return reading.column("close" if "close" in reading.fields else "value")
