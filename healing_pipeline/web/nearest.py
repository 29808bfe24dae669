"""The names that are most like one that does not exist, out of any number, within milliseconds.

`difflib` takes a tenth of a millisecond a name, and no other reader is served meanwhile. So of many
names it is shown few: the neighbours in the alphabet, by the whole name and by its last part.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from difflib import get_close_matches

# As many as are compared one by one; so many neighbours are looked at to either side of a place.
MOST_COMPARED, NEIGHBOURS = 64, 8


class Nearest:
    """Finds the names that somebody may have meant.

    Parameters
    ----------
    names : iterable of str
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names)
        self._by_end = sorted((each.rpartition("/")[2], each) for each in self._names)

    def to(self, name: str, *, most: int = 5, cutoff: float) -> list[str]:
        """Names like `name`, the nearest first.

        Parameters
        ----------
        cutoff : float
            How like they have to be, 0 to 1.
        """
        return get_close_matches(name, self._candidates(name), n=most, cutoff=cutoff)

    def _candidates(self, name: str) -> Iterable[str]:
        if len(self._names) <= MOST_COMPARED:
            return self._names
        at = bisect_left(self._names, name)
        found = dict.fromkeys(self._names[max(0, at - NEIGHBOURS) : at + NEIGHBOURS])
        end = bisect_left(self._by_end, (name.rpartition("/")[2], ""))
        near_end = self._by_end[max(0, end - NEIGHBOURS) : end + NEIGHBOURS]
        return found | dict.fromkeys(each for _, each in near_end)
