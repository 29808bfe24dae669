"""What Yahoo's questions are about, and how they change into others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.providers.bars import interval_named, is_dated
from healing_pipeline.providers.bodies import NotReadableError
from healing_pipeline.providers.instruments import from_yahoo
from healing_pipeline.providers.provider import Asked
from healing_pipeline.providers.subjects import counted
from healing_pipeline.providers.yahoo.requests import RANGE_DAYS, one_window

CHART_PATH = re.compile(r"/v8/finance/chart/(?P<symbol>[^/]+)")
DOWNLOAD_PATH = re.compile(r"/v7/finance/download/(?P<symbol>[^/]+)")
QUOTE_PATH = re.compile(r"/v[67]/finance/quote")

_WINDOW = frozenset({"range", "period1", "period2"})
# What changes the language, the look or the parts beside the numbers. `events` adds dividends and
# splits to a chart; in a download it is another table, see `_download`.
_FORM = frozenset(
    {"lang", "region", "corsDomain", ".tsrc", "formatted", "fields", "includeAdjustedClose"}
)
# More symbols than this make an URL that some proxies cut.
_MOST_SYMBOLS = 200
_DAY_S = 86_400
# The newest daily bar can be six days old: Good Friday to Easter Monday, asked on Tuesday morning.
_LEAST_DAYS = 7


def subject(path: str, params: Mapping[str, str]) -> tuple[str, ...]:
    """``("chart", "AAPL", "1d")``, ``("quote", "AAPL", "MSFT")``, ``("download", "AAPL", "1d")``.

    `includePrePost` counts where it adds bars: for bars within the day. A chart without
    `interval` is all of its parameters, since Yahoo then makes the interval fit the window.
    """
    path = unquote(path)
    if QUOTE_PATH.fullmatch(path):
        return "quote", *sorted(set(symbols_of(params))), *counted(params, {"symbols", *_FORM})
    if found := DOWNLOAD_PATH.fullmatch(path):
        return "download", from_yahoo(found["symbol"]), *_download(params)
    if found := CHART_PATH.fullmatch(path):
        return "chart", from_yahoo(found["symbol"]), *_chart(params)
    return path, *counted(params, {"lang", "region", "corsDomain", ".tsrc"})


def symbols_of(params: Mapping[str, str]) -> list[str]:
    """The instruments that a question for quotes names, in its order."""
    return [from_yahoo(each) for each in params.get("symbols", "").split(",") if each]


def _chart(params: Mapping[str, str]) -> tuple[str, ...]:
    interval = _interval(params)
    if interval is None:
        return counted(params, {"events", *_FORM})
    left_out = {"interval", "events", *_WINDOW, *_FORM}
    if is_dated(interval):
        left_out.add("includePrePost")
    return interval, *counted(params, left_out, {"includePrePost": "false"})


def _download(params: Mapping[str, str]) -> tuple[str, ...]:
    interval = _interval({"interval": "1d", **params})
    left_out = {"interval"} if interval else set()
    rest = counted(params, {*left_out, *_WINDOW, *_FORM}, {"events": "history"})
    return (*([interval] if interval else []), *rest)


def _interval(params: Mapping[str, str]) -> str | None:
    """Our name of the interval asked for; None where there is none or it is not known."""
    try:
        return interval_named(params.get("interval", ""))
    except NotReadableError:
        return None


def substituted(path: str, params: Mapping[str, str], instrument: str) -> Asked | None:
    """The same chart, download or single quote of another symbol."""
    found = CHART_PATH.fullmatch(unquote(path)) or DOWNLOAD_PATH.fullmatch(unquote(path))
    if found:
        return found.string[: found.start("symbol")] + instrument, params
    if QUOTE_PATH.fullmatch(path) and len(symbols_of(params)) == 1:
        return path, {**params, "symbols": instrument}
    return None


def daily(path: str, params: Mapping[str, str], now: datetime) -> Asked | None:
    """The chart by days, of a window that holds at least the newest daily bar."""
    interval = _interval(params)
    if not CHART_PATH.fullmatch(unquote(path)) or interval is None or is_dated(interval):
        return None
    by_days = {**one_window(params), "interval": "1d"}
    if "period1" not in by_days:
        if RANGE_DAYS.get(by_days.get("range", ""), 0) < RANGE_DAYS["5d"]:
            by_days["range"] = "5d"
        return path, by_days
    try:
        begin_s = int(by_days["period1"])
        end_s = int(by_days.get("period2", now.astimezone(UTC).timestamp()))
    except ValueError:
        return None
    return path, {**by_days, "period1": str(min(begin_s, end_s - _LEAST_DAYS * _DAY_S))}


def merged(questions: Sequence[Asked]) -> Asked | None:
    """One question for all symbols, where nothing but the symbols differs."""
    others = {
        (path, tuple(sorted((name, said) for name, said in params.items() if name != "symbols")))
        for path, params in questions
    }
    if len(others) != 1 or not all(symbols_of(params) for _, params in questions):
        return None
    path, params = questions[0]
    # Yahoo has two names for some pairs, `JPY=X` and `USDJPY=X`: one of them is enough.
    named: dict[str, str] = {}
    for _, each in questions:
        for symbol in filter(None, each["symbols"].split(",")):
            named.setdefault(from_yahoo(symbol), symbol)
    if not QUOTE_PATH.fullmatch(path) or len(named) > _MOST_SYMBOLS:
        return None
    return path, {**params, "symbols": ",".join(named.values())}


def part(reading: Reading, path: str, params: Mapping[str, str]) -> Reading | None:
    """The quotes of one's own symbols, under the names that a reading of them alone has.

    A symbol that Yahoo left out is left out here as well; None when none is left.
    """
    wanted = set(symbols_of(params))
    if not QUOTE_PATH.fullmatch(path) or reading.interval != "now" or not wanted:
        return None
    quoted = wanted & set(reading.instrument.split(","))
    found: list[tuple[str, Point]] = []
    for point in reading.points:
        symbol = reading.instrument if point.field == "price" else point.field[: -len(".price")]
        if symbol in quoted and point.field in ("price", f"{symbol}.price"):
            field = f"{symbol}.price" if len(wanted) > 1 else "price"
            found.append((symbol, Point(point.at, field, point.value)))
    if not found:
        return None
    points = tuple(sorted(point for _, point in found))
    return Reading(",".join(sorted({symbol for symbol, _ in found})), "now", points, points[-1].at)
