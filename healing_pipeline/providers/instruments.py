"""One name for one instrument, whoever carries it: Yahoo's, since every fallback leads there.

``EURUSD=X`` for a currency pair, ``BTC-USD`` for a coin, ``BRK-B`` for a class of shares.
"""

from __future__ import annotations

import re

from healing_pipeline.probing.redaction import redact
from healing_pipeline.providers.bodies import NotReadableError

_YAHOO_AGAINST_USD = re.compile(r"[A-Z]{3}=X")
_CLASS_OF_SHARES = re.compile(r"([A-Z]{1,5})\.([A-Z])")
_POLYGON_CURRENCIES = re.compile(r"C:([A-Z]{3})([A-Z]{3})")
_POLYGON_COIN = re.compile(r"X:([A-Z0-9]{2,10})(USD|EUR|GBP|JPY|AUD|CAD|CHF)")


def currency_pair(base: str, quote: str) -> str:
    """The price of one `base` in `quote`."""
    return f"{base.upper()}{quote.upper()}=X"


def coin(code: str, market: str) -> str:
    """The price of one coin `code` in `market`."""
    return f"{code.upper()}-{market.upper()}"


def from_yahoo(symbol: str) -> str:
    """Yahoo's symbol; its short ``JPY=X`` is written out as ``USDJPY=X``."""
    symbol = symbol.upper()
    return f"USD{symbol}" if _YAHOO_AGAINST_USD.fullmatch(symbol) else symbol


def from_ticker(ticker: str) -> str:
    """The name of a Polygon or Alpha Vantage ticker: ``BRK.B``, ``C:EURUSD``, ``X:BTCUSD``."""
    ticker = ticker.upper()
    if shares := _CLASS_OF_SHARES.fullmatch(ticker):
        return f"{shares[1]}-{shares[2]}"
    if pair := _POLYGON_CURRENCIES.fullmatch(ticker):
        return currency_pair(pair[1], pair[2])
    if pair := _POLYGON_COIN.fullmatch(ticker):
        return coin(pair[1], pair[2])
    return ticker


def confirmed(said: str, asked: str) -> str:
    """`said`, if nothing else was `asked` for: numbers of another instrument are not an answer.

    An empty `asked` means that the request is not known, and confirms anything.
    """
    if asked and said != asked:
        shown = redact(said)[:12]  # before it is cut: a part of a key is none by its shape
        raise NotReadableError(f"the body speaks of {shown!r}, asked was {asked[:12]!r}")
    return said
