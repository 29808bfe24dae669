"""The health bar of an endpoint's day, from its quarters of an hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from healing_pipeline.storage.health_quarters import QUARTER, Quarter, quarter_of
from healing_pipeline.web.dashboard.bars import SLOTS, label_of, letters_of, paths_of, runs_of

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """All that a template needs to draw it.

    Attributes
    ----------
    width : int
        In quarters of an hour; it is 10 high.
    paths : Mapping[str, str]
        By letter, see `bars`.
    hours : sequence of str
        What stands below it.
    label : str
        The bar in words.
    """

    width: int
    paths: Mapping[str, str]
    hours: Sequence[str]
    label: str


def letter_of(quarter: Quarter) -> str:
    """How a quarter went: failed, healed, live; the same rule as in the statement `day`."""
    if quarter.reader_errors or quarter.unhealed:
        return "f"
    return "h" if quarter.met_fault or quarter.failures or quarter.ill else "l"


def bar_of(quarters: Iterable[Quarter], now: datetime) -> Bar:
    """The bar of the day that ends with the quarter under way."""
    newest = quarter_of(now)
    letters = letters_of(
        ((_number(each.quarter), letter_of(each)) for each in quarters), _number(newest)
    )
    begin, end = newest - QUARTER * (SLOTS - 1), newest + QUARTER
    hours = [f"{begin + (end - begin) * part / 4:%H:%M}" for part in range(5)]
    return Bar(SLOTS, paths_of(runs_of(letters)), hours, label_of(letters))


def quarters_between(since: datetime, until: datetime) -> list[datetime]:
    """When the quarters begin that [since, until) touches."""
    first = quarter_of(since)
    count = -((first - until) // QUARTER)
    return [first + QUARTER * each for each in range(count)]


def _number(quarter: datetime) -> int:
    return int(quarter.timestamp()) // 900
