"""What each key may spend: the providers' published limits, per key, on simulated time."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls that one key may make; None where there is no limit of that kind."""

    per_second: int | None = None
    per_minute: int | None = None
    per_day: int | None = None
    per_month: int | None = None


REAL_LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        "fred": Limits(per_minute=120),
        "polygon": Limits(per_minute=5),
        "alpha_vantage": Limits(per_second=1, per_day=25),
        "exchange_rate": Limits(per_month=1500),
    }
)


@dataclass(frozen=True, slots=True)
class QuotaScale:
    """How the published limits apply: 1 as they are, 10 tenfold, infinite not at all."""

    factor: float

    @property
    def is_off(self) -> bool:
        """Whether nothing is counted."""
        return math.isinf(self.factor)

    def scaled(self, limit: int | None) -> float:
        """A limit after scaling, at least 1."""
        return math.inf if limit is None else max(1.0, limit * self.factor)


REAL = QuotaScale(1.0)
OFF = QuotaScale(math.inf)


def parse_quota_scale(word: str) -> QuotaScale | None:
    """``real``, ``off`` or a factor over 0; None for anything else."""
    if word in ("real", "off"):
        return REAL if word == "real" else OFF
    try:
        factor = float(word)
    except ValueError:
        return None
    return QuotaScale(factor) if 0 < factor < math.inf else None


class Quotas:
    """Counts the calls of each key and says which limit a call breaks.

    A refused call is not counted. Seconds and minutes slide, days and months are those of UTC.
    """

    def __init__(self, scale: QuotaScale, limits: Mapping[str, Limits] = REAL_LIMITS) -> None:
        self._scale = scale
        self._limits = limits
        self._recent: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._counts: dict[tuple[str, str, str], int] = defaultdict(int)

    def refuses(self, source: str, key: str | None, now: datetime) -> str | None:
        """Spend one call of a key.

        Returns
        -------
        str or None
            ``burst`` or ``rate_limit`` for a limit per second or minute, ``quota_exhausted`` per
            day or month, None when the call is allowed.
        """
        limits = self._limits.get(source)
        if self._scale.is_off or limits is None or key is None:
            return None
        day, month = now.strftime("%Y-%m-%d"), now.strftime("%Y-%m")
        if self._counts[source, key, day] >= self._scale.scaled(limits.per_day):
            return "quota_exhausted"
        if self._counts[source, key, month] >= self._scale.scaled(limits.per_month):
            return "quota_exhausted"
        recent, at_s = self._recent[source, key], now.timestamp()
        while recent and recent[0] <= at_s - 60:
            recent.popleft()
        within_a_second = sum(1 for each in recent if each > at_s - 1)
        if within_a_second >= self._scale.scaled(limits.per_second):
            return "burst"
        if len(recent) >= self._scale.scaled(limits.per_minute):
            return "rate_limit"
        recent.append(at_s)
        self._counts[source, key, day] += 1
        self._counts[source, key, month] += 1
        return None
