"""The day's bar and the sparkline: how quarters of an hour become shapes. Pure.

Both are drawn here and in `assets/dashboard.js`, from the same short texts: a bar is its runs
(``90l2h4f``), a sparkline is the path itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

SLOTS = 96  # quarters of an hour in a day
NOBODY = "n"
# The worst of a quarter is what is shown of it.
WORSE = {"n": 0, "l": 1, "h": 2, "f": 3}
WORDS = {"l": "live", "h": "healed", "f": "failed", "n": "not watched"}
# Where each begins and how high it is, of 10: a failure is seen without its colour too.
SHAPES = {"n": (9, 1), "l": (4, 6), "h": (2, 8), "f": (0, 10)}
POINTS = 24  # of a sparkline: hours
# Letters as what sorts like them: a thousand bars are compared several times a second.
_RANKS = str.maketrans({letter: str(rank) for letter, rank in WORSE.items()})
_LETTERS = str.maketrans({str(rank): letter for letter, rank in WORSE.items()})
_PER_POINT = SLOTS // POINTS


def worst(letters: Iterable[str]) -> str:
    """The letter that tells most; ``n`` for none."""
    return max(letters, key=WORSE.__getitem__, default=NOBODY)


def worst_of_each(bars: Sequence[str]) -> str:
    """The worst letter of each quarter of several bars, of which there is one at least."""
    ranked = (each.translate(_RANKS) for each in bars)
    return "".join(map(max, zip(*ranked, strict=True))).translate(_LETTERS)


def runs_of(letters: str) -> str:
    """``llh`` as ``2l1h``."""
    return "".join(f"{sum(1 for _ in group)}{letter}" for letter, group in groupby(letters))


def letters_of(quarters: Iterable[tuple[int, str]], newest: int) -> str:
    """A letter for each quarter of the day that ends with `newest`, the oldest first."""
    letters = [NOBODY] * SLOTS
    first = newest - SLOTS + 1
    for quarter, letter in quarters:
        if first <= quarter <= newest:
            letters[quarter - first] = worst((letters[quarter - first], letter))
    return "".join(letters)


def label_of(letters: str) -> str:
    """A bar in words: ``failed 0.5 h, live 23.5 h``."""
    parts = [
        f"{WORDS[letter]} {count / 4:g} h"
        for letter in ("f", "h", "l", "n")
        if (count := letters.count(letter))
    ]
    return ", ".join(parts)


def paths_of(runs: str) -> Mapping[str, str]:
    """The bar's shapes: letter to the data of an SVG path, 96 wide and 10 high."""
    paths: dict[str, str] = {}
    at, count = 0, ""
    for each in runs:
        if each.isdigit():
            count += each
            continue
        width, count = int(count), ""
        top, height = SHAPES[each]
        paths[each] = f"{paths.get(each, '')}M{at} {top}h{width}v{height}h-{width}z"
        at += width
    return paths


def spark_of(waits: Mapping[int, int], newest: int) -> str:
    """Hourly means of the quarters' median waits as the data of an SVG path, 24 wide, 10 high.

    Parameters
    ----------
    waits : Mapping[int, int]
        Milliseconds by quarter; -1 where nobody waited.
    newest : int
        The quarter that is under way.
    """
    first = newest - SLOTS + 1
    sums, counts = [0] * POINTS, [0] * POINTS
    for quarter, wait in waits.items():
        if wait >= 0 and first <= quarter <= newest:
            point = (quarter - first) // _PER_POINT
            sums[point] += wait
            counts[point] += 1
    means = [total / count if count else None for total, count in zip(sums, counts, strict=True)]
    highest = max((each for each in means if each is not None), default=0) or 1
    path, before = "", None
    for at, mean in enumerate(means):
        if mean is None:
            before = None
            continue
        height = 10 - round(10 * mean / highest)
        if before is None:
            path += f"M{at} {height}h0"  # a dot where it stands alone
        elif height == before:
            path += "h1"
        else:
            path += f"l1 {height - before}"
        before = height
    return path
