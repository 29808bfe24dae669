"""The endpoints of the default configuration, a line of YAML each.

Intervals add up to what each source's quota and probe share allow, save for Alpha Vantage and the
Exchange Rate API: their quotas are so small that the probe budget spreads the probes out further.
Where an alternate has to carry at least as many rows as the endpoint, its range is wider (IBM).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

ETF_OF = {
    "AAPL": "XLK",
    "MSFT": "XLK",
    "NVDA": "XLK",
    "GOOGL": "XLC",
    "META": "XLC",
    "AMZN": "XLY",
    "TSLA": "XLY",
    "JPM": "XLF",
    "XOM": "XLE",
    "JNJ": "XLV",
}
SERIES_OF = {
    "DGS10": "GS10",
    "GS10": "DGS10",
    "DGS2": "GS2",
    "FEDFUNDS": "DFF",
    "CPIAUCSL": "CPIAUCNS",
    "UNRATE": "UNRATENSA",
    "GDP": None,
    "PAYEMS": "PAYNSA",
    "M2SL": "M2NS",
    "T10Y2Y": "T10Y2YM",
    "MORTGAGE30US": None,
    "VIXCLS": None,
}
# Of the others' days nothing is expected: a month's number comes when it comes.
CALENDAR_OF = {
    "DGS10": "us_business",
    "DGS2": "us_business",
    "T10Y2Y": "us_business",
    "VIXCLS": "XNYS",
}
POLYGON_DAILY = ("AAPL", "MSFT", "NVDA", "SPY", "XOM")
INTRADAY = ("AAPL", "SPY")
QUOTE_MAX_AGE_S = 900
INTRADAY_MAX_AGE_S = 1800
RATE_MAX_AGE_S = 129_600  # the provider renews its rates once a day

NO_MORE: Mapping[str, str] = {}
WITH_PROXY = "[exact, stale, coarser, proxy]"


def endpoint_lines() -> Iterator[str]:
    """The lines below `endpoints:`, comments included."""
    yield "  # Yahoo Finance: daily bars"
    yield from _yahoo_daily()
    yield ""
    yield "  # Yahoo Finance: five-minute bars and quotes"
    yield from _yahoo_now()
    yield ""
    yield "  # FRED: the newest hundred observations of a series"
    yield from _fred()
    yield ""
    yield "  # Polygon: daily bars, five-minute bars, the day before"
    yield from _polygon()
    yield ""
    yield "  # Alpha Vantage: 25 calls a day and key, so most answers come from the cache"
    yield from _alpha_vantage()
    yield ""
    yield "  # Exchange Rate API: rate tables and pairs, renewed once a day"
    yield from _exchange_rate()


def _line(
    endpoint_id: str, path: str, params: Mapping[str, str] = NO_MORE, **more: str | int
) -> str:
    fields = [f"path: {_quoted(path)}"]
    if params:
        inside = ", ".join(f"{name}: {_quoted(value)}" for name, value in params.items())
        fields.append(f"params: {{{inside}}}")
    fields += [f"{name}: {value}" for name, value in more.items()]
    return f"  {endpoint_id}: {{{', '.join(fields)}}}"


def _quoted(text: str) -> str:
    """`text` in quotes where YAML's flow style would end it early."""
    return f'"{text}"' if set(text) & set("{},^=") else text


def _yahoo_daily() -> Iterator[str]:
    for symbol in (*ETF_OF, "SPY", "QQQ"):
        alternates = []
        if symbol in ETF_OF:
            alternates.append(f"etf: {ETF_OF[symbol]}")
        if symbol in POLYGON_DAILY:
            alternates.append(f"endpoints: [polygon/aggs-{symbol.lower()}-1d]")
        more: dict[str, str | int] = {"interval_s": 60}
        if symbol in ETF_OF:
            more["accepts"] = WITH_PROXY
        if alternates:
            more["alternates"] = f"{{{', '.join(alternates)}}}"
        yield _chart(f"{symbol.lower()}-1d", symbol, "1d", "3mo", **more)
    yield _chart("ibm-1d", "IBM", "1d", "6mo", interval_s=60)
    yield _chart("gspc-1d", "^GSPC", "1d", "3mo", interval_s=60)
    yield _chart("eurusd-1d", "EURUSD=X", "1d", "6mo", interval_s=60, calendar="fx")


def _chart(name: str, symbol: str, interval: str, span: str, **more: str | int) -> str:
    params = {"interval": interval, "range": span}
    return _line(f"yahoo/chart-{name}", f"/v8/finance/chart/{symbol}", params, **more)


def _yahoo_now() -> Iterator[str]:
    for symbol in INTRADAY:
        yield _chart(
            f"{symbol.lower()}-5m",
            symbol,
            "5m",
            "1d",
            interval_s=30,
            max_age_s=INTRADAY_MAX_AGE_S,
            alternates=f"{{endpoints: [polygon/aggs-{symbol.lower()}-5m]}}",
        )
    quotes = {"aapl": "AAPL", "spy": "SPY", "ibm": "IBM", "tech": "AAPL,MSFT,GOOGL,AMZN,NVDA"}
    for name, symbols in quotes.items():
        yield _line(
            f"yahoo/quote-{name}",
            "/v7/finance/quote",
            {"symbols": symbols},
            interval_s=60,
            max_age_s=QUOTE_MAX_AGE_S,
        )


def _fred() -> Iterator[str]:
    for series, proxy in SERIES_OF.items():
        more: dict[str, str | int] = {"interval_s": 60 if series == "DGS10" else 120}
        if series in CALENDAR_OF:
            more["calendar"] = CALENDAR_OF[series]
        if proxy:
            more["accepts"] = WITH_PROXY
            more["alternates"] = f"{{series: {proxy}}}"
        params = {"series_id": series, "file_type": "json", "sort_order": "desc", "limit": "100"}
        yield _line(f"fred/{series.lower()}", "/fred/series/observations", params, **more)


def _polygon() -> Iterator[str]:
    def aggregates(symbol: str, span: str, since: str, name: str, **more: str | int) -> str:
        return _line(
            f"polygon/aggs-{symbol.lower()}-{name}",
            f"/v2/aggs/ticker/{symbol}/range/{span}/{since}/{{today}}",
            {"adjusted": "true", "sort": "asc", "limit": "5000"},
            **more,
            alternates=f"{{endpoints: [yahoo/chart-{symbol.lower()}-{name}]}}",
        )

    for symbol in POLYGON_DAILY:
        yield aggregates(symbol, "1/day", "{today-90d}", "1d", interval_s=300)
    for symbol in INTRADAY:
        # four days back there is a session, on a Monday morning after a holiday too
        yield aggregates(
            symbol, "5/minute", "{today-4d}", "5m", interval_s=300, max_age_s=INTRADAY_MAX_AGE_S
        )
    for symbol in ("AAPL", "TSLA"):
        yield _line(
            f"polygon/prev-{symbol.lower()}",
            f"/v2/aggs/ticker/{symbol}/prev",
            {"adjusted": "true"},
            interval_s=300,
        )


def _alpha_vantage() -> Iterator[str]:
    def query(name: str, function: str, alternates: str, **params: str) -> str:
        more = {"calendar": "fx"} if function in {"FX_DAILY", pair} else {}
        return _line(
            f"alpha_vantage/{name}",
            "/query",
            {"function": function, **params},
            interval_s=600,
            **more,
            alternates=f"{{endpoints: [{alternates}]}}",
        )

    daily = "TIME_SERIES_DAILY"
    aapl = "yahoo/chart-aapl-1d, polygon/aggs-aapl-1d"
    pair = "CURRENCY_EXCHANGE_RATE"
    usd_eur = "exchange_rate/pair-usd-eur, exchange_rate/latest-usd"
    gbp_usd = "exchange_rate/pair-gbp-usd, exchange_rate/latest-gbp"
    eur_usd = {"from_symbol": "EUR", "to_symbol": "USD"}
    yield query("daily-ibm", daily, "yahoo/chart-ibm-1d", symbol="IBM", outputsize="compact")
    yield query("daily-aapl", daily, aapl, symbol="AAPL", outputsize="compact")
    yield query("quote-ibm", "GLOBAL_QUOTE", "yahoo/quote-ibm", symbol="IBM")
    yield query(
        "fx-daily-eurusd", "FX_DAILY", "yahoo/chart-eurusd-1d", **eur_usd, outputsize="compact"
    )
    yield query("rate-usd-eur", pair, usd_eur, from_currency="USD", to_currency="EUR")
    yield query("rate-gbp-usd", pair, gbp_usd, from_currency="GBP", to_currency="USD")


def _exchange_rate() -> Iterator[str]:
    for base in ("USD", "EUR", "GBP", "JPY"):
        yield _line(
            f"exchange_rate/latest-{base.lower()}",
            f"/v6/latest/{base}",
            interval_s=600,
            max_age_s=RATE_MAX_AGE_S,
        )
    for base, quote in (("USD", "EUR"), ("GBP", "USD")):
        name = f"{base}-{quote}".lower()
        others = f"exchange_rate/latest-{base.lower()}, alpha_vantage/rate-{name}"
        yield _line(
            f"exchange_rate/pair-{name}",
            f"/v6/pair/{base}/{quote}",
            interval_s=600,
            max_age_s=RATE_MAX_AGE_S,
            alternates=f"{{endpoints: [{others}]}}",
        )
