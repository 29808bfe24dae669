"""How long good calls took, as counts: the edges of the histogram that is kept for every hour."""

from __future__ import annotations

from collections.abc import Sequence

# Five per decade from 10 ms to 10 s: a time limit is chosen within a factor of 1.6, and no finer
# than the next hour would confirm. Changing them makes every kept histogram wrong: fold anew.
OK_SECONDS_EDGES = (
    *(0.01, 0.016, 0.025, 0.04, 0.063, 0.1, 0.16, 0.25, 0.4, 0.63),
    *(1.0, 1.6, 2.5, 4.0, 6.3, 10.0),
)


def bucket_of(seconds: float) -> int:
    """The bucket of a duration: the number of edges that it reached."""
    return sum(seconds >= edge for edge in OK_SECONDS_EDGES)


def kept_within(counts: Sequence[int], share: float) -> float | None:
    """The shortest edge that at least `share` of the counted calls kept.

    Parameters
    ----------
    counts : sequence of int of length ``len(OK_SECONDS_EDGES) + 1``
    share : float
        0 to 1.

    Returns
    -------
    float or None
        Seconds; None without calls, or where more than the rest took longer than the last edge.
    """
    total, kept = sum(counts), 0
    if total == 0:
        return None
    for count, edge in zip(counts, OK_SECONDS_EDGES, strict=False):
        kept += count
        if kept >= share * total:
            return edge
    return None
