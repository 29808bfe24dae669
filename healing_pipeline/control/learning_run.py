"""Learning from what is stored: fold hours, sum days, make a policy and judge it, close windows.

The assets and `healing learn` call these functions. pandas is loaded when a policy is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from healing_pipeline.learning.knowledge import (
    ATTEMPT_COLUMNS,
    INNER_COLUMNS,
    OUTER_COLUMNS,
    PAIR_COLUMNS,
    empty,
)
from healing_pipeline.learning.observations import OBSERVATION_COLUMNS, PARAMETER_COLUMNS
from healing_pipeline.learning.offpolicy import Comparison, compare
from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.reporting.learning_plot import LearningDay
from healing_pipeline.storage import learning, policies
from healing_pipeline.storage.database import Database

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)

# What an hour taught is forgotten by observation; older outcomes than these speak through the
# outer layer alone.
INNER_FOR = timedelta(days=90)
JUDGED_FOR = timedelta(days=1)

# What one transaction replaces, so that a year that is broken off keeps its first months.
AT_A_TIME = timedelta(days=30)

UNCHANGED, HELD = "unchanged", "held"


@dataclass(frozen=True, slots=True)
class Made:
    """What came of making a policy.

    Attributes
    ----------
    status : str
        ``published``; ``refused`` as worse; ``unchanged`` when the active one says the same;
        ``held`` when people went back to an earlier version, which stays until they let go.
    version : int
        Of the policy that was made; of the active one where none was kept.
    old : Policy
        The one that was active before.
    """

    status: str
    version: int
    reason: str
    policy: Policy
    old: Policy
    comparison: Comparison

    @property
    def is_first_of_its_day(self) -> bool:
        """Whether it was published, and none was on the same UTC day before."""
        if self.status != policies.PUBLISHED or self.policy.as_of is None:
            return False
        return self.old.as_of is None or day_of(self.old.as_of) < day_of(self.policy.as_of)


@dataclass(frozen=True, slots=True)
class Change:
    """How the rate of one strategy changed."""

    source: str
    failure_class: str
    strategy: str
    p_old: float
    p_new: float
    tries: int


def hour_of(moment: datetime) -> datetime:
    """The begin of the UTC hour."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """The begin of the UTC day."""
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)


def fold(
    database: Database,
    from_at: datetime,
    to_at: datetime,
    sources: Sequence[str],
    *,
    at_once: int = 2,
    told: Callable[[datetime], None] = lambda _: None,
) -> datetime:
    """Fold the hours [from_at, to_at) of sources, some weeks in a transaction.

    Hours whose facts were pruned keep what was learned of them.

    Parameters
    ----------
    at_once : int
        Transactions at the same time, each with a connection of its own.
    told : callable, optional
        Is given the end of every piece that is done.

    Returns
    -------
    datetime
        The first hour that was folded; `to_at` when none was.
    """
    first = to_at

    def fold_piece(piece: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
        with database.connection() as connection:
            folded_from = learning.fold_hours(connection, *piece, sources)
        return (folded_from if folded_from < piece[1] else to_at), piece[1]

    with ThreadPoolExecutor(at_once) as pool:
        for folded_from, done in pool.map(fold_piece, pieces(from_at, to_at)):
            first = min(first, folded_from)
            told(done)
    return first


def pieces(from_at: datetime, to_at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[from_at, to_at) in pieces of `AT_A_TIME`."""
    while from_at < to_at:
        end = min(from_at + AT_A_TIME, to_at)
        yield from_at, end
        from_at = end


def make_policy(
    connection: Connection[Any], as_of: datetime, sources: Sequence[str], *, release: bool = False
) -> Made:
    """Fit a policy to all that is known before `as_of`, and publish it unless it would heal less.

    Parameters
    ----------
    sources : sequence of str
        Whose failures of the last day it is held against.
    release : bool
        Whether to publish even where people had gone back to an earlier version.
    """
    policies.take_turn(connection)
    active = policies.active_policy(connection)
    version, old = (0, EMPTY) if active is None else active
    held = None if release else policies.rolled_back_to(connection)
    policy = fitted(connection, as_of)
    comparison = compare(policy, old, last_day(connection, as_of, sources))
    if held is not None:
        reason = f"version {held} was gone back to; `healing learn` publishes again"
        return Made(HELD, held, reason, policy, old, comparison)
    if active is not None and replace(policy, as_of=old.as_of).fingerprint == old.fingerprint:
        return Made(UNCHANGED, version, "nothing new was learned", policy, old, comparison)
    status, reason = policies.PUBLISHED, comparison.reason
    if active is None:
        reason = f"the first one; {reason}"
    if active is not None and comparison.is_worse:
        status = policies.REFUSED
        _LOG.warning("A new policy is refused: %s.", comparison.reason)
    judged = policies.Judged(
        policy,
        status,
        reason,
        comparison.events,
        comparison.value_new,
        comparison.value_old,
        comparison.standard_error,
        comparison.value_floor,
        comparison.value_ceiling,
    )
    kept = policies.store_policy(connection, judged, as_of)
    return Made(status, kept, reason, policy, old, comparison)


def fitted(connection: Connection[Any], as_of: datetime) -> Policy:
    """What everything that was folded before a moment teaches."""
    from healing_pipeline.learning.fitting import fit_knowledge

    inner, outer, pairs = knowledge(connection, as_of)
    if not len(inner) and not len(outer):
        return Policy(as_of=as_of)
    policy = fit_knowledge(
        inner,
        outer,
        pairs,
        # The hour that is still open teaches too, as far as it was folded.
        hour_of(as_of) + timedelta(hours=1),
        parameters=parameters(connection, as_of),
        observations=observations(connection, as_of),
    )
    return replace(policy, as_of=as_of)


def knowledge(
    connection: Connection[Any], as_of: datetime
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The inner, the outer and the pair rows that a policy is fitted to."""
    since = day_of(as_of - INNER_FOR)
    return (
        frame(learning.inner_rows(connection, since, as_of), INNER_COLUMNS),
        frame(learning.outer_rows(connection, as_of), OUTER_COLUMNS),
        frame(learning.pair_rows(connection, since, as_of), PAIR_COLUMNS),
    )


def parameters(connection: Connection[Any], as_of: datetime) -> pd.DataFrame:
    """How attempts fared by what they had waited."""
    rows = learning.parameter_rows(connection, day_of(as_of - INNER_FOR), as_of)
    return frame(rows, PARAMETER_COLUMNS)


def observations(connection: Connection[Any], as_of: datetime) -> pd.DataFrame:
    """What plain calls and probes saw."""
    rows = learning.observation_rows(connection, day_of(as_of - INNER_FOR), as_of)
    return frame(rows, OBSERVATION_COLUMNS)


def last_day(connection: Connection[Any], as_of: datetime, sources: Sequence[str]) -> pd.DataFrame:
    """The attempts that a new policy is held against."""
    rows = learning.lesson_rows(connection, as_of - JUDGED_FOR, as_of, sources)
    return frame(rows, (*ATTEMPT_COLUMNS, "exact"))


@dataclass(frozen=True, slots=True)
class Learned:
    """The policy in force, and how healing went; no version before the first."""

    version: int | None
    policy: Policy
    days: list[LearningDay]


def read_learning(connection: Connection[Any], now: datetime) -> Learned:
    """What the tables say of learning."""
    active = policies.active_policy(connection)
    version, policy = (None, EMPTY) if active is None else active
    return Learned(version, policy, healing_days(connection, now))


def healing_days(connection: Connection[Any], as_of: datetime) -> list[LearningDay]:
    """How healing went, day by day, as far back as the inner layer."""
    return [
        LearningDay(row["day"].date(), row["healed"], row["first_try"], row["headroom"])
        for row in learning.healing_days(connection, day_of(as_of - INNER_FOR), as_of)
    ]


def changes(old: Policy, new: Policy) -> list[Change]:
    """Every rate of a source that differs, the greatest difference first."""
    found = []
    for (source, failure_class), rates in new.inner.items():
        for strategy, rate in rates.items():
            before, _ = old.rate(source, failure_class, strategy)
            if before.p != rate.p:
                found.append(Change(source, failure_class, strategy, before.p, rate.p, rate.tries))
    found.sort(
        key=lambda each: (
            -abs(each.p_new - each.p_old),
            each.source,
            each.failure_class,
            each.strategy,
        )
    )
    return found


def frame(rows: Sequence[learning.Row], columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows as a frame with these columns, also where there are none."""
    import pandas as pd

    if not rows:
        nothing: pd.DataFrame = empty(columns)
        return nothing
    return pd.DataFrame.from_records(
        [[row[name] for name in columns] for row in rows], columns=list(columns)
    )
