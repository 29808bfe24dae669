"""The policy: what was learned, as a frozen value that orders the strategies of a plan.

Standard library only: the data path loads it, and asks it inside a reader's deadline.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from healing_pipeline.learning.packing import packed
from healing_pipeline.learning.policy_document import document_of, parts_of
from healing_pipeline.learning.published import published_rate
from healing_pipeline.learning.rates import Belief, Choice, Considered, Parameters, Rate, Rates

# What costs nothing upstream still takes a moment; it keeps p / c finite.
LEAST_S = 0.001


@dataclass(frozen=True, slots=True)
class Policy:
    """What was learned until a moment; never changes.

    Attributes
    ----------
    as_of : datetime or None
        Nothing later taught it; None for one that was taught nothing.
    inner : Mapping[tuple[str, str], Mapping[str, Rate]]
        By (source, failure class), then strategy.
    outer : Mapping[str, Mapping[str, Rate]]
        By failure class, then strategy: what a source that is not in `inner` starts from.
    anywhere : Mapping[str, Rate]
        By strategy, over all classes.
    after : Mapping[str, Mapping[str, float]]
        How the odds of one strategy change by the failure of another in the same request:
        ``after[failed][then]``, 1 when not at all.
    parameters : Mapping[str, Parameters]
        By source.
    tables : Mapping[str, list]
        What else was learned, for people: pattern tables, throttling windows, co-failures.
    """

    as_of: datetime | None = None
    inner: Mapping[tuple[str, str], Rates] = field(default_factory=dict)
    outer: Mapping[str, Rates] = field(default_factory=dict)
    anywhere: Rates = field(default_factory=dict)
    after: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    parameters: Mapping[str, Parameters] = field(default_factory=dict)
    tables: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    def rate(self, source: str, failure_class: str, strategy: str) -> tuple[Rate, str]:
        """What is known of a strategy, and from which layer.

        Returns
        -------
        tuple of Rate and str
            ``inner``, else ``outer``, else ``anywhere``, else ``published``.
        """
        found = self.inner.get((source, failure_class), _NOTHING).get(strategy)
        if found is not None:
            return found, "inner"
        found = self.outer.get(failure_class, _NOTHING).get(strategy)
        if found is not None:
            return found, "outer"
        found = self.anywhere.get(strategy)
        if found is not None:
            return found, "anywhere"
        return Rate(published_rate(failure_class, strategy)), "published"

    def order(
        self,
        source: str,
        failure_class: str,
        candidates: Mapping[str, float],
        budget_s: float,
        belief: Mapping[str, float] | Belief | None = None,
    ) -> list[str]:
        """Put candidates in the order of trying: what fits by success per second, then the rest.

        Parameters
        ----------
        source, failure_class : str
            Known or not; the unknown is answered from the outer layer.
        candidates : Mapping[str, float]
            Expected seconds by strategy, >= 0.
        budget_s : float
            Seconds that are left.
        belief : Mapping[str, float] or Belief, optional
            Probability that what a strategy depends on is up, by strategy; 1 where it is not named.

        Returns
        -------
        list of str
            Every candidate once. Equal scores are in the order of the names, so equal questions
            have equal answers.
        """
        names = sorted(candidates)
        seconds = [candidates[each] for each in names]
        rates = [self.rate(source, failure_class, each)[0].p for each in names]
        if belief is not None:
            rates = self._now(source, names, rates, belief, ())
        nothing = [0.0] * len(names)
        ranked = self._ranked(names, rates, seconds, nothing, budget_s)
        return [names[index] for index, *_ in ranked]

    def choose(
        self,
        source: str,
        failure_class: str,
        candidates: Mapping[str, float],
        budget_s: float,
        belief: Mapping[str, float] | Belief | None = None,
        *,
        losses: Mapping[str, float] = MappingProxyType({}),
        failed: Iterable[str] = (),
    ) -> Choice:
        """Like `order`, with everything that decided it.

        Parameters
        ----------
        losses : Mapping[str, float]
            What a strategy's label loses, in seconds of waiting; sorted by, not packed by.
        failed : iterable of str
            What was tried for this request already and did not heal.
        """
        names = sorted(candidates)
        seconds = [candidates[each] for each in names]
        known = [self.rate(source, failure_class, each) for each in names]
        rates = self._now(source, names, [rate.p for rate, _ in known], belief, failed)
        lost = [losses.get(each, 0.0) for each in names]
        considered = tuple(
            Considered(
                strategy=names[index],
                p=p,
                learned=known[index][0].p,
                layer=known[index][1],
                tries=known[index][0].tries,
                seconds=seconds[index],
                loss_s=lost[index],
                score=score,
                packed=is_packed,
            )
            for index, p, score, is_packed in self._ranked(names, rates, seconds, lost, budget_s)
        )
        return Choice(source, failure_class, budget_s, considered)

    def _now(
        self,
        source: str,
        names: list[str],
        rates: list[float],
        belief: Mapping[str, float] | Belief | None,
        failed: Iterable[str],
    ) -> list[float]:
        """Learned rates with what is believed now, and what has failed already."""
        if belief is not None:
            up = belief.get if isinstance(belief, Mapping) else partial(_up, belief, source)
            rates = [
                rate * min(1.0, max(0.0, up(name, 1.0)))
                for name, rate in zip(names, rates, strict=True)
            ]
        for each in failed:
            change = self.after.get(each)
            if change:
                rates = [
                    _with_odds(rate, change.get(name, 1.0))
                    for name, rate in zip(names, rates, strict=True)
                ]
        return rates

    def _ranked(
        self,
        names: list[str],
        rates: list[float],
        seconds: list[float],
        lost: list[float],
        budget_s: float,
    ) -> list[tuple[int, float, float, bool]]:
        """Index, probability, score and whether packed, in the order of trying.

        The probability of each is under the condition that those before it have failed.
        """
        inside = set(packed(rates, seconds, budget_s))
        per_s = [
            1.0 / (max(cost, LEAST_S) + loss) for cost, loss in zip(seconds, lost, strict=True)
        ]
        rates = list(rates)
        ranked = []
        for is_packed in (True, False):
            # Names come sorted: of equal scores the first name is taken.
            left = [each for each in range(len(names)) if (each in inside) is is_packed]
            while left:
                best, most = left[0], -1.0
                for each in left:
                    score = rates[each] * per_s[each]
                    if score > most:
                        best, most = each, score
                left.remove(best)
                ranked.append((best, rates[best], most, is_packed))
                change = self.after.get(names[best])
                if change:
                    for each, rate in enumerate(rates):
                        ratio = change.get(names[each])
                        if ratio is not None:
                            rates[each] = rate * ratio / (1.0 - rate + rate * ratio)
        return ranked

    def to_json(self) -> str:
        """The policy as canonical JSON: equal policies, equal text."""
        return json.dumps(document_of(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Policy:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            If it is no policy.
        """
        try:
            document = json.loads(text)
        except RecursionError:
            raise ValueError("this is nested too deeply for a policy") from None
        return Policy(**parts_of(document))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of `to_json`."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


_NOTHING: Rates = MappingProxyType({})
_NO_CHANGE: Mapping[str, float] = MappingProxyType({})

EMPTY = Policy()


def _up(belief: Belief, source: str, strategy: str, _: float) -> float:
    return belief.up(source, strategy)


def _with_odds(p: float, ratio: float) -> float:
    return p * ratio / (1.0 - p + p * ratio) if ratio != 1.0 else p
