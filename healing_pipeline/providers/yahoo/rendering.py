"""Charts and quotes in Yahoo's form, of numbers that came from elsewhere.

What a reading does not say is null or left out: dividends, adjusted closes, the day's range. What
clients cannot parse without is there: the time zone, the currency where the symbol tells it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.providers.bars import BAR_FIELDS, interval_named, is_dated, zone_named
from healing_pipeline.providers.bodies import NotReadableError
from healing_pipeline.providers.instruments import from_yahoo
from healing_pipeline.providers.renderings import (
    compact,
    line_of,
    read_back,
    rows_of,
    to_the_second,
    whole,
)
from healing_pipeline.providers.yahoo.questions import CHART_PATH, QUOTE_PATH, part, symbols_of
from healing_pipeline.providers.yahoo.reading import read
from healing_pipeline.providers.yahoo.requests import RANGE_DAYS

_VALID_RANGES = [*(each for each in RANGE_DAYS if each != "max"), "ytd", "max"]
_NEW_YORK, _LONDON = "America/New_York", "Europe/London"
_OPENING_BELL = time(9, 30)

_SHARE = re.compile(r"[A-Z]{1,5}(-[A-Z])?")
_PAIR = re.compile(r"[A-Z]{3}([A-Z]{3})=X")
_COIN = re.compile(r"[A-Z0-9]{2,10}-(USD|EUR|GBP|JPY|AUD|CAD|CHF)")
_FUTURE = re.compile(r"[A-Z0-9]+=F")
_INDICES_OF_NEW_YORK = frozenset(
    {"^GSPC", "^DJI", "^IXIC", "^NDX", "^RUT", "^VIX", "^IRX", "^FVX", "^TNX", "^TYX"}
)


def rendered(reading: Reading, path: str, params: Mapping[str, str], now: datetime) -> bytes | None:
    """A chart or a quote that says what `reading` says.

    None for CSV downloads, for ``formatted=true``, for a reading of another interval or
    instrument, and for bars of an exchange whose time zone the symbol does not tell.

    Notes
    -----
    Times of quotes and trades are whole seconds. ``tradingPeriods``, which `yfinance` needs for
    bars within the day, are the stretches of the days that the bars cover.
    """
    line = line_of(path, params, now)
    if line.params.get("formatted", "false").lower() == "true":
        return None
    if chart := CHART_PATH.fullmatch(line.path):
        body = _chart(reading, chart["symbol"].upper(), line.params, now)
        return None if body is None else read_back(body, line, read, reading, reading.points)
    own = part(reading, line.path, line.params) if QUOTE_PATH.fullmatch(line.path) else None
    if own is None:
        return None
    said = to_the_second(own.points)
    return read_back(_quotes(said, line.params), line, read, own, said)


def _chart(reading: Reading, symbol: str, params: Mapping[str, str], now: datetime) -> bytes | None:
    asked = params.get("interval", "")
    zone_name = _zone_name(reading.instrument)
    try:
        same = interval_named(asked) == reading.interval
    except NotReadableError:
        return None
    if not same or zone_name is None or from_yahoo(symbol) != reading.instrument:
        return None
    zone = zone_named(zone_name)
    assert isinstance(zone, ZoneInfo)
    rows = rows_of(reading.points)
    stamps = [_stamp(at, reading.interval, zone) for at in rows]
    quote: dict[str, list[float | None]] = {
        name: [row.get(name) for row in rows.values()] for name in BAR_FIELDS
    }
    quote["volume"] = [None if each is None else whole(each) for each in quote["volume"]]
    here = now.astimezone(zone)
    meta: dict[str, object] = {
        "currency": _currency(reading.instrument),
        "symbol": symbol,
        "exchangeName": None,
        "instrumentType": _type(reading.instrument),
        "regularMarketTime": int(reading.as_of.timestamp()),
        "gmtoffset": _seconds(here.utcoffset()),
        "timezone": here.tzname(),
        "exchangeTimezoneName": zone_name,
        "regularMarketPrice": quote["close"][-1],
        "dataGranularity": asked,
        "range": params.get("range", ""),
        "validRanges": _VALID_RANGES,
    }
    if not is_dated(reading.interval):
        meta["tradingPeriods"] = _covered(list(rows), reading.interval, zone)
    result = {"meta": meta, "timestamp": stamps, "indicators": {"quote": [quote]}}
    return compact({"chart": {"result": [result], "error": None}})


def _stamp(at: datetime, interval: str, zone: ZoneInfo) -> int:
    """Yahoo's time of a bar: of a day in New York the opening bell, else local midnight."""
    if not is_dated(interval):
        return int(at.timestamp())
    rings = interval == "1d" and zone.key == _NEW_YORK
    begin = _OPENING_BELL if rings else time(0)
    return int(datetime.combine(at.date(), begin, zone).timestamp())


def _covered(starts: list[datetime], interval: str, zone: ZoneInfo) -> list[list[object]]:
    """Per local day, from the start of its first bar to the end of its last one."""
    unit = {"m": "minutes", "h": "hours"}.get(interval[-1], "seconds")
    length = timedelta(**{unit: int(interval[:-1])})
    days: dict[object, tuple[datetime, datetime]] = {}
    for at in starts:
        day = at.astimezone(zone).date()
        first, _ = days.get(day, (at, at))
        days[day] = first, at + length
    return [
        [
            {
                "timezone": begin.astimezone(zone).tzname(),
                "start": int(begin.timestamp()),
                "end": int(end.timestamp()),
                "gmtoffset": _seconds(begin.astimezone(zone).utcoffset()),
            }
        ]
        for begin, end in days.values()
    ]


def _quotes(points: tuple[Point, ...], params: Mapping[str, str]) -> bytes:
    wanted = symbols_of(params)
    spelled = dict(zip(wanted, filter(None, params["symbols"].split(",")), strict=True))
    found = {
        wanted[0] if point.field == "price" else point.field.removesuffix(".price"): point
        for point in points
    }
    result = [
        {
            "quoteType": _type(symbol),
            "currency": _currency(symbol),
            "exchangeTimezoneName": _zone_name(symbol),
            "regularMarketPrice": found[symbol].value,
            "regularMarketTime": int(found[symbol].at.timestamp()),
            "symbol": spelled[symbol].upper(),
        }
        for symbol in dict.fromkeys(wanted)
        if symbol in found
    ]
    return compact({"quoteResponse": {"result": result, "error": None}})


def _seconds(offset: timedelta | None) -> int:
    return int((offset or timedelta()).total_seconds())


def _zone_name(instrument: str) -> str | None:
    """Where Yahoo dates an instrument; None for exchanges that the symbol does not tell."""
    if _COIN.fullmatch(instrument):
        return str(UTC)
    if _PAIR.fullmatch(instrument):
        return _LONDON
    known = instrument in _INDICES_OF_NEW_YORK or _FUTURE.fullmatch(instrument)
    return _NEW_YORK if known or _SHARE.fullmatch(instrument) else None


def _currency(instrument: str) -> str | None:
    """What the prices are in; a symbol without a suffix is listed in the United States."""
    if found := _PAIR.fullmatch(instrument) or _COIN.fullmatch(instrument):
        return found[1]
    return "USD" if _SHARE.fullmatch(instrument) else None


def _type(instrument: str) -> str | None:
    """Yahoo's word for what it is; None for a share or a fund, which look the same."""
    for kind, words in (("CURRENCY", _PAIR), ("CRYPTOCURRENCY", _COIN), ("FUTURE", _FUTURE)):
        if words.fullmatch(instrument):
            return kind
    return "INDEX" if instrument.startswith("^") else None
