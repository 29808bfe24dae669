"""When to look behind a route: half-open, at no reader's cost.

While a route serves an endpoint nobody asks its primary, and at a source whose probes are rationed
nobody would notice that it is well again. So now and then a reader's request also asks the primary,
after the reader has its answer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Any

from healing_pipeline.catalog.values import Endpoint, Quota, Source

# No primary is looked at more often than this while a route serves.
LOOK_EVERY_S = 4.0


def look_spacing_s(quota: Quota, share: float) -> float:
    """Seconds between two looks, so that they stay within the probes' share of a key's quota."""
    windows = ((quota.per_minute, 60.0), (quota.per_day, 86_400.0), (quota.per_month, 2_592_000.0))
    spacings = [
        seconds / max(1.0, calls * share) for calls, seconds in windows if calls is not None
    ]
    return max([LOOK_EVERY_S, *spacings])


class LooksBehind:
    """Which primaries were looked at when, and the looks that are under way."""

    def __init__(self) -> None:
        self._looked: dict[str, float] = {}
        # The event loop keeps weak references only; a look without one may be collected half-way.
        self._under_way: set[asyncio.Task[None]] = set()

    def is_due(self, endpoint: Endpoint, source: Source, now: float) -> bool:
        """Whether to look now; the turn is taken by asking.

        Parameters
        ----------
        now : float
            Monotonic seconds.
        """
        spacing = look_spacing_s(source.quota, source.probe_share)
        # A metered key is shared by all endpoints of its source, and so is the turn.
        about = endpoint.id if spacing <= LOOK_EVERY_S else source.name
        if now - self._looked.get(about, -math.inf) < spacing:
            return False
        self._looked[about] = now
        return True

    def begin(self, look: Coroutine[Any, Any, None]) -> None:
        """Let a look run beside the reader's answer."""
        task = asyncio.create_task(look)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def aclose(self) -> None:
        """Give up the looks that are under way."""
        looks = list(self._under_way)
        for each in looks:
            each.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
