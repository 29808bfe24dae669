"""The numbers in Yahoo's bodies: v8 charts, v7 quotes, v7 downloads (CSV)."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import unquote

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
    OLDEST_BAR,
    NotReadableError,
    assembled_reading,
    json_object,
    mapping,
    moment,
    number,
    positive,
    sequence,
    text,
    unreadable_as_value,
)
from healing_pipeline.providers.dates import iso_date
from healing_pipeline.providers.instruments import confirmed, from_yahoo

_YIELDS = frozenset({"^IRX", "^FVX", "^TNX", "^TYX"})
_CSV_FIELDS = dict(zip(("Open", "High", "Low", "Close", "Volume"), BAR_FIELDS, strict=True))

Row = tuple[datetime, dict[str, object]]


@unreadable_as_value
def read(body: bytes, line: RequestLine) -> Reading:
    """Read a chart, a quote or a CSV download, whichever `body` is."""
    if body.lstrip().startswith(b"Date,"):
        return _download(body, line)
    envelope = json_object(body)
    if "chart" in envelope:
        return _chart(mapping(envelope["chart"], "chart"), line)
    if "quoteResponse" in envelope:
        return read_quotes(mapping(envelope["quoteResponse"], "quoteResponse"), line)
    raise NotReadableError("no chart and no quoteResponse in the body")


def _results(envelope: dict[str, object], what: str) -> list[object]:
    if envelope.get("error") is not None:
        raise NotReadableError(f"{what} carries an error")
    results = sequence(envelope.get("result"), f"{what}.result")
    if not results:
        raise NotReadableError(f"{what}.result is empty")
    return results


def asked_symbol(line: RequestLine) -> str:
    """The instrument that the path names; empty where it names none."""
    if "/chart/" not in line.path and "/download/" not in line.path:
        return ""
    return from_yahoo(unquote(line.path.rsplit("/", 1)[-1]))


def may_be_negative(instrument: str) -> bool:
    """Whether an instrument can really trade below zero."""
    # Oil closed at -37.63 on 2020-04-20 (CL=F) and T-bill yields went below zero the same spring.
    return instrument.endswith("=F") or instrument in _YIELDS


def _chart(chart: dict[str, object], line: RequestLine) -> Reading:
    results = _results(chart, "chart")
    if len(results) > 1:
        raise NotReadableError(f"chart.result holds {len(results)} charts, expected one")
    result = mapping(results[0], "chart.result[0]")
    meta = mapping(result.get("meta"), "meta")
    symbol = from_yahoo(text(meta.get("symbol"), "meta.symbol"))
    instrument = confirmed(symbol, asked_symbol(line))
    interval = interval_named(
        text(meta.get("dataGranularity") or line.params.get("interval"), "meta.dataGranularity")
    )
    # The name and not `gmtoffset`, which is today's: with it, bars from the other half of the
    # year that start at local midnight fall on the day before.
    zone = zone_named(meta.get("exchangeTimezoneName"), meta.get("gmtoffset"))

    rows: list[Row] = []
    for began_at, row in _chart_rows(result):
        if is_dated(interval):
            rows.append((bar_start(began_at.astimezone(zone).date(), interval), row))
        else:
            rows.append((began_at, row))
    if is_dated(interval):
        rows = _with_live_row_joined(rows, interval)
    signed = may_be_negative(instrument)
    points = [each for at, row in rows for each in bar_points(at, row, may_be_negative=signed)]
    found = assembled_reading(instrument, interval, points)

    traded = meta.get("regularMarketTime")
    traded_at = None if traded is None else moment(traded, "meta.regularMarketTime")
    return assembled_reading(
        instrument, interval, points, as_of(found.points[-1].at, interval, traded_at, zone)
    )


def _chart_rows(result: dict[str, object]) -> Iterable[Row]:
    """Every row with a plausible time; its fields are None where Yahoo has null."""
    if "timestamp" not in result:
        raise NotReadableError("the chart has no timestamp: no bar in the window asked for")
    stamps = sequence(result["timestamp"], "timestamp")
    indicators = mapping(result.get("indicators"), "indicators")
    quotes = sequence(indicators.get("quote"), "indicators.quote")
    if len(quotes) != 1:
        raise NotReadableError(f"indicators.quote holds {len(quotes)} entries, expected one")
    quote = mapping(quotes[0], "indicators.quote[0]")
    if "close" not in quote:
        raise NotReadableError("indicators.quote[0] has no close")
    columns = {name: sequence(quote[name], name) for name in BAR_FIELDS if name in quote}
    for name, column in columns.items():
        if len(column) != len(stamps):
            raise NotReadableError(f"{len(column)} values of {name} for {len(stamps)} timestamps")
    for index, stamp in enumerate(stamps):
        at = moment(stamp, f"timestamp[{index}]", oldest=OLDEST_BAR)
        if at is not None:
            yield at, {name: column[index] for name, column in columns.items()}


def _with_live_row_joined(rows: list[Row], interval: str) -> list[Row]:
    """`rows` with the row of the running session made a part of the bar that it belongs to.

    While a market is open Yahoo appends a row with the time of the last trade: for ``1d`` it
    repeats today's row with newer numbers, for longer bars it covers today only (seen and mended
    by yfinance as well, `fix_Yahoo_returning_live_separate`).
    """
    if len(rows) < 2 or rows[-1][0] != rows[-2][0]:
        return rows
    at, bar = rows[-2]
    live = {name: value for name, value in rows[-1][1].items() if value is not None}
    joined = {**bar, **live}
    if interval != "1d":
        for name, join in (("open", _first), ("high", max), ("low", min), ("volume", _sum)):
            old, new = bar.get(name), live.get(name)
            if old is not None and new is not None:
                joined[name] = join((number(old, name), number(new, name)))
    return [*rows[:-2], (at, joined)]


def _first(both: tuple[float, float]) -> float:
    return both[0]


def _sum(both: tuple[float, float]) -> float:
    return both[0] + both[1]


def read_quotes(envelope: dict[str, object], line: RequestLine) -> Reading:
    """Read what ``quoteResponse`` holds."""
    wanted = {from_yahoo(each) for each in line.params.get("symbols", "").split(",") if each}
    prices: dict[str, tuple[datetime, float]] = {}
    for index, entry in enumerate(_results(envelope, "quoteResponse")):
        quote = mapping(entry, f"result[{index}]")
        symbol = from_yahoo(text(quote.get("symbol"), f"result[{index}].symbol"))
        if wanted and symbol not in wanted:
            raise NotReadableError(f"the body quotes {symbol[:12]!r}, which was not asked for")
        said, traded = _raw(quote.get("regularMarketPrice")), _raw(quote.get("regularMarketTime"))
        if said is None or traded is None:
            continue
        check = number if may_be_negative(symbol) else positive
        price = check(said, "regularMarketPrice")
        at = moment(traded, "regularMarketTime")
        if at is not None and prices.setdefault(symbol, (at, price)) != (at, price):
            raise NotReadableError(f"two different quotes of {symbol[:12]!r}")
    if not prices:
        raise NotReadableError("no quote with a price and a plausible time")
    several = len(wanted or prices) > 1
    return assembled_reading(
        ",".join(sorted(prices)),
        "now",
        [
            Point(at, f"{symbol}.price" if several else "price", price)
            for symbol, (at, price) in prices.items()
        ],
    )


def _raw(value: object) -> object:
    """The number in ``{"raw": 1.0, "fmt": "1.00"}``, which `formatted=true` asks for."""
    return value.get("raw") if isinstance(value, dict) else value


def _download(body: bytes, line: RequestLine) -> Reading:
    instrument = asked_symbol(line)
    if not instrument:
        raise NotReadableError("a CSV names no symbol, and neither does the request")
    interval = interval_named(line.params.get("interval", "1d"))
    if not is_dated(interval):
        raise NotReadableError(f"CSV with dates for bars of {interval}")
    try:
        lines = list(csv.reader(body.decode("utf-8").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise NotReadableError("not CSV in UTF-8") from None
    header = lines[0]
    missing = [name for name in _CSV_FIELDS if name not in header]
    if missing:
        raise NotReadableError(f"the CSV has no column {missing[0]}")
    points: list[Point] = []
    for index, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(header):
            raise NotReadableError(f"line {index} has {len(cells)} of {len(header)} columns")
        row = dict(zip(header, cells, strict=True))
        day = iso_date(row["Date"])
        if day is None:
            raise NotReadableError(f"line {index} begins with no date")
        at = bar_start(day, interval)
        if at >= OLDEST_BAR:
            bar = {ours: row[theirs] for theirs, ours in _CSV_FIELDS.items()}
            known = {name: said for name, said in bar.items() if said not in {"null", ""}}
            signed = may_be_negative(instrument)
            points += bar_points(at, known, as_text=True, may_be_negative=signed)
    return assembled_reading(instrument, interval, points)
