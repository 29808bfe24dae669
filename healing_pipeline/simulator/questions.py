"""What a request asks for, in one form for all upstreams, and the numbers that answer it.

A question is made from a request and a moment; it holds no numbers. Rendering and `truth` both
start from it and part ways there, so a mistake in a body shows up against the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from healing_pipeline.simulator.eastern import DAY_S


@dataclass(frozen=True, slots=True)
class Bars:
    """Price bars of one symbol.

    Attributes
    ----------
    symbol : str
        As the provider writes it, upper case.
    length_s : int
        60, 300, 900, 1800, 3600 or 86400; others where a provider allows them.
    starts_s : tuple of int
        First seconds of the bars, in the order of the body; may be empty.
    asked_rows : int
        Rows the caller wanted, even where fewer exist.
    """

    symbol: str
    length_s: int
    starts_s: tuple[int, ...]
    asked_rows: int

    @property
    def is_daily(self) -> bool:
        """Whether each bar is one day."""
        return self.length_s == DAY_S


@dataclass(frozen=True, slots=True)
class Quotes:
    """Current prices of one or more symbols; unknown ones are left out by the provider."""

    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Observations:
    """Dated values of one economic series, in the order of the body.

    Attributes
    ----------
    series_id : str
    dates : tuple of date
    asked_rows : int
        Rows the caller wanted, at most as many as there are.
    available : int
        Rows there are within the dates asked for, limit and offset left aside.
    """

    series_id: str
    dates: tuple[date, ...]
    asked_rows: int
    available: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Exchange rates of one base; `quotes` has one code for a pair, many for a table."""

    base: str
    quotes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something with no numbers in time: a crumb, a quota, a series' description."""

    name: str
    subject: str = ""


Question = Bars | Quotes | Observations | Rates | Fact


def asked_rows(question: Question) -> int:
    """How many rows a question wants; 1 for anything that is not a series."""
    if isinstance(question, Bars | Observations):
        return question.asked_rows
    return 1


def aligned_starts(first_s: int, last_s: int, length_s: int) -> tuple[int, ...]:
    """Starts of all bars that begin between two seconds, both included, ascending."""
    begin = -(-first_s // length_s) * length_s
    return tuple(range(begin, last_s + 1, length_s))
