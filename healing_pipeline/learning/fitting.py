"""From knowledge to a policy: `fit` for attempts, `fit_knowledge` for the tables."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from healing_pipeline.learning.policy import Policy

if TYPE_CHECKING:
    import pandas as pd


def fit(attempts: pd.DataFrame, as_of: datetime) -> Policy:
    """Learn a policy from attempts."""
    from healing_pipeline.learning.knowledge import inner_of, outer_of, pairs_of

    known = attempts[attempts["at"] < as_of]
    inner = inner_of(known)
    return fit_knowledge(inner, outer_of(inner), pairs_of(known), as_of)


def fit_knowledge(
    inner: pd.DataFrame, outer: pd.DataFrame, pairs: pd.DataFrame, as_of: datetime
) -> Policy:
    """Learn a policy from the tables; the same one as `fit` from the attempts behind them.

    Parameters
    ----------
    inner : DataFrame
        `INNER_COLUMNS`, the hours whose outcomes still count.
    outer : DataFrame
        `OUTER_COLUMNS`, all days.
    pairs : DataFrame
        `PAIR_COLUMNS`.
    as_of : datetime
        Aware UTC; rows of that moment or later are left out.
    """
    from types import MappingProxyType

    from healing_pipeline.learning.policy import Rate

    del outer, pairs
    rows = inner[inner["hour"] < as_of] if len(inner) else inner
    found: dict[tuple[str, str], dict[str, Rate]] = {}
    sums = rows.groupby(["source", "failure_class", "strategy"])[["tries", "healed", "exact", "ms"]]
    for (source, failure_class, strategy), row in sums.sum().iterrows() if len(rows) else ():
        tries, healed, exact, ms = (int(each) for each in row)
        rate = Rate(
            (healed + 0.5) / (tries + 1), tries, ms / tries / 1000, exact / healed if healed else None
        )
        found.setdefault((source, failure_class), {})[strategy] = rate
    return Policy(as_of=as_of, inner=MappingProxyType(found))
