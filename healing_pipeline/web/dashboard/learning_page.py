"""The page of learning: what is known per source, how healing went day by day, the policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from time import monotonic
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.learning.rates import Parameters, Rate, Rates
from healing_pipeline.reporting.learning_plot import LearningDay
from healing_pipeline.storage.pages import learning_days
from healing_pipeline.storage.policies import (
    PolicyVersion,
    active_policy,
    active_version,
    policy_versions,
    rolled_back_to,
)
from healing_pipeline.web.dashboard.charts import Chart, Series, chart
from healing_pipeline.web.dashboard.parts import Dashboard
from healing_pipeline.web.dashboard.rendering import AT, share
from healing_pipeline.web.dashboard.striking import striking_for

HERE = f"{AT}/learning"
DAYS = timedelta(days=30)
VERSIONS = 30
# Days change seldom, and reading a month of them is work.
DAYS_KEPT_S = 60.0
OF_ALL = "all sources together"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What is known of one source, or of all together.

    Attributes
    ----------
    strategies : sequence of str
        The columns.
    rows : sequence of (failure class, cells)
        A cell is None where nothing was tried, else a look from 0 (never heals) to 4, the rate and
        how many attempts it is known from.
    """

    name: str
    strategies: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[int, Rate] | None]]]
    parameters: Parameters | None


class Learned:
    """The policy in force and the days, read again only when they may have changed.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._policy: tuple[int | None, Policy] = (None, EMPTY)
        self._days: list[LearningDay] = []
        self._days_until = -float("inf")

    def read(self, connection: Any, now: datetime) -> LearningStory:
        """Everything that the page shows."""
        version = active_version(connection)
        if version != self._policy[0]:
            found = active_policy(connection)
            self._policy = (version, EMPTY) if found is None else found
        if self._clock() >= self._days_until:
            today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
            self._days = learning_days(connection, today - DAYS, now)
            self._days_until = self._clock() + DAYS_KEPT_S
        return LearningStory(
            version=self._policy[0],
            policy=self._policy[1],
            days=self._days,
            versions=policy_versions(connection, VERSIONS),
            held=rolled_back_to(connection),
        )


@dataclass(frozen=True, slots=True)
class LearningStory:
    """What is stored of learning.

    Attributes
    ----------
    version : int or None
        Of the policy in force; None before the first.
    held : int or None
        The version that people went back to, while it holds.
    """

    version: int | None
    policy: Policy
    days: list[LearningDay]
    versions: list[PolicyVersion]
    held: int | None


def pages_of(dashboard: Dashboard) -> list[BaseRoute]:
    """The page of learning."""
    learned, striking = Learned(), striking_for(dashboard.catalog)

    async def show(request: Request) -> Response:
        now = dashboard.now()
        story = await dashboard.database.read(lambda connection: learned.read(connection, now))
        return await dashboard.page(
            request,
            "learning.html",
            here="Learning",
            version=story.version,
            as_of=story.policy.as_of,
            held=story.held,
            maps=heat_maps(story.policy),
            curve=curve(story.days),
            days=story.days,
            versions=story.versions,
            striking=striking,
        )

    return [Route(HERE, show)]


def heat_maps(policy: Policy) -> list[HeatMap]:
    """What is known per source, and of all sources together: what a new one starts from."""
    by_source: dict[str, dict[str, Rates]] = {}
    for (source, failure_class), rates in policy.inner.items():
        by_source.setdefault(source, {})[failure_class] = rates
    maps = [
        _heat_map(source, rows, policy.parameters.get(source))
        for source, rows in sorted(by_source.items())
    ]
    if policy.outer:
        maps.append(_heat_map(OF_ALL, policy.outer, None))
    return maps


def _heat_map(name: str, known: Mapping[str, Rates], parameters: Parameters | None) -> HeatMap:
    strategies = sorted({each for rates in known.values() for each in rates})
    rows = []
    for failure_class in sorted(known):
        rates = known[failure_class]
        cells = [
            None if each not in rates else (min(4, int(rates[each].p * 5)), rates[each])
            for each in strategies
        ]
        rows.append((failure_class, cells))
    return HeatMap(name, strategies, rows, parameters)


def curve(days: Sequence[LearningDay]) -> Chart | None:
    """Healing day by day."""
    if not days:
        return None
    known = {each.day: each for each in days}
    count = (days[-1].day - days[0].day).days + 1
    dates = [days[0].day + timedelta(days=each) for each in range(count)]
    rows = [known.get(each) for each in dates]
    return chart(
        [datetime.combine(each, time(), UTC) for each in dates],
        [
            Series("readers healed", "third", [None if r is None else r.healed for r in rows]),
            Series(
                "attempts that healed",
                "first",
                [None if r is None else r.first_try for r in rows],
            ),
            Series(
                "share of the headroom",
                "second",
                [None if r is None else r.headroom for r in rows],
            ),
        ],
        label=share,
        most=1.0,
        days=True,
    )
