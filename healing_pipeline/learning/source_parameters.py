"""What is learned of one source as a whole: the delay before a retry, the time limit of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healing_pipeline.learning.observations import OK_SECONDS_EDGES, WAITED_BUCKETS, kept_within
from healing_pipeline.learning.rates import Parameters

if TYPE_CHECKING:
    import pandas as pd

RETRY = "exponential_backoff_retry"

# The middle of each bucket of waits, seconds; of the open one, where most of it lies.
MIDDLES = dict(zip(WAITED_BUCKETS, (0.0, 0.05, 0.15, 0.3, 0.6, 1.0), strict=True))

# Fewer retries say nothing about delays, and fewer good calls nothing about the slowest of them.
LEAST_RETRIES = 40
LEAST_CALLS = 200

# A retry draws its wait from [0, first delay]: its middle is half of that.
SHORTEST_DELAY_S = 0.05

# Of the good calls, those that a time limit must let through; and the room above them.
KEPT_SHARE = 0.99
ROOM = 1.25


def source_parameters(
    parameters: pd.DataFrame, observations: pd.DataFrame
) -> dict[str, Parameters]:
    """Learn `Parameters` by source.

    Parameters
    ----------
    parameters : DataFrame
        `PARAMETER_COLUMNS`.
    observations : DataFrame
        `OBSERVATION_COLUMNS`.

    Returns
    -------
    dict of Parameters
        Only sources of which enough was seen for one of the two.
    """
    delays = retry_delays(parameters)
    limits = time_limits(observations)
    return {
        source: Parameters(delays.get(source), limits.get(source))
        for source in sorted({*delays, *limits})
    }


def retry_delays(parameters: pd.DataFrame) -> dict[str, float]:
    """The first delay of a retry that heals most per second, by source.

    Notes
    -----
    A longer wait never makes success less likely, so the rate over the delay is fitted as an
    isotonic regression weighted by tries; what is maximised is that rate over the mean seconds of
    such a retry. Full jitter explores the delays by itself. A source whose retries all waited about
    the same teaches nothing beyond that.
    """
    import numpy as np
    from sklearn.isotonic import IsotonicRegression

    found = {}
    retries = parameters[parameters["strategy"] == RETRY] if len(parameters) else parameters
    for source, rows in retries.groupby("source", sort=True) if len(retries) else ():
        sums = rows.groupby("bucket")[["tries", "healed", "ms"]].sum()
        sums = sums.reindex([each for each in WAITED_BUCKETS if each in sums.index])
        tries = sums["tries"].to_numpy(float)
        if tries.sum() < LEAST_RETRIES:
            continue
        middles = np.array([MIDDLES[each] for each in sums.index])
        share = (sums["healed"].to_numpy(float) + 0.5) / (tries + 1.0)
        rate = IsotonicRegression().fit(middles, share, sample_weight=tries).predict(middles)
        seconds = np.maximum(sums["ms"].to_numpy(float) / tries / 1000.0, 0.001)
        best = middles[int(np.argmax(rate / seconds))]
        found[str(source)] = round(max(2.0 * float(best), SHORTEST_DELAY_S), 3)
    return found


def time_limits(observations: pd.DataFrame) -> dict[str, float]:
    """A time limit that nearly all good calls keep, by source; seconds."""
    import numpy as np

    found = {}
    good = observations[observations["failure_class"] == "ok"] if len(observations) else None
    for source, rows in good.groupby("source", sort=True) if good is not None else ():
        counts = np.zeros(len(OK_SECONDS_EDGES) + 1, np.int64)
        for each in rows["ok_seconds"]:
            counts += np.asarray(each, np.int64)
        limit = kept_within(counts.tolist(), KEPT_SHARE)
        if counts.sum() >= LEAST_CALLS and limit is not None:
            found[str(source)] = round(limit * ROOM, 3)
    return found
