"""Who orders strategies: fixed orders, parts of this project's policy, and other libraries.

All but the first two pack the budget and sort by success per second (`packed_first`), so that what
is compared is what they know, not what they do with it. All are told the expected seconds and the
mask of each source; the dependency map only helps who keeps a belief.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from healing_pipeline.learning import Policy
from healing_pipeline.learning.fitting import fit_knowledge
from healing_pipeline.learning.knowledge import (
    INNER_COLUMNS,
    OUTER_COLUMNS,
    PAIR_COLUMNS,
    empty,
    inner_of,
    outer_of,
    pairs_of,
)
from healing_pipeline.learning.packing import packed
from healing_world.race import Attempt
from healing_world.world import ERRORS, NEEDS, SHARED, STRATEGIES, Trace

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HOURS_A_MONTH = 30 * 24.0
FOREVER = 1e12


def packed_first(rates: Sequence[float], seconds: Sequence[float], budget_s: float) -> int:
    """Place of the strategy to try first."""
    inside = set(packed(rates, seconds, budget_s))
    return max(
        range(len(rates)), key=lambda place: (place in inside, rates[place] / seconds[place])
    )


class Fixed:
    """The order of the document, whatever happens."""

    name, goes_on, refit_h = "fixed order", False, FOREVER

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def learn(self, attempts: Sequence[Attempt], now_h: float) -> None: ...

    def saw(self, event: int, strategy: int, healed: bool, at_h: float) -> None: ...

    def first(self, event: int, candidates: Sequence[int], budget_s: float, at_h: float) -> int:
        return candidates[0]


class Random(Fixed):
    """Any order."""

    name = "random"

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.rng = np.random.default_rng(trace.seed)

    def first(self, event: int, candidates: Sequence[int], budget_s: float, at_h: float) -> int:
        return candidates[int(self.rng.integers(len(candidates)))]


class Knowing(Fixed, ABC):
    """Sorts by rates that somebody knows."""

    @abstractmethod
    def rates(self, event: int, candidates: Sequence[int], at_h: float) -> list[float]:
        """What it takes the candidates' chances to be."""

    def first(self, event: int, candidates: Sequence[int], budget_s: float, at_h: float) -> int:
        seconds = [float(self.trace.expected_s[each]) for each in candidates]
        rates = self.rates(event, candidates, at_h)
        return candidates[packed_first(rates, seconds, budget_s)]


class Oracle(Knowing):
    """Knows the current rates and which dependencies are up: the ceiling of learning."""

    name = "oracle, adaptive"

    def rates(self, event: int, candidates: Sequence[int], at_h: float) -> list[float]:
        return (self.trace.p[event] * self.trace.up[event])[list(candidates)].tolist()


class OracleRates(Knowing):
    """Knows the current rates only."""

    name = "oracle, rates only"

    def rates(self, event: int, candidates: Sequence[int], at_h: float) -> list[float]:
        return self.trace.p[event][list(candidates)].tolist()


class Tables:
    """The learning tables, kept as the assets keep them: hours for 90 days, days for ever."""

    KEPT = timedelta(days=90)

    def __init__(self) -> None:
        self.inner = empty(INNER_COLUMNS)
        self.outer = empty(OUTER_COLUMNS)
        self.pairs = empty(PAIR_COLUMNS)

    def add(self, attempts: pd.DataFrame, now: datetime) -> None:
        """Take over attempts of hours that are over."""
        self.inner = joined(self.inner, inner_of(attempts))
        self.pairs = joined(self.pairs, pairs_of(attempts))
        today = pd.Timestamp(now).floor("D")
        folded = self.outer["day"].max() if len(self.outer) else pd.Timestamp(0, tz="UTC")
        closed = (self.inner["hour"] < today) & (self.inner["hour"].dt.floor("D") > folded)
        if closed.any():
            self.outer = joined(self.outer, outer_of(self.inner[closed]))
            self.inner = self.inner[self.inner["hour"] >= today - self.KEPT]

    def policy(self, now: datetime) -> Policy:
        """What they teach."""
        return fit_knowledge(self.inner, self.outer, self.pairs, now)


def joined(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """One frame of two."""
    both = [each for each in (old, new) if len(each)]
    return pd.concat(both, ignore_index=True) if len(both) == 2 else (both or [old])[0]


class Ours(Fixed):
    """`healing_pipeline.learning`: fit, order, belief, and going on after the deadline."""

    name, goes_on = "healing_pipeline", True
    believes = True

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        # Where little happens, little is to be learned between two days.
        self.refit_h = 6.0 if trace.nature.failures_per_day > 10 else 24.0
        self.policy = Policy()
        self.tables = Tables()
        self.belief = MapBelief() if self.believes else None
        self.sources = [f"source{each:02d}" for each in range(int(trace.source.max()) + 1)]
        self.failed: list[str] = []
        self.event = -1

    def learn(self, attempts: Sequence[Attempt], now_h: float) -> None:
        """Fold what is new, as the assets do, and fit anew."""
        if not attempts:
            return
        new = frame_of(attempts, self.sources)
        now = EPOCH + timedelta(hours=now_h)
        self.tables.add(new, now)
        self.policy = self.tables.policy(now)

    def asked_of(self, event: int) -> str:
        return self.sources[self.trace.source[event]]

    def first(self, event: int, candidates: Sequence[int], budget_s: float, at_h: float) -> int:
        if event != self.event:
            self.event, self.failed = event, []
        source, error = self.asked_of(event), ERRORS[self.trace.error[event]]
        costs = {STRATEGIES[each]: float(self.trace.expected_s[each]) for each in candidates}
        believed = None
        if self.belief is not None:
            at = int(self.trace.source[event])
            believed = {STRATEGIES[each]: self.belief.up(at, each, at_h) for each in candidates}
        choice = self.policy.choose(source, error, costs, budget_s, believed, failed=self.failed)
        return STRATEGIES.index(choice.considered[0].strategy)

    def saw(self, event: int, strategy: int, healed: bool, at_h: float) -> None:
        if not healed:
            self.failed.append(STRATEGIES[strategy])
        if self.belief is not None:
            source = self.asked_of(event)
            rate, _ = self.policy.rate(
                source, ERRORS[self.trace.error[event]], STRATEGIES[strategy]
            )
            self.belief.observe(int(self.trace.source[event]), strategy, healed, rate.p, at_h)


class PerSourceOnly(Ours):
    """The inner layer alone: nothing is shared between sources."""

    name, believes = "per source only", False

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.own: dict[str, Tables] = {}
        self.policies: dict[str, Policy] = {}

    def learn(self, attempts: Sequence[Attempt], now_h: float) -> None:
        if not attempts:
            return
        new = frame_of(attempts, self.sources)
        now = EPOCH + timedelta(hours=now_h)
        for source in new["source"].unique():
            tables = self.own.setdefault(source, Tables())
            tables.add(new[new["source"] == source], now)
            self.policies[source] = tables.policy(now)

    def first(self, event: int, candidates: Sequence[int], budget_s: float, at_h: float) -> int:
        self.policy = self.policies.get(self.asked_of(event), Policy())
        return super().first(event, candidates, budget_s, at_h)


class PooledOnly(Ours):
    """The outer layer alone: every source is asked as a new one."""

    name, believes = "pooled only", False

    def asked_of(self, event: int) -> str:
        return "nobody"


class MapBelief:
    """Whether what strategies need is up: a two-state filter per source and dependency."""

    PRIOR, EXIT_PER_H = 0.02, 1.0

    def __init__(self) -> None:
        self.down: dict[tuple[int, str], tuple[float, float]] = {}

    def _key(self, source: int, dependency: str) -> tuple[int, str]:
        return (-1 if dependency in SHARED else source, dependency)

    def _down(self, source: int, dependency: str, at_h: float) -> float:
        known = self.down.get(self._key(source, dependency))
        if known is None:
            return self.PRIOR
        b, since = known
        return self.PRIOR + (b - self.PRIOR) * float(np.exp(-(at_h - since) * self.EXIT_PER_H))

    def up(self, source: int, strategy: int, at_h: float) -> float:
        up = 1.0
        for each in NEEDS[STRATEGIES[strategy]]:
            up *= 1.0 - self._down(source, each, at_h)
        return up

    def observe(self, source: int, strategy: int, healed: bool, rate: float, at_h: float) -> None:
        needs = NEEDS[STRATEGIES[strategy]]
        downs = [self._down(source, each, at_h) for each in needs]
        fails = 1.0 - rate * float(np.prod([1.0 - each for each in downs]))
        for each, down in zip(needs, downs, strict=True):
            now = 0.0 if healed else min(0.999, down / max(fails, 1e-9))
            self.down[self._key(source, each)] = (now, at_h)


class MabwiserThompson(Knowing):
    """MABWiser's Thompson sampling, a bandit per (source, error)."""

    name, refit_h = "MABWiser Thompson", 1.0

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.bandits: dict[tuple[int, int], Any] = {}

    def learn(self, attempts: Sequence[Attempt], now_h: float) -> None:
        from mabwiser.mab import MAB, LearningPolicy

        rows: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
        for each in attempts:
            arms, rewards = rows.setdefault((each.source, each.error), ([], []))
            arms.append(each.strategy)
            rewards.append(int(each.healed))
        for key, (arms, rewards) in rows.items():
            if key in self.bandits:
                self.bandits[key].partial_fit(arms, rewards)
            else:
                bandit = MAB(
                    list(range(len(STRATEGIES))),
                    LearningPolicy.ThompsonSampling(),
                    seed=self.trace.seed,
                )
                bandit.fit(arms, rewards)
                self.bandits[key] = bandit

    def rates(self, event: int, candidates: Sequence[int], at_h: float) -> list[float]:
        bandit = self.bandits.get((self.trace.source[event], self.trace.error[event]))
        if bandit is None:
            return [0.5] * len(candidates)
        said = bandit.predict_expectations()
        return [min(max(said[each], 1e-6), 1.0) for each in candidates]


class VowpalWabbit(Knowing):
    """Vowpal Wabbit, logistic, error x strategy and source x error x strategy; updated by event."""

    name, refit_h = "Vowpal Wabbit", 1.0

    def __init__(self, trace: Trace) -> None:
        from vowpalwabbit import pyvw

        super().__init__(trace)
        self.model = pyvw.Workspace(
            "--quiet --loss_function logistic --link logistic -q ek -q sk --cubic sek -b 18 "
            f"--random_seed {trace.seed}"
        )

    def _example(self, source: int, error: int, strategy: int) -> str:
        return f"|s s{source} |e e{error} |k k{strategy}"

    def learn(self, attempts: Sequence[Attempt], now_h: float) -> None:
        for each in attempts:
            label = 1 if each.healed else -1
            self.model.learn(f"{label} {self._example(each.source, each.error, each.strategy)}")

    def rates(self, event: int, candidates: Sequence[int], at_h: float) -> list[float]:
        source, error = int(self.trace.source[event]), int(self.trace.error[event])
        return [float(self.model.predict(self._example(source, error, k))) for k in candidates]


class Logistic(Knowing):
    """scikit-learn's logistic regression on the same crossings, fitted daily, half-life 30 days."""

    name, refit_h = "scikit-learn logistic", 24.0

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.told: list[Attempt] = []
        self.weights: Any = None
        self.table: np.ndarray[Any, Any] | None = None

    def _codes(self, source: Any, error: Any, strategy: Any) -> list[Any]:
        errors, strategies = len(ERRORS), len(STRATEGIES)
        return [
            strategy,
            strategies + error * strategies + strategy,
            strategies * (1 + errors) + source * strategies + strategy,
            strategies * (1 + errors + int(self.trace.source.max()) + 1)
            + (source * errors + error) * strategies
            + strategy,
        ]

    def learn(self, attempts: Sequence[Attempt], now_h: float) -> None:
        from scipy.sparse import csr_matrix
        from sklearn.linear_model import LogisticRegression

        self.told.extend(attempts)
        # With a half-life of 30 days what is older than 180 weighs less than a sixtieth.
        self.told = [each for each in self.told if now_h - each.at_h < 6 * HOURS_A_MONTH]
        if len({each.healed for each in self.told}) < 2:
            return
        rows = np.array([(a.source, a.error, a.strategy, a.healed) for a in self.told])
        age = now_h - np.array([each.at_h for each in self.told])
        codes = np.stack(self._codes(*rows[:, :3].T), axis=1)
        many = (
            self._codes(int(self.trace.source.max()), len(ERRORS) - 1, len(STRATEGIES) - 1)[-1] + 1
        )
        index = np.arange(len(rows)).repeat(4)
        design = csr_matrix((np.ones(codes.size), (index, codes.ravel())), (len(rows), many))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = LogisticRegression(C=1.0, max_iter=60)
            model.fit(design, rows[:, 3], sample_weight=0.5 ** (age / HOURS_A_MONTH))
        self.weights = (model.coef_[0], float(model.intercept_[0]))

    def rates(self, event: int, candidates: Sequence[int], at_h: float) -> list[float]:
        if self.weights is None:
            return [0.5] * len(candidates)
        coefficients, intercept = self.weights
        source, error = int(self.trace.source[event]), int(self.trace.error[event])
        codes = self._codes(source, error, np.array(list(candidates)))
        logits = intercept + sum(coefficients[each] for each in codes)
        return (1.0 / (1.0 + np.exp(-logits))).tolist()


def frame_of(attempts: Sequence[Attempt], sources: Sequence[str]) -> pd.DataFrame:
    """Attempts as `healing_pipeline.learning.fit` takes them."""
    columns = list(zip(*attempts, strict=True))
    return pd.DataFrame(
        {
            "at": pd.Timestamp(EPOCH) + pd.to_timedelta(np.array(columns[0]), unit="h"),
            "event_id": columns[1],
            "attempt_no": columns[2],
            "source": [sources[each] for each in columns[3]],
            "failure_class": [ERRORS[each] for each in columns[4]],
            "strategy": [STRATEGIES[each] for each in columns[5]],
            "healed": columns[6],
            "seconds": columns[7],
            "late": columns[8],
        }
    )


CONTENDERS: tuple[Callable[[Trace], Any], ...] = (
    Fixed,
    Random,
    PooledOnly,
    PerSourceOnly,
    MabwiserThompson,
    VowpalWabbit,
    Logistic,
    Ours,
    OracleRates,
    Oracle,
)
