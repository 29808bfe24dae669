"""A synthetic market: every number is a pure function of a seed, a name and a second.

The market never closes: 24 hours, 7 days, a bar for each calendar day (UTC). What a test or a drill
finds must not depend on the weekday it is run on. Prices change every second and by less than 5e-5
of themselves, so two clocks a second apart still agree within 1e-4.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache

from healing_pipeline.simulator.eastern import DAY_S, HOUR_S, day_start_s
from healing_pipeline.simulator.noise import Octave, noise_at, noise_bounds, seed_of, unit

FIRST_DAY = date(2010, 1, 1)  # nothing older is known to any upstream

_PRICE_OCTAVES = (
    Octave(60, 0.0005),
    Octave(HOUR_S, 0.003),
    Octave(DAY_S, 0.012),
    Octave(7 * DAY_S, 0.03),
    Octave(28 * DAY_S, 0.06),
    Octave(364 * DAY_S, 0.2),
)
_CURRENCY_OCTAVES = (
    Octave(HOUR_S, 0.0005),
    Octave(DAY_S, 0.003),
    Octave(7 * DAY_S, 0.01),
    Octave(28 * DAY_S, 0.02),
    Octave(364 * DAY_S, 0.04),
)
_DOLLARS_PER_UNIT = {
    "USD": 1.0, "EUR": 1.09, "GBP": 1.27, "JPY": 0.0067, "CHF": 1.13, "AUD": 0.66, "CAD": 0.73,
    "NZD": 0.61, "CNY": 0.139, "INR": 0.012, "BRL": 0.19, "MXN": 0.056, "ZAR": 0.054, "SEK": 0.095,
    "NOK": 0.094, "DKK": 0.146, "PLN": 0.25, "CZK": 0.043, "HUF": 0.0028, "TRY": 0.031,
    "KRW": 0.00074, "SGD": 0.75, "HKD": 0.128, "THB": 0.028, "ILS": 0.27, "AED": 0.2723,
    "SAR": 0.2666, "TWD": 0.031,
}  # fmt: skip
CURRENCIES = tuple(_DOLLARS_PER_UNIT)

_SYMBOL = re.compile(r"\^?[A-Z0-9][A-Z0-9.=:\-]{0,24}")
_UNKNOWN_PREFIXES = ("NONEXIST", "UNKNOWN", "DELISTED", "INVALID", "ZZZ")
_PAIR = re.compile(r"(?:C:)?([A-Z]{3})/?([A-Z]{3})(?:=X)?")
_COIN = re.compile(r"X:([A-Z0-9]{2,10})(USD|EUR|GBP|JPY|AUD|CAD|CHF)")
_SHARE_CLASS = re.compile(r"([A-Z]{1,5})\.([A-Z])")


def is_known(name: str) -> bool:
    """Whether a symbol or series exists: any plausible name but a few that never do."""
    return bool(_SYMBOL.fullmatch(name)) and not name.startswith(_UNKNOWN_PREFIXES)


def currency_pair(symbol: str) -> tuple[str, str] | None:
    """Base and quote where a symbol names a rate: ``EURUSD=X``, ``JPY=X``, ``C:EURUSD``."""
    if symbol.endswith("=X") and len(symbol) == 5 and symbol[:3] in _DOLLARS_PER_UNIT:
        return "USD", symbol[:3]
    found = _PAIR.fullmatch(symbol) if symbol.startswith("C:") or symbol.endswith("=X") else None
    if found and found[1] in _DOLLARS_PER_UNIT and found[2] in _DOLLARS_PER_UNIT:
        return found[1], found[2]
    return None


def instrument_of(symbol: str) -> str:
    """One name for one instrument, Yahoo's: ``X:BTCUSD`` is ``BTC-USD``, ``BRK.B`` is ``BRK-B``."""
    pair = currency_pair(symbol)
    if pair is not None:
        return f"{pair[0]}{pair[1]}=X"
    found = _COIN.fullmatch(symbol) or _SHARE_CLASS.fullmatch(symbol)
    return f"{found[1]}-{found[2]}" if found else symbol


def seconds_of(at: datetime) -> int:
    """Whole seconds since 1970 of an aware moment, rounded down."""
    return math.floor(at.timestamp())


def moment(at_s: float) -> datetime:
    """The aware UTC moment of seconds since 1970."""
    return datetime.fromtimestamp(at_s, tz=UTC)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `start_s` is its first second since 1970."""

    start_s: int
    open: float
    high: float
    low: float
    close: float
    volume: int


@lru_cache(maxsize=65536)
def _finished_bar(market: Market, symbol: str, start_s: int, length_s: int) -> Bar:
    return market._bar(symbol, start_s, length_s, start_s + length_s - 1)


@dataclass(frozen=True, slots=True)
class Market:
    """The truth behind every simulated upstream.

    Attributes
    ----------
    seed : int
        Two markets with equal seeds agree on every number, in every process.
    frozen_at_s : int or None
        From this second on prices and rates stand still; for a source that serves old numbers
        under fresh timestamps.
    """

    seed: int
    frozen_at_s: int | None = field(default=None)

    def frozen(self, at: datetime) -> Market:
        """The same market whose prices stand still from `at` on."""
        return Market(self.seed, seconds_of(at))

    def price(self, symbol: str, at: datetime) -> float:
        """Price of a symbol, > 0, 4 decimals; neighbouring seconds never agree."""
        return self.price_s(symbol, seconds_of(at))

    def price_s(self, symbol: str, at_s: int) -> float:
        """`price` at a whole second since 1970."""
        at_s = self._seen_s(at_s)
        pair = currency_pair(symbol)
        if pair is not None:
            return self._rate(*pair, at_s)
        seed, level = self._level(symbol)
        price = level * math.exp(noise_at(seed, _PRICE_OCTAVES, at_s))
        # The last digit has the second's parity: a frozen price can be told from a live one.
        return (2 * round(price * 5000) + (at_s & 1)) / 10_000

    def day_bar(self, symbol: str, day: date, now: datetime) -> Bar:
        """The bar of a UTC date as seen at `now`: live when the date is today's."""
        return self.bar(symbol, day_start_s(day), DAY_S, seconds_of(now))

    def bar(self, symbol: str, start_s: int, length_s: int, now_s: int) -> Bar:
        """The bar that begins at `start_s`, as seen at `now_s` (not before `start_s`).

        Parameters
        ----------
        symbol : str
        start_s : int
            A multiple of `length_s` since 1970.
        length_s : int
            60 to 604800.
        now_s : int
        """
        if now_s >= start_s + length_s:
            return _finished_bar(self, symbol, start_s, length_s)
        return self._bar(symbol, start_s, length_s, now_s)

    def _bar(self, symbol: str, start_s: int, length_s: int, last_s: int) -> Bar:
        opened, closed = self.price_s(symbol, start_s), self.price_s(symbol, last_s)
        first_s, seen_s = self._seen_s(start_s), self._seen_s(last_s)
        pair = currency_pair(symbol)
        if pair is not None:
            low, high = self._pair_bounds(*pair, first_s, seen_s, length_s)
            return Bar(start_s, opened, max(high, opened), min(low, opened), closed, 0)
        seed, level = self._level(symbol)
        lowest, highest = noise_bounds(seed, _PRICE_OCTAVES, first_s, seen_s, length_s)
        high = (math.ceil(level * math.exp(highest) * 10_000) + 2) / 10_000
        low = (math.floor(level * math.exp(lowest) * 10_000) - 2) / 10_000
        volume = self._volume(symbol, start_s, length_s, last_s)
        return Bar(start_s, opened, high, low, closed, volume)

    def rate(self, base: str, quote: str, at: datetime) -> float:
        """Units of `quote` for one `base`; 6 significant digits, new every hour."""
        return self._rate(base, quote, self._seen_s(seconds_of(at)))

    def _rate(self, base: str, quote: str, at_s: int) -> float:
        if base == quote:
            return 1.0
        dollars = [self._dollars(code, at_s) for code in (base, quote)]
        return float(f"{dollars[0] / dollars[1]:.6g}")

    def _dollars(self, code: str, at_s: int) -> float:
        if code == "USD":
            return 1.0
        noise = noise_at(seed_of(self.seed, "fx", code), _CURRENCY_OCTAVES, at_s - at_s % HOUR_S)
        return _DOLLARS_PER_UNIT[code] * math.exp(noise)

    def _pair_bounds(
        self, base: str, quote: str, first_s: int, last_s: int, length_s: int
    ) -> tuple[float, float]:
        first_s, last_s = first_s - first_s % HOUR_S, last_s - last_s % HOUR_S
        low = high = 0.0
        for code, sign in ((base, 1), (quote, -1)):
            if code == "USD":
                continue
            bounds = noise_bounds(
                seed_of(self.seed, "fx", code), _CURRENCY_OCTAVES, first_s, last_s, length_s
            )
            low += min(sign * bounds[0], sign * bounds[1])
            high += max(sign * bounds[0], sign * bounds[1])
        level = _DOLLARS_PER_UNIT[base] / _DOLLARS_PER_UNIT[quote]
        # The margin covers the rounding to 6 significant digits.
        return (
            float(f"{level * math.exp(low) * (1 - 1e-5):.6g}"),
            float(f"{level * math.exp(high) * (1 + 1e-5):.6g}"),
        )

    def _volume(self, symbol: str, start_s: int, length_s: int, last_s: int) -> int:
        """Shares so far. Reported once an hour, so two clocks a second apart agree."""
        seed = seed_of(self.seed, "volume", symbol)
        per_day = 10 ** (5.5 + 2.5 * unit(seed, 0)) * (0.6 + 0.8 * unit(seed, start_s))
        hours = max(1, length_s // HOUR_S)
        begun = min(hours, (self._seen_s(last_s) - start_s) // HOUR_S + 1)
        return max(1, round(per_day * length_s / DAY_S * max(1, begun) / hours))

    def _level(self, symbol: str) -> tuple[int, float]:
        seed = seed_of(self.seed, "price", instrument_of(symbol))
        return seed, 15.0 * 40.0 ** unit(seed, 0)  # 15 to 600

    def _seen_s(self, at_s: int) -> int:
        return at_s if self.frozen_at_s is None else min(at_s, self.frozen_at_s)
