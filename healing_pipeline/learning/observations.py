"""What is kept of waits and of plain calls, hour by hour: columns, buckets, a histogram's edges."""

from __future__ import annotations

from collections.abc import Sequence

PARAMETER_COLUMNS = (
    *("hour", "source", "failure_class", "strategy", "bucket", "tries", "healed", "ms"),
)
"""One row per (hour, source, failure class, strategy, bucket of seconds waited before a call)."""

OBSERVATION_COLUMNS = (
    *("hour", "source", "endpoint", "failure_class", "observations", "fail_windows", "ok_seconds"),
)
"""One row per (hour, source, endpoint, failure class or ok) that plain calls and probes saw.

`fail_windows`: bit i is set when the endpoint failed so in the i-th five minutes of the hour;
`ok_seconds`: of good calls, how many took how long, by `bucket_of`; empty for failures.
"""

# Of seconds waited, lower ends included; not to wait at all is a bucket of its own.
WAITED_BUCKETS = ("0", "0-0.1", "0.1-0.2", "0.2-0.4", "0.4-0.8", "0.8+")

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
