"""From knowledge to a policy: `fit` for attempts, `fit_knowledge` for the tables.

Both are the same fold: attempts first become the rows of the tables. Deterministic: no chance, no
clock, and every sum in the order of sorted names, so equal tables give byte-equal policies.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Rate

if TYPE_CHECKING:
    import pandas as pd

    from healing_pipeline.learning.evidence import Array, Evidence

# Rates are published with so many decimals: more than anybody knows, and the same everywhere.
DECIMALS = 6


def fit(attempts: pd.DataFrame, as_of: datetime) -> Policy:
    """Learn a policy from attempts.

    Parameters
    ----------
    attempts : DataFrame
        One row per use of a strategy, in any order, with the columns

        - ``at``: time, UTC where it names no zone;
        - ``event_id``: of the failure it was used against; ``attempt_no``: from 1 within it;
        - ``source``, ``failure_class``, ``strategy``: names, known to us or not;
        - ``healed``: bool; ``seconds``: float, >= 0; ``late``: bool, whether it ended after the
          deadline: such attempts teach like others;
        - ``exact``: bool, optional: whether what healed was the data itself.

        Repetitions of (event, attempt) count once. May be empty.
    as_of : datetime
        UTC where it names no zone; nothing of that moment or later teaches.

    Returns
    -------
    Policy

    Raises
    ------
    ValueError
        If a column is missing, or `at` holds no times.

    Notes
    -----
    Takes some 0.1 s for 100,000 attempts. For more than fit into memory, fold them by the hour
    (`knowledge.inner_of`) and use `fit_knowledge`, as the assets do.
    """
    import pandas as pd

    from healing_pipeline.learning.knowledge import (
        checked,
        inner_of,
        moments,
        outer_of,
        pairs_of,
    )

    if as_of.tzinfo is None:
        as_of = as_of.replace(tzinfo=UTC)
    if not len(attempts):
        return Policy(as_of=as_of)
    checked(attempts)
    known = attempts[moments(attempts["at"]) < pd.Timestamp(as_of)]
    inner = inner_of(known)
    return _fitted(inner, outer_of(inner), pairs_of(known), as_of)


def fit_knowledge(
    inner: pd.DataFrame,
    outer: pd.DataFrame,
    pairs: pd.DataFrame,
    as_of: datetime,
    *,
    parameters: pd.DataFrame | None = None,
    observations: pd.DataFrame | None = None,
) -> Policy:
    """Learn a policy from the tables; the same one as `fit` from the attempts behind them.

    Parameters
    ----------
    inner : DataFrame
        `INNER_COLUMNS`: whole days, the newest ones (the assets give 90).
    outer : DataFrame
        `OUTER_COLUMNS`, all days; one that is missing is summed from `inner`.
    pairs : DataFrame
        `PAIR_COLUMNS`.
    as_of : datetime
        Aware UTC; hours and days that end later are left out.
    parameters, observations : DataFrame, optional
        The rows of ``inner_parameter`` and ``inner_observation``: what `Policy.parameters` and
        `Policy.tables` are learned from; those stay empty without.
    """
    import pandas as pd

    from healing_pipeline.learning.knowledge import empty
    from healing_pipeline.learning.observations import OBSERVATION_COLUMNS, PARAMETER_COLUMNS

    limit, hour, day = pd.Timestamp(as_of), pd.Timedelta(hours=1), pd.Timedelta(days=1)
    inner = inner[inner["hour"] + hour <= limit] if len(inner) else inner
    outer = outer[outer["day"] + day <= limit] if len(outer) else outer
    pairs = pairs[pairs["hour"] + hour <= limit] if len(pairs) else pairs
    policy = _fitted(inner, outer, pairs, as_of)
    return _described(
        policy,
        inner,
        empty(PARAMETER_COLUMNS) if parameters is None else parameters,
        empty(OBSERVATION_COLUMNS) if observations is None else observations,
    )


def _described(
    policy: Policy, inner: pd.DataFrame, parameters: pd.DataFrame, observations: pd.DataFrame
) -> Policy:
    """The policy with what was learned of sources as a whole, and with tables for people."""
    from healing_pipeline.learning.co_failure import co_failing_groups, co_failures
    from healing_pipeline.learning.patterns import (
        global_patterns,
        source_patterns,
        throttling_windows,
    )
    from healing_pipeline.learning.source_parameters import source_parameters

    own = source_parameters(parameters, observations)
    policy = replace(policy, parameters=MappingProxyType(own))
    tables = {
        "source_patterns": source_patterns(inner, observations, own),
        "global_patterns": global_patterns(policy),
        "throttling_windows": throttling_windows(observations),
        "endpoints_failing_together": co_failures(observations, "endpoint"),
        "sources_failing_together": co_failures(observations, "source"),
        "groups_failing_together": co_failing_groups(observations),
    }
    return replace(policy, tables=MappingProxyType(tables))


def _fitted(
    inner: pd.DataFrame, outer: pd.DataFrame, pairs: pd.DataFrame, as_of: datetime
) -> Policy:
    from healing_pipeline.learning.estimate import inner_rates
    from healing_pipeline.learning.evidence import evidence_of
    from healing_pipeline.learning.pooled import after_failure, anywhere_rates, outer_rates

    known = evidence_of(inner, outer)
    if not known.sources:
        return Policy(as_of=as_of)
    pooled = outer_rates(known)
    rates = inner_rates(known, pooled)
    totals = {name: values.sum(axis=0) for name, values in known.totals.items()}
    anywhere = {name: values.sum(axis=0) for name, values in totals.items()}
    found = {}
    for s, source in enumerate(known.sources):
        for e, failure_class in enumerate(known.classes):
            own = {name: values[s, e] for name, values in known.totals.items()}
            cells = _rates(known, rates[s, e], own, seen_only=True)
            if cells:
                found[source, failure_class] = cells
    return Policy(
        as_of=as_of,
        inner=MappingProxyType(found),
        outer=MappingProxyType(
            {
                failure_class: _rates(
                    known, pooled[e], {name: values[e] for name, values in totals.items()}
                )
                for e, failure_class in enumerate(known.classes)
            }
        ),
        anywhere=_rates(known, anywhere_rates(known), anywhere),
        after=MappingProxyType(
            {
                failed: MappingProxyType(then)
                for failed, then in after_failure(pairs, known.strategies).items()
            }
        ),
    )


def _rates(
    known: Evidence, p: Array, totals: dict[str, Array], *, seen_only: bool = False
) -> MappingProxyType[str, Rate]:
    """One row of rates, shape (K,), by strategy."""
    found = {}
    columns = (p, totals["tries"], totals["healed"], totals["exact"], totals["ms"])
    values: list[Any] = [each.tolist() for each in columns]
    for strategy, rate, tries, healed, exact, ms in zip(known.strategies, *values, strict=True):
        if tries or not seen_only:
            found[strategy] = Rate(
                p=round(rate, DECIMALS),
                tries=tries,
                seconds=round(ms / tries / 1000.0, DECIMALS) if tries else None,
                exact=round(exact / healed, DECIMALS) if healed else None,
            )
    return MappingProxyType(found)
