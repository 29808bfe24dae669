"""The numbers in Polygon's bodies: aggregate bars, daily open-close, last trades."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.bars import (
    bar_points,
    bar_start,
    interval_named,
    is_dated,
    zone_named,
)
from healing_pipeline.providers.bodies import (
    NotReadableError,
    assembled_reading,
    json_object,
    mapping,
    moment,
    positive,
    sequence,
    text,
    unreadable_as_value,
)
from healing_pipeline.providers.dates import iso_date
from healing_pipeline.providers.instruments import confirmed, from_ticker
from healing_pipeline.providers.polygon.requests import RANGE_PATH

_PREVIOUS_PATH = re.compile(r"/v2/aggs/ticker/(?P<ticker>[^/]+)/prev/?")
_OPEN_CLOSE_PATH = re.compile(r"/v1/open-close/(?P<ticker>[^/]+)/(?P<day>\d{4}-\d{2}-\d{2})/?")
_LAST_TRADE_PATH = re.compile(r"/v2/last/trade/(?P<ticker>[^/]+)/?")
_OLD_LAST_TRADE_PATH = re.compile(r"/v1/last/stocks/(?P<ticker>[^/]+)/?")

# DELAYED is good data of a cheaper plan.
_GOOD = frozenset({"OK", "DELAYED", "SUCCESS"})
_FIELDS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}


@unreadable_as_value
def read(body: bytes, line: RequestLine) -> Reading:
    """Read bars, a day's open and close, or a last trade: the path says which."""
    envelope = json_object(body)
    status = envelope.get("status", "OK")
    if not isinstance(status, str) or status.upper() not in _GOOD:
        raise NotReadableError("status is none of OK, DELAYED, success")
    if asked := bars_asked(line.path):
        return _bars(envelope, *asked)
    if found := _OPEN_CLOSE_PATH.fullmatch(line.path):
        return _open_close(envelope, from_ticker(found["ticker"]))
    if found := _LAST_TRADE_PATH.fullmatch(line.path):
        trade = mapping(envelope.get("results"), "results")
        return _trade(trade, trade.get("T"), "p", "t", 10**9, from_ticker(found["ticker"]))
    if found := _OLD_LAST_TRADE_PATH.fullmatch(line.path):
        trade = mapping(envelope.get("last"), "last")
        symbol = envelope.get("symbol")
        return _trade(trade, symbol, "price", "timestamp", 1000, from_ticker(found["ticker"]))
    raise NotReadableError("no reading is known for this path of Polygon")


def bars_asked(path: str) -> tuple[str, str] | None:
    """The instrument and the interval of the bars that a path asks for; None for another path."""
    if found := RANGE_PATH.fullmatch(path):
        interval = interval_named(f"{found['count'][:4]}{found['unit']}")
        return from_ticker(found["ticker"]), interval
    if found := _PREVIOUS_PATH.fullmatch(path):
        return from_ticker(found["ticker"]), "1d"
    return None


def instrument_named(said: object, asked: str) -> str:
    """The instrument the body speaks of; the one asked for where it does not say."""
    return asked if said is None else confirmed(from_ticker(text(said, "ticker")), asked)


def _bars(envelope: dict[str, object], asked: str, interval: str) -> Reading:
    instrument = instrument_named(envelope.get("ticker"), asked)
    points: list[Point] = []
    for index, entry in enumerate(sequence(envelope.get("results"), "results")):
        row = mapping(entry, f"results[{index}]")
        if "t" not in row or "c" not in row:
            raise NotReadableError(f"results[{index}] lacks t or c")
        at = moment(row["t"], f"results[{index}].t", per_second=1000)
        if at is None:
            continue
        if is_dated(interval):
            at = bar_at(at, interval)
        points += bar_points(at, {ours: row.get(theirs) for theirs, ours in _FIELDS.items()})
    return assembled_reading(instrument, interval, points)


def bar_at(at: datetime, interval: str) -> datetime:
    """The begin of the dated bar that Polygon stamps with `at`."""
    return bar_start(_trading_day(at, interval), interval)


def _trading_day(at: datetime, interval: str) -> date:
    """The day a bar is of.

    Shares are dated by New York, where a bar starts at midnight (range) or at the close (prev);
    currencies and coins at midnight UTC, which is never a New York day's start or close.
    """
    zone = UTC if at.hour == at.minute == at.second == 0 else zone_named("America/New_York")
    day = at.astimezone(zone).date()
    # Polygon's week starts on Sunday; ours, as Yahoo's, on the Monday after it.
    if interval == "1w" and day.weekday() == 6:
        return date.fromordinal(day.toordinal() + 1)
    return day


def _open_close(envelope: dict[str, object], asked: str) -> Reading:
    day = iso_date(text(envelope.get("from"), "from"))
    if day is None:
        raise NotReadableError("from is not a date")
    if envelope.get("close") is None:
        raise NotReadableError("no close in the body")
    return assembled_reading(
        instrument_named(envelope.get("symbol"), asked),
        "1d",
        bar_points(bar_start(day, "1d"), envelope),
    )


def _trade(
    trade: dict[str, object], said: object, price: str, time: str, per_second: int, asked: str
) -> Reading:
    value = positive(trade.get(price), price)
    at = moment(trade.get(time), time, per_second=per_second)
    if at is None:
        raise NotReadableError(f"{time} is no plausible moment")
    return assembled_reading(instrument_named(said, asked), "now", [Point(at, "price", value)])
