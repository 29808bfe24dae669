"""Failures of sources, and what each strategy would have done against each: drawn once, for all.

Every contender faces the same trace: outcomes and durations are drawn once per (event, strategy).
The numbers below are choices, and the ceiling (what an oracle reaches) follows from them; results
are therefore read as shares of the headroom between the fixed order and the oracle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

DAY_H = 24.0
BUDGET_S = 3.0

ERRORS = (
    *("timeout", "slow", "network_error", "server_error"),
    *("rate_limit", "auth_error", "empty", "stale_data"),
)
STRATEGIES = (
    *("exponential_backoff_retry", "use_cached_data", "reduce_request_size", "etf_proxy"),
    *("alternate_host", "rotate_api_key", "alternate_series", "batch_requests"),
    *("fallback_provider", "use_daily_data", "long_ttl_cache", "refresh_session"),
    *("hedged_request", "second_provider", "partial_answer"),
)
DEPENDENCIES = ("origin", "auth", "network", "alt_provider", "cache", "mirror")
SHARED = ("network", "cache")  # by all sources

NEEDS: dict[str, tuple[str, ...]] = {
    "exponential_backoff_retry": ("origin", "network"),
    "use_cached_data": ("cache",),
    "reduce_request_size": ("origin", "network"),
    "etf_proxy": ("origin", "network"),
    "alternate_host": ("mirror", "network"),
    "rotate_api_key": ("origin", "auth", "network"),
    "alternate_series": ("origin", "network"),
    "batch_requests": ("origin", "network"),
    "fallback_provider": ("alt_provider", "network"),
    "use_daily_data": ("origin", "network"),
    "long_ttl_cache": ("cache",),
    "refresh_session": ("origin", "auth", "network"),
    "hedged_request": ("mirror", "network"),
    "second_provider": ("alt_provider", "network"),
    "partial_answer": ("origin",),
}


@dataclass(frozen=True, slots=True)
class Nature:
    """The constants of a world.

    Attributes
    ----------
    failures_per_day : float
        Of each source.
    change_every_days, drift : float
        How often a source changes abruptly, and how far rates wander (log-odds, one deviation).
    deviation : float
        Of a source from the common rates, log-odds.
    quirks : float
        Share of (source, error) in which a good and a bad strategy have changed places.
    returns : float
        Share of the abrupt changes that lead back to what was before.
    """

    sources: int = 5
    weeks: int = 52
    newcomers: int = 20
    newcomer_failures: int = 300
    failures_per_day: float = 36.0
    change_every_days: float = 14.0
    drift: float = 0.5
    drift_days: float = 30.0
    deviation: float = 1.0
    quirks: float = 0.6
    returns: float = 0.4
    outage_every_days: float = 10.0
    outage_median_h: float = 0.75
    outage_log_sd: float = 1.0
    spread: float = 0.45  # log-sd of durations
    there_and_back_days: float = 0.0  # > 0: every source goes A, B, A with this period


@dataclass(frozen=True, slots=True)
class Trace:
    """All failures in the order of time; arrays of shape (events,) or (events, strategies).

    Attributes
    ----------
    at_h : hours since the begin.
    source, error : indices; sources from `sources` on are newcomers.
    nth : which failure of its source it is, from 0.
    mask : whether the source has the strategy.
    p : the marginal chance now, dependencies up.
    up : whether all that the strategy needs is up.
    heals : whether it would have healed. seconds : what it would have taken.
    """

    nature: Nature
    seed: int
    at_h: Array
    source: Array
    error: Array
    nth: Array
    mask: Array
    p: Array
    up: Array
    heals: Array
    seconds: Array
    expected_s: Array = field(repr=False, default_factory=lambda: np.zeros(0))
    is_outage: Array = field(repr=False, default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.at_h)


def sigmoid(x: Array) -> Array:
    """Log-odds as probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _swap(logits: Array, mask: Array, rng: np.random.Generator) -> None:
    """A good and a bad strategy of this (source, error) change places."""
    have = np.flatnonzero(mask)
    ranked = have[np.argsort(logits[have])]
    good = ranked[-1 - rng.integers(3)]
    bad = ranked[rng.integers(max(1, len(ranked) // 2))]
    logits[good], logits[bad] = logits[bad], logits[good]


def _rates(
    nature: Nature,
    common: Array,
    mask: Array,
    hours: Array,
    rng: np.random.Generator,
    changes: Array,
) -> Array:
    """Log-odds of one source at some hours: shape (hours, errors, strategies)."""
    errors, strategies = common.shape

    def regime() -> Array:
        logits = common + rng.normal(0.0, nature.deviation, common.shape)
        for error in range(errors):
            if rng.random() < nature.quirks:
                _swap(logits[error], mask, rng)
        return logits

    now = regime()
    before = now.copy()
    levels = np.empty((len(hours), errors, strategies))
    step = 0
    # Drift by the day: an Ornstein-Uhlenbeck walk.
    days = int(hours[-1] // DAY_H) + 1 if len(hours) else 1
    keep = np.exp(-1.0 / nature.drift_days)
    wander = np.zeros((days, errors, strategies))
    wander[0] = rng.normal(0.0, nature.drift, (errors, strategies))
    for day in range(1, days):
        noise = rng.normal(0.0, 1.0, (errors, strategies))
        wander[day] = wander[day - 1] * keep + nature.drift * np.sqrt(1 - keep**2) * noise
    if nature.there_and_back_days:
        period, there = nature.there_and_back_days * DAY_H, regime()
        phase = (hours // period).astype(int) % 2
        return np.asarray(np.stack([now, there])[phase] + wander[(hours // DAY_H).astype(int)])
    for index, hour in enumerate(hours):
        while step < len(changes) and changes[step] <= hour:
            touched = rng.permutation(errors)[: errors // 2]
            new = regime()
            for error in touched:
                old = now[error].copy()
                now[error] = before[error] if rng.random() < nature.returns else new[error]
                before[error] = old
            step += 1
        levels[index] = now + wander[int(hour // DAY_H)]
    return levels


def _intervals(
    nature: Nature, until_h: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    found, at = [], rng.exponential(nature.outage_every_days * DAY_H)
    while at < until_h:
        length = nature.outage_median_h * np.exp(rng.normal(0.0, nature.outage_log_sd))
        found.append((at, at + length))
        at += length + rng.exponential(nature.outage_every_days * DAY_H)
    return found


def _within(intervals: list[tuple[float, float]], at: Array) -> Array:
    if not intervals:
        return np.zeros(len(at), bool)
    begins = np.array([each[0] for each in intervals])
    ends = np.array([each[1] for each in intervals])
    index = np.searchsorted(begins, at, side="right") - 1
    return np.asarray((index >= 0) & (at < ends[np.maximum(index, 0)]))


def make_trace(nature: Nature, seed: int) -> Trace:
    """Draw a world and everything that fails in it."""
    rng = np.random.default_rng(seed)
    until_h = nature.weeks * 7 * DAY_H
    total = nature.sources + nature.newcomers
    shape = (len(ERRORS), len(STRATEGIES))
    # Each strategy suits some errors well and the others badly.
    common = rng.normal(-2.2, 0.9, shape)
    for error in range(len(ERRORS)):
        common[error, rng.permutation(shape[1])[:4]] = rng.normal(1.5, 0.6, 4)
    base_s = np.exp(rng.normal(np.log(0.95), 0.5, len(STRATEGIES))).clip(0.02, 2.2)
    for each in ("use_cached_data", "long_ttl_cache"):
        base_s[STRATEGIES.index(each)] = 0.6
    needs = np.array([[dep in NEEDS[each] for dep in DEPENDENCIES] for each in STRATEGIES])

    down: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for dep in DEPENDENCIES:
        if dep in SHARED:
            shared = _intervals(nature, until_h, rng)
            for source in range(total):
                down[source, dep] = shared
        else:
            for source in range(total):
                down[source, dep] = _intervals(nature, until_h, rng)

    parts: list[dict[str, Array]] = []
    for source in range(total):
        mask = rng.random(shape[1]) < rng.uniform(0.75, 1.0)
        if source < nature.sources:
            count = rng.poisson(nature.failures_per_day * nature.weeks * 7)
            at = np.sort(rng.uniform(0.0, until_h, count))
        else:
            begin = rng.uniform(min(7 * DAY_H, until_h / 2), until_h * 0.95)
            gaps = rng.exponential(DAY_H / nature.failures_per_day, nature.newcomer_failures)
            at = begin + np.cumsum(gaps)
            at = at[at < until_h]
        hour_of_day = at % DAY_H
        window = rng.uniform(0, 24)
        in_window = ((hour_of_day - window) % 24) < 2.0
        weights = rng.dirichlet(np.full(shape[0], 2.0))
        error = rng.choice(shape[0], len(at), p=weights)
        rate_limit = ERRORS.index("rate_limit")
        # Five times as many 429s within the window.
        error[in_window & (rng.random(len(at)) < 0.5)] = rate_limit
        origin = _within(down[source, "origin"], at)
        error[origin & (rng.random(len(at)) < 0.7)] = ERRORS.index("server_error")
        changes = np.cumsum(
            rng.exponential(nature.change_every_days * DAY_H, 4 + int(nature.weeks))
        )
        levels = (
            _rates(nature, common, mask, at, rng, changes) if len(at) else np.zeros((0, *shape))
        )
        p = sigmoid(levels[np.arange(len(at)), error])
        short = [STRATEGIES.index(e) for e in ("exponential_backoff_retry", "hedged_request")]
        for each in short:
            p[in_window & (error == rate_limit), each] *= 0.1
        is_down = np.stack([_within(down[source, dep], at) for dep in DEPENDENCIES], axis=1)
        up = ~((is_down @ needs.T.astype(int)) > 0) if len(at) else np.zeros((0, shape[1]), bool)
        heals = up & (rng.random(p.shape) < p)
        seconds = base_s * np.exp(rng.normal(-0.5 * nature.spread**2, nature.spread, p.shape))
        parts.append(
            {
                "at_h": at,
                "source": np.full(len(at), source),
                "error": error,
                "nth": np.arange(len(at)),
                "mask": np.broadcast_to(mask, p.shape),
                "p": p,
                "up": up,
                "heals": heals,
                "seconds": seconds,
                "is_outage": is_down.any(axis=1),
            }
        )
    joined = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
    order = np.argsort(joined["at_h"], kind="stable")
    return Trace(
        nature=nature,
        seed=seed,
        expected_s=base_s,
        **{name: values[order] for name, values in joined.items()},
    )
