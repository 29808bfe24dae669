"""What the learning tables hold, and how attempts become their rows.

The sufficient statistics are whole numbers and texts, so that a partition computed again, in any
order and in parallel, gives the same bytes. pandas is imported where a frame is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd

# The newest outcomes of an hour that are kept, oldest first: what forgetting by observation needs.
# With a decay of 15/16 the 256th last weighs 7e-8.
OUTCOMES_KEPT = 256

ATTEMPT_COLUMNS = (
    *("at", "event_id", "attempt_no", "source", "failure_class", "strategy"),
    *("healed", "seconds", "late"),
)

INNER_COLUMNS = (
    *("hour", "source", "failure_class", "strategy", "tries", "healed", "exact"),
    *("late_tries", "late_healed", "ms", "outcomes"),
)
"""One row per (hour, source, failure class, strategy) that was tried.

`tries`, `healed`: attempts, late ones included, and those that healed; `exact`: of `healed`, those
whose answer was exact; `late_tries`, `late_healed`: the part that ended after the deadline; `ms`:
milliseconds of all attempts, each rounded; `outcomes`: a text of 1 (healed) and 0 in the order
(at, event, attempt), the last `OUTCOMES_KEPT` of them.
"""

PAIR_COLUMNS = ("hour", "source", "failure_class", "failed", "then", "tries", "healed")
"""One row per pair of strategies used in one event, the first of which failed: how often the
second was tried after it, and how often it healed."""

OUTER_COLUMNS = (
    *("day", "source", "failure_class", "strategy", "tries", "healed", "exact"),
    *("late_tries", "late_healed", "ms"),
)
"""The sum of a day's inner rows; never forgets."""


INNER_KEY, PAIR_KEY, OUTER_KEY = INNER_COLUMNS[:4], PAIR_COLUMNS[:5], OUTER_COLUMNS[:4]


def ordered(attempts: pd.DataFrame) -> pd.DataFrame:
    """Attempts once each, in the one order everything is folded in: (at, event, attempt).

    Parameters
    ----------
    attempts : DataFrame
        `ATTEMPT_COLUMNS`, and `exact` (bool) where labels are known; otherwise whatever healed
        counts as exact. In any order, with repetitions: an attempt is known by event and number.

    Returns
    -------
    DataFrame
        The same columns with `exact`, `hour` (start of the UTC hour) and `ms` (whole number).

    Raises
    ------
    ValueError
        If a column is missing, or `at` holds no times.
    """
    import numpy as np

    checked(attempts)
    frame = attempts.assign(at=moments(attempts["at"]))
    if "exact" not in frame.columns:
        frame["exact"] = frame["healed"]
    frame = frame.drop_duplicates(["event_id", "attempt_no"])
    frame = frame.sort_values(["at", "event_id", "attempt_no"], kind="stable", ignore_index=True)
    frame["hour"] = frame["at"].dt.floor("h")
    frame["ms"] = np.rint(frame["seconds"].to_numpy(float) * 1000.0).astype("int64")
    return frame


def checked(attempts: pd.DataFrame) -> None:
    """Require the columns that attempts need.

    Raises
    ------
    ValueError
        If one is missing, or `at` holds no times.
    """
    missing = [each for each in ATTEMPT_COLUMNS if each not in attempts.columns]
    if missing:
        raise ValueError(
            f"The attempts lack {', '.join(missing)}. "
            f"Give a frame with {', '.join(ATTEMPT_COLUMNS)}."
        )
    moments(attempts["at"])


def moments(at: pd.Series[Any]) -> pd.Series[Any]:
    """Times as aware UTC; those without a zone are taken to be UTC, as everything here is.

    Raises
    ------
    ValueError
        If they are no times.
    """
    import pandas as pd

    if not isinstance(at.dtype, pd.DatetimeTZDtype) and pd.api.types.is_numeric_dtype(at.dtype):
        raise ValueError(
            f"The column `at` holds {at.dtype}. Give times: "
            "pd.to_datetime(..., unit=..., utc=True)."
        )
    try:
        return pd.to_datetime(at, utc=True)
    except (ValueError, TypeError) as error:
        raise ValueError(f"The column `at` holds what is no time: {error}.") from error


def inner_of(attempts: pd.DataFrame) -> pd.DataFrame:
    """Fold attempts, as `ordered` takes them, into `INNER_COLUMNS`, sorted by their key."""
    import numpy as np

    if not len(attempts):
        return cast("pd.DataFrame", empty(INNER_COLUMNS))
    frame = ordered(attempts)
    healed = frame["healed"].to_numpy(bool)
    late = frame["late"].to_numpy(bool)
    frame = frame.assign(
        tries=1,
        healed=healed.astype("int64"),
        exact=(healed & frame["exact"].to_numpy(bool)).astype("int64"),
        late_tries=late.astype("int64"),
        late_healed=(late & healed).astype("int64"),
    )
    grouped = frame.groupby(list(INNER_KEY), sort=True, observed=True)
    rows = grouped[list(INNER_COLUMNS[len(INNER_KEY) : -1])].sum()
    # One text of all outcomes, group after group in the order of attempts, cut at the groups' ends.
    by_group = np.argsort(grouped.ngroup().to_numpy(), kind="stable")
    text = (healed[by_group].astype("uint8") + ord("0")).tobytes().decode("ascii")
    ends = rows["tries"].cumsum().tolist()
    begins = [0, *ends[:-1]]
    rows["outcomes"] = [
        text[max(begin, end - OUTCOMES_KEPT) : end] for begin, end in zip(begins, ends, strict=True)
    ]
    return rows.reset_index()[list(INNER_COLUMNS)]


def pairs_of(attempts: pd.DataFrame) -> pd.DataFrame:
    """Fold attempts, as `ordered` takes them, into `PAIR_COLUMNS`, sorted by their key."""
    if not len(attempts):
        return cast("pd.DataFrame", empty(PAIR_COLUMNS))
    frame = ordered(attempts)
    frame["healed"] = frame["healed"].astype(bool)
    first = frame.loc[~frame["healed"], ["event_id", "attempt_no", "strategy"]]
    both = first.rename(columns={"strategy": "failed", "attempt_no": "before"}).merge(
        frame, on="event_id"
    )
    both = both[both["before"] < both["attempt_no"]].rename(columns={"strategy": "then"})
    both = both.assign(tries=1, healed=both["healed"].astype("int64"))
    rows = both.groupby(list(PAIR_KEY), sort=True, observed=True)[["tries", "healed"]].sum()
    return rows.reset_index()[list(PAIR_COLUMNS)]


def outer_of(inner: pd.DataFrame) -> pd.DataFrame:
    """Sum inner rows by day: `OUTER_COLUMNS`, sorted by their key."""
    if not len(inner):
        return cast("pd.DataFrame", empty(OUTER_COLUMNS))
    sums = list(OUTER_COLUMNS[len(OUTER_KEY) :])
    days = inner.assign(day=inner["hour"].dt.floor("D"))
    rows = days.groupby(list(OUTER_KEY), sort=True, observed=True)[sums].sum()
    return rows.reset_index()[list(OUTER_COLUMNS)]


def empty(columns: tuple[str, ...]) -> Any:
    """A frame with these columns and no rows."""
    import pandas as pd

    return pd.DataFrame({each: [] for each in columns})
