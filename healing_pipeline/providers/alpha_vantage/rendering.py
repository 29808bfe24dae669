"""Series, quotes and rates in Alpha Vantage's form, of numbers that came from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.providers.alpha_vantage.questions import QUERY_PATH, asked_instrument
from healing_pipeline.providers.alpha_vantage.reading import read
from healing_pipeline.providers.bars import (
    BAR_FIELDS,
    PRICES,
    bar_start,
    interval_named,
    is_dated,
    zone_named,
)
from healing_pipeline.providers.bodies import NotReadableError
from healing_pipeline.providers.renderings import (
    compact,
    line_of,
    numeral,
    read_back,
    rows_of,
    to_the_second,
    whole,
)

Said = tuple[dict[str, object], tuple[Point, ...]]
"""A body, and the points that it is meant to say."""


def rendered(reading: Reading, path: str, params: Mapping[str, str], now: datetime) -> bytes | None:
    """A series, a quote or a rate that says what `reading` says.

    For TIME_SERIES_DAILY, TIME_SERIES_INTRADAY, FX_DAILY, GLOBAL_QUOTE and
    CURRENCY_EXCHANGE_RATE. None for TIME_SERIES_DAILY_ADJUSTED, whose adjusted close, dividends
    and splits no reading has; for weeks and months, which Alpha Vantage dates by their last
    trading day; for CSV; and for a reading of another instrument or interval.

    Notes
    -----
    A quote is dated by its day (UTC), so its time of the day is lost and it looks older, never
    newer. A table of rates serves for the one rate asked for. FX_DAILY has no volume.
    """
    line = line_of(path, params, now)
    asked = line.params
    if line.path.rstrip("/") != QUERY_PATH or asked.get("datatype", "json").lower() != "json":
        return None
    said = _said(asked.get("function", "").upper(), reading, asked)
    return None if said is None else read_back(compact(said[0]), line, read, reading, said[1])


def _said(function: str, reading: Reading, asked: Mapping[str, str]) -> Said | None:
    if function == "CURRENCY_EXCHANGE_RATE":
        return _rate(reading, asked)
    if asked_instrument(asked) != reading.instrument:
        return None
    if function == "GLOBAL_QUOTE":
        return _quote(reading, asked)
    if function == "FX_DAILY" and reading.interval == "1d":
        return _fx_daily(reading, asked)
    if function == "TIME_SERIES_DAILY" and reading.interval == "1d":
        title = "Daily Prices (open, high, low, close) and Volumes"
        return _shares(reading, asked, title, "Daily")
    if function == "TIME_SERIES_INTRADAY" and asked.get("adjusted", "true").lower() == "true":
        interval = asked.get("interval", "")
        try:
            same = interval_named(interval) == reading.interval
        except NotReadableError:
            return None
        title = f"Intraday ({interval}) open, high, low, close prices and volume"
        return _shares(reading, asked, title, interval) if same else None
    return None


def _shares(reading: Reading, asked: Mapping[str, str], title: str, every: str) -> Said:
    zone = zone_named("America/New_York")
    meta = {
        "Information": title,
        "Symbol": asked["symbol"],
        "Last Refreshed": _refreshed(reading, zone),
        **({} if every == "Daily" else {"Interval": every}),
        "Output Size": _output_size(asked),
        "Time Zone": "US/Eastern",
    }
    rows = _rows(reading.points, reading.interval, zone)
    return {"Meta Data": _numbered(meta), f"Time Series ({every})": rows}, reading.points


def _fx_daily(reading: Reading, asked: Mapping[str, str]) -> Said:
    points = tuple(each for each in reading.points if each.field in PRICES)
    meta = {
        "Information": "Forex Daily Prices (open, high, low, close)",
        "From Symbol": asked["from_symbol"].upper(),
        "To Symbol": asked["to_symbol"].upper(),
        "Output Size": _output_size(asked),
        "Last Refreshed": _refreshed(reading, UTC),
        "Time Zone": "UTC",
    }
    rows = _rows(points, reading.interval, UTC)
    return {"Meta Data": _numbered(meta), "Time Series FX (Daily)": rows}, points


def _rows(points: tuple[Point, ...], interval: str, zone: tzinfo) -> dict[str, object]:
    """The rows, newest first, by date or by local time.

    The hour that the clock shows twice in autumn has its rows twice under one name, as at Alpha
    Vantage; reading them back then finds some missing.
    """
    dated = is_dated(interval)
    return {
        f"{at:%Y-%m-%d}" if dated else f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}": {
            f"{number}. {field}": _text(row[field], field)
            for number, field in enumerate(BAR_FIELDS, start=1)
            if field in row
        }
        for at, row in reversed(rows_of(points).items())
    }


def _text(value: float, field: str) -> str:
    return str(whole(value)) if field == "volume" else numeral(value, 4)


def _refreshed(reading: Reading, zone: tzinfo) -> str:
    """When the newest row was renewed: its date where nothing more is known, else local time."""
    newest_at = reading.points[-1].at
    if is_dated(reading.interval) and reading.as_of == newest_at:
        return f"{newest_at:%Y-%m-%d}"
    return f"{reading.as_of.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _output_size(asked: Mapping[str, str]) -> str:
    return "Full size" if asked.get("outputsize", "").lower() == "full" else "Compact"


def _numbered(meta: Mapping[str, str]) -> dict[str, str]:
    return {f"{number}. {name}": said for number, (name, said) in enumerate(meta.items(), start=1)}


def _quote(reading: Reading, asked: Mapping[str, str]) -> Said | None:
    if len(reading.points) != 1 or reading.points[0].field != "price":
        return None
    at, price = reading.points[0].at, reading.points[0].value
    quote = {
        "01. symbol": asked["symbol"],
        "05. price": numeral(price, 4),
        "07. latest trading day": f"{at:%Y-%m-%d}",
    }
    return {"Global Quote": quote}, (Point(bar_start(at.date(), "1d"), "price", price),)


def _rate(reading: Reading, asked: Mapping[str, str]) -> Said | None:
    base, quote = (asked.get(f"{side}_currency", "").upper() for side in ("from", "to"))
    points = to_the_second(each for each in reading.points if each.field == quote)
    if len(points) != 1 or reading.instrument != base:
        return None
    fields = {
        "1. From_Currency Code": base,
        "3. To_Currency Code": quote,
        "5. Exchange Rate": numeral(points[0].value, 8),
        "6. Last Refreshed": f"{points[0].at:%Y-%m-%d %H:%M:%S}",
        "7. Time Zone": "UTC",
    }
    return {"Realtime Currency Exchange Rate": fields}, points
