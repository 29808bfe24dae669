"""What is believed now of what strategies depend on: a two-state filter per source and dependency.

Learned rates say what a strategy is worth in general; this says what the last minutes' failures
share. It only weighs: what is believed to be down is tried later, and is never left out. Pure: time
comes with each attempt, so the belief is a fold over the attempts and can be made again from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

ORIGIN, MIRROR, AUTH, CACHE = "origin", "mirror", "auth", "cache"
OTHER_PROVIDER = "other_provider"

# What each strategy of ours cannot do without. One that is not named depends on nothing. A cure
# does not depend on what it cures: another key is asked for just when the first one is refused.
DEPENDENCIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "plain": (ORIGIN, AUTH),
        "exponential_backoff_retry": (ORIGIN, AUTH),
        "reduce_request_size": (ORIGIN, AUTH),
        "batch_requests": (ORIGIN, AUTH),
        "use_daily_data": (ORIGIN, AUTH),
        "alternate_series": (ORIGIN, AUTH),
        "etf_proxy": (ORIGIN, AUTH),
        "rotate_api_key": (ORIGIN,),
        "refresh_session": (ORIGIN,),
        "hedged_request": (MIRROR, AUTH),
        "alternate_host": (MIRROR, AUTH),
        "fallback_provider": (OTHER_PROVIDER,),
        "use_cached_data": (CACHE,),
        "long_ttl_cache": (CACHE,),
    }
)

# What a failure may be a sign of. Other classes say nothing of what stands behind: the caller's own
# mistakes, what is empty or old at one endpoint, and limits, of which the guard keeps the account.
_ITS_HOST = frozenset({ORIGIN, MIRROR, OTHER_PROVIDER, CACHE})
SHOWS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "timeout": _ITS_HOST,
        "slow": _ITS_HOST,
        "network_error": _ITS_HOST,
        "server_error": _ITS_HOST,
        "invalid_data": _ITS_HOST,
        "bot_block": _ITS_HOST,
        "auth_error": frozenset({AUTH}),
    }
)

# How much of the time a dependency is down, before anything is seen.
PRIOR_DOWN = 0.02
# One that is down is up again after an hour, on the average.
EXITS_PER_H = 1.0
# Both rates together: entry is such that the stationary share is the prior.
_RELAXES_PER_S = EXITS_PER_H / (1.0 - PRIOR_DOWN) / 3600.0

# A plain call that everything is up for: other reasons to fail are rare.
PLAIN_HEALS = 0.97

# A weight this near to 1 is the rounding of one.
_AS_USUAL = 1.0 - 1e-9

# Nobody is ever sure that something is down. Hosts that flap are back within seconds, and calls
# that fail in the same second are hardly more evidence than one. With this a doubted strategy falls
# behind others that give the data itself, and only what was learned to be poor too falls behind old
# data: with 0.95 the drill `flapping` served old data where asking again would have helped.
SUREST_DOWN = 0.6


class Belief:
    """The probability that each dependency is down, from the attempts so far.

    Parameters
    ----------
    falls_back_to : Mapping[str, str], optional
        By source, whom it falls back to. Sources that name the same share that dependency; one
        that names none has it to itself.

    Notes
    -----
    Each dependency is a Markov process of two states. A failure of a strategy that heals with
    probability p when all it needs is up makes ``b / (1 - p prod(1 - b))`` of each ``b``: exact for
    one dependency, and for several the marginals, as if they stayed independent. A success shows
    all of them up.
    """

    def __init__(self, falls_back_to: Mapping[str, str] = MappingProxyType({})) -> None:
        self._falls_back_to = dict(falls_back_to)
        self._down: dict[tuple[str, str], tuple[float, datetime]] = {}
        self._known_keys: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}

    def saw(
        self,
        source: str,
        strategy: str,
        at: datetime,
        *,
        healed: bool,
        failure_class: str,
        p: float = PLAIN_HEALS,
    ) -> None:
        """Learn from one attempt.

        Parameters
        ----------
        at : datetime
            Aware, when it began. One from before what is known counts as of now.
        healed : bool
        failure_class : str
            What it ended with: see `SHOWS` for what it is a sign of.
        p : float
            The strategy's success rate when all it depends on is up, 0 to 1.
        """
        if healed:
            self.healed(source, strategy, at)
            return
        keys = self._keys(source, strategy)
        shown = SHOWS.get(failure_class, frozenset())
        keys = tuple(key for key in keys if key[1] in shown)
        down = [self._now(key, at) for key in keys]
        fails = 1.0 - min(1.0, max(0.0, p)) * math.prod(1.0 - each for each in down)
        for key, each in zip(keys, down, strict=True):
            self._down[key] = (min(SUREST_DOWN, each / fails), self._not_before(key, at))

    def healed(self, source: str, strategy: str, at: datetime) -> None:
        """Learn from a success, as `saw` does: each healthy read is one, so this is short."""
        known = self._down
        for key in self._keys(source, strategy):
            was = known.get(key)
            if was is None or was[1] < at:
                known[key] = (0.0, at)
            elif was[0]:
                known[key] = (0.0, was[1])

    def up(self, source: str, strategy: str, now: datetime) -> float:
        """Probability that all a strategy depends on is up at a moment, in (0, 1]."""
        return math.prod(1.0 - self._now(key, now) for key in self._keys(source, strategy))

    def weights(self, source: str, strategies: Iterable[str], now: datetime) -> dict[str, float]:
        """By how much learned rates are to be lowered now, 0 to 1; only those that are.

        Learned rates have the usual downtime in them, so this is the belief against the prior.
        """
        found = {}
        # By dependency, for many strategies share one; a plan is made while a reader waits.
        against: dict[tuple[str, str], float] = {}
        for each in strategies:
            weight = 1.0
            for key in self._keys(source, each):
                if key not in against:
                    against[key] = (1.0 - self._now(key, now)) / (1.0 - PRIOR_DOWN)
                weight *= against[key]
            if weight < _AS_USUAL:
                found[each] = weight
        return found

    def down(self, source: str, now: datetime) -> dict[str, float]:
        """Probability that each dependency of a source is down, where something was seen of it."""
        found = {}
        for dependency in (ORIGIN, MIRROR, AUTH, OTHER_PROVIDER, CACHE):
            key = self._key(source, dependency)
            if key in self._down:
                found[dependency] = self._now(key, now)
        return found

    def _now(self, key: tuple[str, str], now: datetime) -> float:
        known = self._down.get(key)
        if known is None:
            return PRIOR_DOWN
        then, at = known
        seconds = max(0.0, (now - at).total_seconds())
        return PRIOR_DOWN + (then - PRIOR_DOWN) * math.exp(-seconds * _RELAXES_PER_S)

    def _not_before(self, key: tuple[str, str], at: datetime) -> datetime:
        known = self._down.get(key)
        return at if known is None else max(at, known[1])

    def _keys(self, source: str, strategy: str) -> tuple[tuple[str, str], ...]:
        keys = self._known_keys.get((source, strategy))
        if keys is None:
            keys = tuple(self._key(source, each) for each in DEPENDENCIES.get(strategy, ()))
            self._known_keys[source, strategy] = keys
        return keys

    def _key(self, source: str, dependency: str) -> tuple[str, str]:
        if dependency == OTHER_PROVIDER and source in self._falls_back_to:
            return f"to {self._falls_back_to[source]}", dependency
        return source, dependency
