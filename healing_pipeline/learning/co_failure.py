"""What fails together: endpoints, and sources, in the same five minutes.

In real outage histories half and more of the outages begin within minutes of another's; those that
do stand on something that they share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]

PAIR_OF_COLUMNS = ("left", "right", "together", "left_windows", "right_windows", "share")
GROUP_COLUMNS = ("group", "size", "windows")

WINDOWS_AN_HOUR = 12

# What failed in fewer windows may have met another by chance.
LEAST_WINDOWS = 5
# Only what failed most is compared: every pair of ten thousand endpoints would be a day's work.
MOST_COMPARED = 400
# Of the windows in which either failed, those in which both did, to be worth a line.
LEAST_SHARE = 0.3

# The caller's mistakes say nothing about what endpoints share.
CALLERS = ("ok", "bad_request", "not_found", "plan_limit")


def co_failures(observations: pd.DataFrame, by: str) -> Rows:
    """Pairs that fail together.

    Parameters
    ----------
    observations : DataFrame
        `OBSERVATION_COLUMNS`.
    by : str
        ``endpoint`` or ``source``.

    Returns
    -------
    list of dict
        ``left``, ``right``, ``together`` (five-minute windows in which both failed),
        ``left_windows`` and ``right_windows`` (in which each did) and ``share`` (together, of the
        windows in which either did: Jaccard), the most first.
    """
    import numpy as np

    names, windows = _windows(observations, by)
    if len(names) < 2:
        return []
    each = windows.sum(axis=1)
    both = windows.astype(np.int32) @ windows.T.astype(np.int32)
    rows = [
        {
            "left": names[left],
            "right": names[right],
            "together": int(both[left, right]),
            "left_windows": int(each[left]),
            "right_windows": int(each[right]),
            "share": round(
                float(both[left, right] / (each[left] + each[right] - both[left, right])), 4
            ),
        }
        for left in range(len(names))
        for right in range(left + 1, len(names))
        if both[left, right] >= LEAST_SHARE * (each[left] + each[right] - both[left, right])
    ]
    return sorted(rows, key=lambda row: (-row["share"], row["left"], row["right"]))


def co_failing_groups(observations: pd.DataFrame) -> Rows:
    """Endpoints in groups that fail together: average linkage on the Jaccard distance.

    Returns
    -------
    list of dict
        ``group`` (the names, joined by a space), ``size`` and ``windows`` (in which most of the
        group failed), groups of two and more, the largest first.
    """
    import numpy as np
    from sklearn.cluster import AgglomerativeClustering

    names, windows = _windows(observations, "endpoint")
    if len(names) < 2:
        return []
    each = windows.sum(axis=1)
    both = windows.astype(np.int32) @ windows.T.astype(np.int32)
    distance = 1.0 - both / np.maximum(1, each[:, None] + each[None, :] - both)
    np.fill_diagonal(distance, 0.0)
    labels = AgglomerativeClustering(
        n_clusters=None,
        metric="precomputed",
        linkage="average",
        distance_threshold=1.0 - LEAST_SHARE,
    ).fit_predict(distance)
    rows = []
    for label in sorted(set(labels.tolist())):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            most = windows[members].sum(axis=0) * 2 > len(members)
            rows.append(
                {
                    "group": " ".join(names[member] for member in members),
                    "size": len(members),
                    "windows": int(most.sum()),
                }
            )
    return sorted(rows, key=lambda row: (-row["size"], row["group"]))


def _windows(observations: pd.DataFrame, by: str) -> tuple[list[str], Any]:
    """Names, sorted, and a bool array (names, windows): whether each failed in each window."""
    import numpy as np

    nothing: tuple[list[str], Any] = [], np.zeros((0, 0), bool)
    if not len(observations):
        return nothing
    bad = observations[~observations["failure_class"].isin(CALLERS)]
    bad = bad[bad["fail_windows"] > 0]
    if not len(bad):
        return nothing
    hours = {each: place for place, each in enumerate(sorted(bad["hour"].unique()))}
    names = sorted(bad[by].unique())
    windows = np.zeros((len(names), len(hours), WINDOWS_AN_HOUR), bool)
    place = {each: index for index, each in enumerate(names)}
    bits = 1 << np.arange(WINDOWS_AN_HOUR)
    for name, hour, mask in zip(bad[by], bad["hour"], bad["fail_windows"], strict=True):
        windows[place[name], hours[hour]] |= (int(mask) & bits) > 0
    flat = windows.reshape(len(names), -1)
    many = flat.sum(axis=1)
    kept = np.flatnonzero(many >= LEAST_WINDOWS)
    if len(kept) > MOST_COMPARED:
        kept = np.sort(kept[np.argsort(-many[kept], kind="stable")[:MOST_COMPARED]])
    return [str(names[each]) for each in kept], flat[kept]
