"""Economic series the way FRED keeps them: dated values that end yesterday, or last month."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from healing_pipeline.simulator.eastern import DAY_S, day_start_s
from healing_pipeline.simulator.market import FIRST_DAY, Market, moment
from healing_pipeline.simulator.noise import Octave, noise_at, seed_of, unit

_OCTAVES = (
    Octave(DAY_S, 0.01),
    Octave(7 * DAY_S, 0.03),
    Octave(28 * DAY_S, 0.05),
    Octave(364 * DAY_S, 0.15),
)
_QUARTERLY = re.compile(r"(A939RX|GDP|GPDI|PCEC).*")
_WEEKLY = re.compile(r"(W(?!PU|TI)|MORTGAGE|ICSA|CCSA|STLFSI|NFCI).*")
_DAILY = re.compile(r"(D(?!PCE|SPI|GORDER)|T\d+Y|SOFR|VIX|SP500|NASDAQ|BAML|EFFR|IORB|RRPONT).*")
_RATE = re.compile(
    r"W?(D?GS\d|DFF|FEDFUNDS|SOFR|EFFR|IORB|DTB|TB\d|T\d+Y|MORTGAGE|UNRATE|DPRIME).*"
)
_AVERAGED = re.compile(r"GS(\d+)")


class Frequency(StrEnum):
    """How often a series has a value, by FRED's short name."""

    DAILY = "D"
    WEEKLY = "W"
    MONTHLY = "M"
    QUARTERLY = "Q"


def frequency(series_id: str) -> Frequency:
    """How often a series has a value; told from its name, monthly when nothing speaks against."""
    if _QUARTERLY.fullmatch(series_id):
        return Frequency.QUARTERLY
    if _WEEKLY.fullmatch(series_id):
        return Frequency.WEEKLY
    return Frequency.DAILY if _DAILY.fullmatch(series_id) else Frequency.MONTHLY


def decimals(series_id: str) -> int:
    """Digits after the point: 2 for rates, 3 for the rest."""
    return 2 if _RATE.fullmatch(series_id) else 3


def newest_date(series_id: str, today: date) -> date:
    """Date of the newest observation that is published on `today`."""
    every = frequency(series_id)
    if every is Frequency.DAILY:
        return today - timedelta(days=1)
    if every is Frequency.WEEKLY:  # Fridays
        return today - timedelta(days=(today.weekday() - 4 - 1) % 7 + 1)
    this = today.replace(day=1)
    if every is Frequency.QUARTERLY:
        this = this.replace(month=(today.month - 1) // 3 * 3 + 1)
    return _before(this, every)


@lru_cache(maxsize=256)
def dates(series_id: str, newest: date) -> tuple[date, ...]:
    """All observation dates of a series, ascending, when `newest` (one of them) is the last."""
    every, day = frequency(series_id), newest
    found: list[date] = []
    while day >= FIRST_DAY:
        found.append(day)
        day = _before(day, every)
    return tuple(reversed(found))


def dates_between(series_id: str, newest: date, first: date, last: date) -> tuple[date, ...]:
    """Those of `dates` that lie between two dates, both included."""
    known = dates(series_id, newest)
    return known[bisect_left(known, first) : bisect_right(known, last)]


def value(market: Market, series_id: str, day: date) -> float | None:
    """The value of a series on one of its dates; None on the dates that FRED marks with a dot."""
    if market.frozen_at_s is not None:
        known = newest_date(series_id, moment(market.frozen_at_s).date())
        day = min(day, known)
    return _value(market.seed, series_id, day)


def updated_at(series_id: str, now: datetime) -> datetime:
    """When the newest observation was published, as FRED's `last_updated` says."""
    newest = newest_date(series_id, now.date())
    return moment(day_start_s(newest + timedelta(days=1)))


@lru_cache(maxsize=65536)
def _value(seed: int, series_id: str, day: date) -> float | None:
    averaged = _AVERAGED.fullmatch(series_id)
    if averaged:
        return _monthly_average(seed, f"DGS{averaged[1]}", day)
    own = seed_of(seed, "series", series_id)
    often = frequency(series_id) in (Frequency.DAILY, Frequency.WEEKLY)
    if often and unit(own, day.toordinal()) < 0.03:
        return None
    level = 1.5 + 4.0 * unit(own, 0) if decimals(series_id) == 2 else 50.0 * 60.0 ** unit(own, 0)
    noise = noise_at(own, _OCTAVES, day_start_s(day))
    return round(level * math.exp(noise), decimals(series_id))


def _monthly_average(seed: int, daily: str, month: date) -> float:
    """What a monthly Treasury series is: the mean of the month's daily values."""
    days = ((month.replace(day=1) + timedelta(days=n)) for n in range(31))
    values = [_value(seed, daily, day) for day in days if day.month == month.month]
    known = [each for each in values if each is not None]
    return round(sum(known) / len(known), 2)


def _before(day: date, every: Frequency) -> date:
    if every is Frequency.DAILY:
        return day - timedelta(days=1)
    if every is Frequency.WEEKLY:
        return day - timedelta(days=7)
    back = (day - timedelta(days=1)).replace(day=1)
    if every is Frequency.QUARTERLY:
        return back.replace(month=(back.month - 1) // 3 * 3 + 1)
    return back
