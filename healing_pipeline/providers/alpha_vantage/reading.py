"""The numbers in Alpha Vantage's bodies: time series, global quotes, currency exchange rates.

Keys are numbered differently from function to function (``3. Last Refreshed``,
``6. Last Refreshed``), so they are found by their words.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.bars import (
    BAR_FIELDS,
    as_of,
    bar_points,
    bar_start,
    interval_named,
    is_dated,
    zone_named,
)
from healing_pipeline.providers.bodies import (
    LATEST,
    OLDEST_BAR,
    NotReadableError,
    assembled_reading,
    json_object,
    kind_of,
    mapping,
    positive,
    text,
    unreadable_as_value,
)
from healing_pipeline.providers.dates import iso_date
from healing_pipeline.providers.instruments import coin, confirmed, currency_pair, from_ticker

_NUMBERED = re.compile(r"^\d{1,2}[a-z]?[.:]\s*")
LONG_TIME = len("2016-12-31 23:59:60")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(:\d{2})?", re.ASCII)
_IN_BRACKETS = re.compile(r"\(([^)]*)\)")
_MISSING = (None, "None", "-", "")


@unreadable_as_value
def read(body: bytes, line: RequestLine) -> Reading:
    """Read a series, a quote or a rate, whichever `body` is."""
    envelope = json_object(body)
    for name, value in envelope.items():
        if "Time Series" in name:
            meta = by_words(mapping(envelope.get("Meta Data"), "Meta Data"))
            return _series(name, mapping(value, "the time series"), meta, line)
        if name.startswith("Global Quote"):
            return read_quote(by_words(mapping(value, "Global Quote")), line)
        if name == "Realtime Currency Exchange Rate":
            return read_rate(by_words(mapping(value, name)), line)
    raise NotReadableError("no time series, no quote and no exchange rate in the body")


def by_words(numbered: dict[str, object]) -> dict[str, object]:
    """``{"1. Symbol": ...}`` as ``{"symbol": ...}``."""
    return {_word(name): said for name, said in numbered.items()}


def _word(name: str) -> str:
    """A member's name without its number; kept where it is as short as all of them are."""
    return _short_word(name) if len(name) < 64 else _short_word.__wrapped__(name)


@lru_cache(maxsize=1024)
def _short_word(name: str) -> str:
    return _NUMBERED.sub("", name).strip().lower()


def zone_of(meta: dict[str, object]) -> tzinfo:
    """The time zone in which an answer writes its times."""
    name = meta.get("time zone", "US/Eastern")
    # "US/Eastern" is an old alias that newer systems no longer install.
    return zone_named("America/New_York" if name == "US/Eastern" else name)


def local_moment(said: str, zone: tzinfo) -> datetime | None:
    """The UTC moment that a local time or date means; None when it is neither or implausible."""
    day = iso_date(said[:10])
    if day is None or not OLDEST_BAR.year <= day.year < LATEST.year:
        return None
    if len(said) == 10:
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    if _TIME.fullmatch(said) is None:
        return None
    if len(said) == LONG_TIME and said.endswith(":60"):
        # A leap second, which Python does not know: it belongs to the minute that it ends.
        said = f"{said[:-2]}59"
    try:
        return datetime.fromisoformat(said).replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        return None


def asked_for(line: RequestLine) -> str:
    """The instrument that the request names; empty when it names none."""
    params = line.params
    if "from_symbol" in params and "to_symbol" in params:
        return currency_pair(params["from_symbol"], params["to_symbol"])
    if "symbol" in params and "market" in params:
        return coin(params["symbol"], params["market"])
    return from_ticker(params.get("symbol", ""))


def _series(
    name: str, rows: dict[str, object], meta: dict[str, object], line: RequestLine
) -> Reading:
    instrument, market = instrument_of(meta)
    instrument = confirmed(instrument, asked_for(line))
    interval = interval_named(interval_said(name, meta))
    zone = zone_of(meta)
    points: list[Point] = []
    for said, entry in rows.items():
        at = local_moment(said, zone)
        if at is None:
            if iso_date(said[:10]) is None:
                raise NotReadableError("a row of the time series has no date")
            continue
        if is_dated(interval):
            at = bar_start(at.astimezone(zone).date(), interval)
        if not isinstance(entry, dict):
            raise NotReadableError(
                f"the row of {at:%Y-%m-%d} is {kind_of(entry)}, expected an object"
            )
        bar = bar_of(entry, market)
        if "close" not in bar:
            raise NotReadableError(f"the row of {at:%Y-%m-%d %H:%M} has no close")
        points += bar_points(at, bar, as_text=True)
    found = assembled_reading(instrument, interval, points)
    newest_at = found.points[-1].at
    return assembled_reading(
        instrument, interval, points, stated_as_of(newest_at, interval, meta, zone)
    )


def stated_as_of(
    newest_at: datetime, interval: str, meta: dict[str, object], zone: tzinfo
) -> datetime:
    """The moment the newest bar speaks of, by what ``Last Refreshed`` says."""
    refreshed = meta.get("last refreshed")
    stated_at = local_moment(refreshed, zone) if isinstance(refreshed, str) else None
    if stated_at is not None and iso_date(str(refreshed)) is not None:
        # A bare date: midnight UTC of it, as with bars, so that a daily bar's is the bar's own.
        stated_at, zone = bar_start(stated_at.astimezone(zone).date(), "1d"), UTC
    return as_of(newest_at, interval, stated_at, zone)


def instrument_of(meta: dict[str, object]) -> tuple[str, str]:
    """The instrument, and the currency its columns have to be read in where there are two."""
    if "symbol" in meta:
        return from_ticker(text(meta["symbol"], "Symbol")), ""
    if "digital currency code" in meta:
        market = text(meta.get("market code"), "Market Code").upper()
        return coin(text(meta["digital currency code"], "Digital Currency Code"), market), market
    base, quote = meta.get("from symbol"), meta.get("to symbol")
    return currency_pair(text(base, "From Symbol"), text(quote, "To Symbol")), ""


def interval_said(name: str, meta: dict[str, object]) -> str:
    """``5min`` in ``Time Series (5min)``, ``Weekly`` in ``Weekly Adjusted Time Series``."""
    if isinstance(said := meta.get("interval"), str):
        return said
    bracketed = _IN_BRACKETS.search(name)
    words = (bracketed[1] if bracketed else name).split()
    known = [word for word in words if word in {"Daily", "Weekly", "Monthly"}]
    return known[0] if known else "".join(words[:1])


def bar_of(row: dict[str, object], market: str) -> dict[str, object]:
    """Our fields of a row; ``open (CNY)`` or ``open (USD)``, whichever is the market's."""
    words = by_words(row)
    bar: dict[str, object] = {}
    for field in BAR_FIELDS:
        said = words.get(f"{field} ({market.lower()})", words.get(field))
        if said not in _MISSING:
            bar[field] = said
    return bar


def read_quote(quote: dict[str, object], line: RequestLine) -> Reading:
    """Read what ``Global Quote`` holds, by words."""
    if not quote:
        raise NotReadableError("Global Quote is empty: the symbol is not known")
    instrument = confirmed(from_ticker(text(quote.get("symbol"), "symbol")), asked_for(line))
    day = iso_date(text(quote.get("latest trading day"), "latest trading day"))
    if day is None or not OLDEST_BAR.year <= day.year < LATEST.year:
        raise NotReadableError("latest trading day is no plausible date")
    price = positive(quote.get("price"), "price", as_text=True)
    return assembled_reading(instrument, "now", [Point(bar_start(day, "1d"), "price", price)])


def read_rate(rate: dict[str, object], line: RequestLine) -> Reading:
    """Read what ``Realtime Currency Exchange Rate`` holds, by words."""
    base = text(rate.get("from_currency code"), "From_Currency Code").upper()
    quote = text(rate.get("to_currency code"), "To_Currency Code").upper()
    confirmed(base, line.params.get("from_currency", "").upper())
    confirmed(quote, line.params.get("to_currency", "").upper())
    value = positive(rate.get("exchange rate"), "Exchange Rate", as_text=True)
    at = local_moment(
        text(rate.get("last refreshed"), "Last Refreshed"), zone_of({"time zone": "UTC"} | rate)
    )
    if at is None:
        raise NotReadableError("Last Refreshed is no plausible time")
    return assembled_reading(base, "now", [Point(at, quote, value)])
