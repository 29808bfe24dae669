"""What a correct reading of a healthy answer would be, computed without any body.

Starts from the same `question` as the rendering and shares nothing after that, so that a mistake in
a body, in a parser or in a healing strategy shows up as a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.simulator import series
from healing_pipeline.simulator.eastern import DAY_S, HOUR_S, day_of, offset_s
from healing_pipeline.simulator.market import (
    Bar,
    Market,
    currency_pair,
    instrument_of,
    is_known,
    moment,
    seconds_of,
)
from healing_pipeline.simulator.questions import (
    Bars,
    Observations,
    Question,
    Quotes,
    Rates,
)
from healing_pipeline.simulator.upstreams import UPSTREAMS
from healing_pipeline.simulator.upstreams.contract import Answer, Ask
from healing_pipeline.simulator.upstreams.exchange_rate import updated_s

_PRICES = ("open", "high", "low", "close")
_FREQUENCIES = {
    series.Frequency.DAILY: "1d",
    series.Frequency.WEEKLY: "1w",
    series.Frequency.MONTHLY: "1mo",
    series.Frequency.QUARTERLY: "3mo",
}


@dataclass(frozen=True, slots=True)
class Truth:
    """The true answer to any question, at any moment.

    Attributes
    ----------
    seed : int
        The simulator's.
    """

    seed: int

    def reading(self, provider: str, line: RequestLine, now: datetime) -> Reading | None:
        """What a correct reading of a healthy answer at `now` is.

        Returns
        -------
        Reading or None
            None where the question has no answer: an unknown symbol, a malformed request, a
            window without rows, a crumb.
        """
        asked = question_of(provider, line, now)
        market = Market(self.seed)
        if isinstance(asked, Bars):
            return _bars(provider, line, asked, market, now)
        if isinstance(asked, Observations):
            return _observations(asked, market)
        if isinstance(asked, Quotes):
            return _quotes(provider, asked, market, now)
        if isinstance(asked, Rates):
            return _rates(provider, asked, market, now)
        return None

    def value_at(
        self, provider: str, line: RequestLine, point_at: datetime, field: str, now: datetime
    ) -> float | None:
        """The true value of one number as of `now`: of a bar that was live then, what it was then.

        Parameters
        ----------
        provider : str
        line : RequestLine
            The question that the number answers; its window does not matter.
        point_at : datetime
            `Point.at` of the number. For quotes and rate tables: the value at that moment.
        field : str
            `Point.field` of the number.
        now : datetime
            Not before `point_at`, or there is no such number.
        """
        asked = question_of(provider, line, now)
        market, at_s, now_s = Market(self.seed), seconds_of(point_at), seconds_of(now)
        if asked is None or at_s > now_s:
            return None
        if isinstance(asked, Bars):
            if at_s % asked.length_s or field not in _fields(provider, asked.symbol):
                return None
            bar = market.bar(asked.symbol, at_s, asked.length_s, now_s)
            return float(getattr(bar, field))
        if isinstance(asked, Observations):
            newest = series.newest_date(asked.series_id, now.date())
            day = day_of(at_s)
            known = series.dates_between(asked.series_id, newest, day, day)
            return series.value(market, asked.series_id, day) if known else None
        if isinstance(asked, Quotes):
            symbol = _quoted_symbol(asked, field)
            if symbol is None:
                return None
            # A provider that only dates its quotes means the newest price of that date.
            dated = provider == "alpha_vantage" and at_s % DAY_S == 0
            return market.price_s(symbol, min(now_s, at_s + DAY_S - 1) if dated else at_s)
        if isinstance(asked, Rates) and (field in asked.quotes or field == asked.base):
            return market.rate(asked.base, field, point_at)
        return None


def question_of(provider: str, line: RequestLine, now: datetime) -> Question | None:
    """What a request line asks for at a simulated upstream; None where it is refused."""
    upstream = UPSTREAMS.get(provider)
    if upstream is None:
        return None
    # Where the open host refuses what the other serves is a matter of status, not of truth.
    asked = upstream.question(Ask("", line.path, line.params), now.astimezone(UTC))
    return None if isinstance(asked, Answer) else asked


def digest(
    seed: int, epoch: datetime, duration_s: float, lines: Sequence[tuple[str, RequestLine]]
) -> str:
    """A fingerprint of the truth: equal for equal seeds, whatever the faults.

    Parameters
    ----------
    seed : int
    epoch : datetime
        Simulated begin.
    duration_s : float
        The truth is taken at the begin, in the middle and at the end.
    lines : sequence of (provider, RequestLine)

    Returns
    -------
    str
        SHA-256 in hex.
    """
    truth, hashed = Truth(seed), sha256()
    for part in (0.0, 0.5, 1.0):
        now = epoch + timedelta(seconds=duration_s * part)
        for provider, line in lines:
            reading = truth.reading(provider, line, now)
            hashed.update(f"{provider} {line.path} {sorted(line.params.items())} ".encode())
            hashed.update(f"{reading!r}\n".encode())
    return hashed.hexdigest()


def _reading(
    instrument: str, interval: str, points: Iterable[Point], as_of: datetime | None = None
) -> Reading | None:
    ordered = tuple(sorted(points))
    if not ordered:
        return None
    return Reading(instrument, interval, ordered, ordered[-1].at if as_of is None else as_of)


def _name(provider: str, symbol: str) -> str:
    """The instrument's name in a reading; a dot in Yahoo's symbols is an exchange, not a class."""
    keeps_dot = provider == "yahoo" and currency_pair(symbol) is None
    return symbol if keeps_dot else instrument_of(symbol)


def _fields(provider: str, symbol: str) -> tuple[str, ...]:
    """Alpha Vantage has no volume for currencies; the others say 0."""
    without = provider == "alpha_vantage" and currency_pair(symbol) is not None
    return _PRICES if without else (*_PRICES, "volume")


def _bars(
    provider: str, line: RequestLine, asked: Bars, market: Market, now: datetime
) -> Reading | None:
    now_s = seconds_of(now)
    bars = [market.bar(asked.symbol, at_s, asked.length_s, now_s) for at_s in asked.starts_s]
    if not bars:
        return None
    fields = _fields(provider, asked.symbol)
    return _reading(
        _name(provider, asked.symbol),
        _interval(asked.length_s),
        _bar_points(bars, fields),
        _stated_at(provider, line, asked, max(asked.starts_s), now_s),
    )


def _bar_points(bars: Iterable[Bar], fields: tuple[str, ...]) -> Iterator[Point]:
    for bar in bars:
        at = moment(bar.start_s)
        for field in fields:
            yield Point(at, field, float(getattr(bar, field)))


def _stated_at(
    provider: str, line: RequestLine, asked: Bars, newest_s: int, now_s: int
) -> datetime | None:
    """The moment that the provider states, where it is about the newest bar; else None.

    Yahoo's clock is New York's: in the first hours of a UTC day it still shows the day before.
    """
    states = (provider == "yahoo" and "/chart/" in line.path) or (
        provider == "alpha_vantage" and line.params.get("function") == "FX_DAILY"
    )
    if not states:
        return None
    if not asked.is_daily:
        return moment(now_s) if now_s <= newest_s + asked.length_s else None
    shown_s = now_s + offset_s(now_s) if provider == "yahoo" else now_s
    return moment(now_s) if day_of(shown_s) == day_of(newest_s) else None


def _interval(length_s: int) -> str:
    if length_s == DAY_S:
        return "1d"
    return f"{length_s // HOUR_S}h" if length_s % HOUR_S == 0 else f"{length_s // 60}m"


def _observations(asked: Observations, market: Market) -> Reading | None:
    values: list[tuple[date, float | None]] = [
        (day, series.value(market, asked.series_id, day)) for day in asked.dates
    ]
    points = [
        Point(datetime(day.year, day.month, day.day, tzinfo=UTC), "value", value)
        for day, value in values
        if value is not None
    ]
    every = series.frequency(asked.series_id)
    # One date alone does not tell a spacing.
    interval = _FREQUENCIES[every] if len(values) > 1 else "1d"
    return _reading(asked.series_id, interval, points)


def _quotes(provider: str, asked: Quotes, market: Market, now: datetime) -> Reading | None:
    names = {_name(provider, symbol): symbol for symbol in asked.symbols}
    at = moment(seconds_of(now))
    if provider == "alpha_vantage":
        at = moment(seconds_of(now) // DAY_S * DAY_S)
    known = {name: symbol for name, symbol in names.items() if is_known(symbol)}
    points = [
        Point(at, f"{name}.price" if len(names) > 1 else "price", market.price(symbol, now))
        for name, symbol in known.items()
    ]
    return _reading(",".join(sorted(known)), "now", points)


def _quoted_symbol(asked: Quotes, field: str) -> str | None:
    if field == "price":
        return asked.symbols[0] if len(asked.symbols) == 1 else None
    for symbol in asked.symbols:
        if field == f"{_name('yahoo', symbol)}.price":
            return symbol
    return None


def _rates(provider: str, asked: Rates, market: Market, now: datetime) -> Reading | None:
    at = moment(updated_s(now) if provider == "exchange_rate" else seconds_of(now))
    codes = asked.quotes if len(asked.quotes) == 1 else {asked.base, *asked.quotes}
    return _reading(
        asked.base, "now", [Point(at, code, market.rate(asked.base, code, now)) for code in codes]
    )
