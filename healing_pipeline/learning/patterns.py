"""What people read of the learning: patterns of a source, of all sources, and when it throttles.

Tables, not decisions: the data path uses rates, and these say in words and numbers what is behind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Parameters

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]

SOURCE_PATTERN_COLUMNS = (
    *("source", "pattern_type", "occurrence_count", "fix_success_rate", "optimal_threshold"),
)
GLOBAL_PATTERN_COLUMNS = ("pattern", "count", "success_rate", "optimal_params")
WINDOW_COLUMNS = ("source", "from_hour", "to_hour", "share", "elsewhere", "days")

# Calls of which a burst of failures is judged; a threshold is for so many.
JUDGED_CALLS = 20
# Standard errors above the usual that are no chance any more.
BEYOND_CHANCE = 3.0

# An hour of the day is a throttling window when it is limited so many times as often as the
# source's other hours, on several days.
THROTTLED_TIMES = 3.0
LEAST_THROTTLED = 10
LEAST_DAYS = 3

TIMED = ("timeout", "slow")
LIMITED = ("rate_limit", "quota_exhausted")


def source_patterns(
    inner: pd.DataFrame, observations: pd.DataFrame, parameters: Mapping[str, Parameters]
) -> Rows:
    """Each source's failures: how often, how well they are mended, and from where on they count.

    Returns
    -------
    list of dict
        ``source``, ``pattern_type`` (the failure class), ``occurrence_count`` (bad calls and
        probes; attempts where none were observed), ``fix_success_rate`` (of the attempts against
        it) and ``optimal_threshold``: for time-outs and slowness the time limit in seconds; for
        others the share of `JUDGED_CALLS` calls above which it is no chance. None where too little
        is known.
    """
    fixes: dict[tuple[str, str], tuple[int, int]] = {}
    if len(inner):
        sums = inner.groupby(["source", "failure_class"], sort=True)[["tries", "healed"]].sum()
        fixes = {
            (str(source), str(failure_class)): (int(tries), int(healed))
            for source, failure_class, tries, healed in sums.reset_index().to_numpy().tolist()
        }
    seen: dict[tuple[str, str], int] = {}
    calls: dict[str, int] = {}
    if len(observations):
        counts = observations.groupby(["source", "failure_class"], sort=True)["observations"].sum()
        for source, failure_class, count in counts.reset_index().to_numpy().tolist():
            calls[source] = calls.get(source, 0) + int(count)
            if failure_class != "ok":
                seen[source, failure_class] = int(count)
    rows = []
    for source, failure_class in sorted({*fixes, *seen}):
        tries, healed = fixes.get((source, failure_class), (0, 0))
        count = seen.get((source, failure_class), 0)
        threshold = None
        if failure_class in TIMED:
            threshold = parameters.get(source, Parameters()).timeout_s
        elif calls.get(source):
            threshold = beyond_chance(count / calls[source])
        rows.append(
            {
                "source": source,
                "pattern_type": failure_class,
                "occurrence_count": count or tries,
                "fix_success_rate": round(healed / tries, 4) if tries else None,
                "optimal_threshold": threshold,
            }
        )
    return rows


def beyond_chance(usual: float) -> float:
    """The share of `JUDGED_CALLS` calls that is more than chance where `usual` fail."""
    usual = max(usual, 1.0 / 1000.0)
    spread = math.sqrt(usual * (1.0 - usual) / JUDGED_CALLS)
    return round(min(1.0, usual + BEYOND_CHANCE * spread), 4)


def global_patterns(policy: Policy) -> Rows:
    """Remedies over all sources: how often tried, how well, and with what.

    Returns
    -------
    list of dict
        ``pattern`` (failure class -> strategy), ``count`` (attempts), ``success_rate`` (pooled,
        with its prior) and ``optimal_params`` (expected seconds, and the retry delays of sources
        that have one), the most tried first.
    """
    rows = []
    for failure_class, rates in policy.outer.items():
        for strategy, rate in rates.items():
            if not rate.tries:
                continue
            params = [] if rate.seconds is None else [f"expected_s={rate.seconds:.2f}"]
            if strategy == "exponential_backoff_retry":
                params += [
                    f"{source}: first_delay_s={each.retry_delay_s:g}"
                    for source, each in sorted(policy.parameters.items())
                    if each.retry_delay_s is not None
                ]
            rows.append(
                {
                    "pattern": f"{failure_class} -> {strategy}",
                    "count": rate.tries,
                    "success_rate": round(rate.p, 4),
                    "optimal_params": ", ".join(params),
                }
            )
    return sorted(rows, key=lambda row: (-row["count"], row["pattern"]))


def throttling_windows(observations: pd.DataFrame) -> Rows:
    """Hours of the UTC day in which a source limits more than in its others.

    Returns
    -------
    list of dict
        ``source``, ``from_hour`` and ``to_hour`` (0 to 24, the second excluded; past midnight it is
        the smaller), ``share`` of calls limited inside, ``elsewhere``, and ``days`` it was seen on.
    """
    if not len(observations):
        return []
    frame = observations.assign(
        of_day=observations["hour"].dt.hour,
        day=observations["hour"].dt.floor("D"),
        limited=observations["observations"].where(observations["failure_class"].isin(LIMITED), 0),
    )
    rows: Rows = []
    for source, own in frame.groupby("source", sort=True):
        by_hour = own.groupby("of_day")[["observations", "limited"]].sum()
        days = own[own["limited"] > 0].groupby("of_day")["day"].nunique()
        by_hour = by_hour.assign(days=days).fillna(0)
        calm = by_hour["limited"] / by_hour["observations"]
        # The calm hours are the usual: more than half of a day is no window.
        usual = float(calm.median())
        is_hot = (
            (calm > THROTTLED_TIMES * max(usual, 1e-3))
            & (by_hour["limited"] >= LEAST_THROTTLED)
            & (by_hour["days"] >= LEAST_DAYS)
        )
        hot = sorted(int(each) for each in by_hour.index[is_hot])
        rest = by_hour[~is_hot]
        elsewhere = float(rest["limited"].sum() / max(1.0, rest["observations"].sum()))
        for begin, end in _runs(hot):
            inside = by_hour.loc[[each % 24 for each in range(begin, end)]]
            rows.append(
                {
                    "source": str(source),
                    "from_hour": begin,
                    "to_hour": end if end <= 24 else end - 24,
                    "share": round(
                        float(inside["limited"].sum() / inside["observations"].sum()), 4
                    ),
                    "elsewhere": round(elsewhere, 4),
                    "days": int(inside["days"].max()),
                }
            )
    return rows


def _runs(hours: list[int]) -> list[tuple[int, int]]:
    """Neighbouring hours as [begin, end), over midnight too (end past 24)."""
    runs: list[list[int]] = []
    for hour in hours:
        if runs and runs[-1][1] == hour:
            runs[-1][1] = hour + 1
        else:
            runs.append([hour, hour + 1])
    if len(runs) > 1 and runs[0][0] == 0 and runs[-1][1] == 24:
        runs[-1][1] += runs.pop(0)[1]
    return [(begin, end) for begin, end in runs]
