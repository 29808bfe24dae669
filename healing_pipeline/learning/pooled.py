"""The outer layer: what strategies heal anywhere, and how they fail together.

Plain sums that never forget; a source counts with at most `SOURCE_CAP` observations of a cell, so
that a busy source does not speak for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from healing_pipeline.learning.evidence import Array, Evidence
from healing_pipeline.learning.published import published_rate

if TYPE_CHECKING:
    import pandas as pd

SOURCE_CAP = 15

# Observations that a published rate is worth once others are seen.
PUBLISHED_STRENGTH = 4.0

# Published rates come from other circumstances: above `MODEST` they are believed by a quarter, or
# everything that was never tried would be tried at a reader's cost.
MODEST = 0.4
BELIEVED = 0.25

# Attempts after a failure that "no connection" is worth: pairs are rare, and chance is not.
PAIR_STRENGTH = 20.0
# A change of odds is not believed beyond this factor either way.
MOST_CHANGE = 8.0
LEAST_CHANGE = 1.05


def outer_rates(evidence: Evidence) -> Array:
    """Probability that each strategy heals against each failure class, at any source.

    Returns
    -------
    float array of shape (E, K)
        The published rate where nothing was tried.
    """
    import numpy as np

    tries, healed = evidence.totals["tries"], evidence.totals["healed"]
    kept = np.minimum(1.0, SOURCE_CAP / np.maximum(tries, 1))
    published = np.array(
        [
            [_modest(published_rate(each, strategy)) for strategy in evidence.strategies]
            for each in evidence.classes
        ]
    ).reshape(len(evidence.classes), len(evidence.strategies))
    tries, healed = (kept * tries).sum(axis=0), (kept * healed).sum(axis=0)
    return (healed + PUBLISHED_STRENGTH * published) / (tries + PUBLISHED_STRENGTH)


def anywhere_rates(evidence: Evidence) -> Array:
    """The same over all failure classes: float array of shape (K,)."""
    import numpy as np

    tries, healed = evidence.totals["tries"], evidence.totals["healed"]
    kept = np.minimum(1.0, SOURCE_CAP / np.maximum(tries, 1))
    published = np.array([_modest(published_rate("", each)) for each in evidence.strategies])
    tries, healed = (kept * tries).sum(axis=(0, 1)), (kept * healed).sum(axis=(0, 1))
    return (healed + PUBLISHED_STRENGTH * published) / (tries + PUBLISHED_STRENGTH)


def _modest(published: float) -> float:
    return min(published, MODEST + BELIEVED * (published - MODEST))


def after_failure(pairs: pd.DataFrame, strategies: Sequence[str]) -> dict[str, dict[str, float]]:
    """How the odds of a strategy change by the failure of another in the same event.

    Strategies that stand on the same thing fail together; nobody has to say which do. What is
    compared is the second strategy's rate after the first one's failure with its rate after any
    failure in the same (source, failure class), because whoever is tried second meets the harder
    cases anyway.

    Parameters
    ----------
    pairs : DataFrame
        `PAIR_COLUMNS`.

    Returns
    -------
    dict of dict
        ``[failed][then]``, factors of the odds; those near 1 are left out.
    """
    import numpy as np
    import pandas as pd

    if not len(pairs):
        return {}
    place = {name: index for index, name in enumerate(strategies)}
    pairs = pairs[pairs["failed"].isin(place) & pairs["then"].isin(place)]
    shape = (len(place), len(place))
    seen, expected, tries = (np.zeros(shape) for _ in range(3))
    cells = pairs.groupby(["source", "failure_class", "failed", "then"], sort=True, observed=True)
    sums = cells[["tries", "healed"]].sum().reset_index()
    any_first = sums.groupby(["source", "failure_class", "then"])[["tries", "healed"]].transform(
        "sum"
    )
    rate = (any_first["healed"] + 0.5) / (any_first["tries"] + 1.0)
    at = (
        pd.Categorical(sums["failed"], list(strategies)).codes,
        pd.Categorical(sums["then"], list(strategies)).codes,
    )
    np.add.at(seen, at, sums["healed"].to_numpy(float))
    np.add.at(tries, at, sums["tries"].to_numpy(float))
    np.add.at(expected, at, (rate * sums["tries"]).to_numpy(float))
    usual = np.where(tries > 0, expected / np.maximum(tries, 1.0), 0.5)
    now = (seen + PAIR_STRENGTH * usual) / (tries + PAIR_STRENGTH)
    factor = (now / (1.0 - now)) / (usual / (1.0 - usual))
    factor = np.clip(factor, 1.0 / MOST_CHANGE, MOST_CHANGE)
    found: dict[str, dict[str, float]] = {}
    for first, failed in enumerate(strategies):
        for second, then in enumerate(strategies):
            value = float(factor[first, second])
            if max(value, 1.0 / value) >= LEAST_CHANGE:
                found.setdefault(failed, {})[then] = round(value, 4)
    return found
