"""The tables as arrays: what was observed of every cell, in the one order it is folded in.

A *cell* is (source, failure class, strategy), a *row* is (source, failure class). Codes are places
in the sorted names, so equal tables give equal arrays, whatever order their rows came in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from healing_pipeline.learning.knowledge import INNER_KEY, OUTER_COLUMNS, OUTER_KEY, outer_of

if TYPE_CHECKING:
    import pandas as pd

Array = Any
"""A numpy array; numpy is loaded where something is fitted, and not before."""

# The newest observations of a cell that estimates look at. At the slowest decay that forgets,
# 63/64, the 512th last weighs 3e-4.
CELL_KEPT = 512

SUMS = ("tries", "healed", "exact", "ms")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was observed until a moment.

    Attributes
    ----------
    sources, classes, strategies : tuple of str
        Sorted; their places are the codes. S, E and K are how many there are.
    cell : int array of shape (N,)
        ``(source * E + class) * K + strategy`` of each observation that is looked at singly,
        in the order (hour, cell, place within the hour).
    hour : int array of shape (N,)
        Hours since 1970.
    healed : bool array of shape (N,)
    totals : mapping of str to int array of shape (S, E, K)
        `SUMS` over all that was ever seen.
    day, day_source : int arrays of shape (D,)
        Days since 1970 of which something is known, by source.
    day_tries, day_healed : int arrays of shape (D, E, K)
    """

    sources: tuple[str, ...]
    classes: tuple[str, ...]
    strategies: tuple[str, ...]
    cell: Array
    hour: Array
    healed: Array
    totals: dict[str, Array]
    day: Array
    day_source: Array
    day_tries: Array
    day_healed: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """S, E and K."""
        return len(self.sources), len(self.classes), len(self.strategies)


def evidence_of(inner: pd.DataFrame, outer: pd.DataFrame) -> Evidence:
    """Read the tables.

    Parameters
    ----------
    inner : DataFrame
        `INNER_COLUMNS`; whole days, the newest ones.
    outer : DataFrame
        `OUTER_COLUMNS`; a day that is missing here is summed from `inner`.
    """
    import numpy as np
    import pandas as pd

    days = _all_days(inner, outer)
    names = [
        tuple(sorted({str(name) for frame in (inner, days) for name in frame[each].unique()}))
        for each in INNER_KEY[1:]
    ]
    shape = tuple(len(each) for each in names)
    cell, hour, healed = _observations(inner, names)

    totals = {each: np.zeros(shape, np.int64) for each in SUMS}
    if len(days):
        codes = [
            pd.Categorical(days[n], c).codes for n, c in zip(OUTER_KEY[1:], names, strict=True)
        ]
        for each in SUMS:
            np.add.at(totals[each], tuple(codes), days[each].to_numpy(np.int64))
        number = _whole(days["day"], "D")
        pairs, at = np.unique(
            np.stack([codes[0].astype(np.int64), number]), axis=1, return_inverse=True
        )
        day_tries = np.zeros((pairs.shape[1], *shape[1:]), np.int64)
        day_healed = np.zeros_like(day_tries)
        place = (np.ravel(at), codes[1], codes[2])
        np.add.at(day_tries, place, days["tries"].to_numpy(np.int64))
        np.add.at(day_healed, place, days["healed"].to_numpy(np.int64))
    else:
        pairs = np.zeros((2, 0), np.int64)
        day_tries = day_healed = np.zeros((0, *shape[1:]), np.int64)
    return Evidence(
        sources=names[0],
        classes=names[1],
        strategies=names[2],
        cell=cell,
        hour=hour,
        healed=healed,
        totals=totals,
        day=pairs[1],
        day_source=pairs[0],
        day_tries=day_tries,
        day_healed=day_healed,
    )


def _all_days(inner: pd.DataFrame, outer: pd.DataFrame) -> pd.DataFrame:
    """The outer table, and the sums of those days of `inner` that it does not have."""
    import pandas as pd

    own = outer_of(inner)
    if not len(outer) or not len(own):
        return own if not len(outer) else outer
    missing = own[~own["day"].isin(outer["day"].unique())]
    both = pd.concat([outer[list(OUTER_COLUMNS)], missing], ignore_index=True)
    return both.sort_values(list(OUTER_KEY), ignore_index=True)


def _observations(inner: pd.DataFrame, names: list[tuple[str, ...]]) -> tuple[Array, Array, Array]:
    """Cell, hour and outcome of the newest `CELL_KEPT` observations of each cell."""
    import numpy as np
    import pandas as pd

    if not len(inner):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool)
    cell = np.zeros(len(inner), np.int64)
    for name, known in zip(INNER_KEY[1:], names, strict=True):
        cell = cell * len(known) + pd.Categorical(inner[name], known).codes
    hour = _whole(inner["hour"], "h")
    texts = inner["outcomes"].to_numpy(object)
    length = np.fromiter((len(each) for each in texts), np.int64, len(texts))
    # By cell and hour, so that what is newer of the same cell can be counted.
    order = np.lexsort((hour, cell))
    cell, hour, texts, length = cell[order], hour[order], texts[order], length[order]
    after = np.cumsum(length)
    last = np.r_[cell[1:] != cell[:-1], True]
    end = after[last][np.cumsum(np.r_[0, last[:-1]])]
    kept = end - after < CELL_KEPT
    cell, hour, texts, length = cell[kept], hour[kept], texts[kept], length[kept]
    after = (end - after)[kept]
    bits = np.frombuffer("".join(texts).encode("ascii"), np.uint8) == ord("1")
    row = np.repeat(np.arange(len(cell)), length)
    first = np.cumsum(length) - length
    newer = after[row] + length[row] - 1 - (np.arange(len(row)) - first[row])
    kept = newer < CELL_KEPT
    row, bits = row[kept], bits[kept]
    cell, hour = cell[row], hour[row]
    order = np.lexsort((np.arange(len(cell)), cell, hour))
    return cell[order], hour[order], bits[order]


def _whole(times: pd.Series[Any], unit: str) -> Array:
    """Whole hours or days since 1970."""
    import numpy as np

    naive = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return naive.to_numpy().astype(f"datetime64[{unit}]").astype(np.int64)
