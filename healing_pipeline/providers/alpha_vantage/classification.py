"""What Alpha Vantage's answers mean: nearly every error is a sentence in a 200.

The sentence stands alone under `Information`, `Note` or `Error Message`; good data has
``1. Information`` inside `Meta Data`, which is another thing. Sentences about limits praise the
premium plans, so limits are looked for first.
"""

from __future__ import annotations

import re

from healing_pipeline.probing.body_shape import Body, Shape
from healing_pipeline.probing.classification import Dialect, Finding, judge
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.json_body import is_hollow, is_numeric, plain_key, spoken
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.probing.wording import limit_of, meaning_of, says_service_ended

_SENTENCE_KEYS = frozenset({"information", "note", "errormessage", "error", "info", "warning"})
_BURST = re.compile(
    r"spreading out|sparingly|burst|per (minute|second)|call (frequency|volume)", re.I
)
_OPTIMISE = re.compile(r"optimi[sz]ing your api call", re.I)
_PREMIUM = re.compile(
    r"\b(is|are) an? premium\b|premium (endpoint|feature|function|parameter)", re.I
)
_SUBSCRIBE = re.compile(r"premium|subscribe|entitle", re.I)
_SAMPLE = re.compile(r"premium|sample data|illustration", re.I)
_INVALID_CALL = re.compile(r"invalid api call", re.I)
_INVALID_INPUT = re.compile(r"invalid (input|value|parameter)|not valid|does not exist", re.I)
_KEY = re.compile(r"api ?key", re.I)
_SERIES_KEY = re.compile(r"time series|technical analysis", re.I)
_SERIES_FUNCTION = re.compile(
    r"^(TIME_SERIES_(?!INTRADAY_EXTENDED)|FX_|DIGITAL_CURRENCY_|CRYPTO_INTRADAY)"
)
_QUOTES = {
    "GLOBAL_QUOTE": "Global Quote",
    "CURRENCY_EXCHANGE_RATE": "Realtime Currency Exchange Rate",
}
"""Functions that answer with one quote, and what they put it under."""

_PLACEHOLDER = "XXYYZZ"
"""The symbol in the sample rows that stand in for premium data."""


def _refusal(body: Body, line: RequestLine) -> Finding | None:
    if body.shape is not Shape.JSON or not isinstance(body.json, dict):
        return None
    for key, value in body.json.items():
        if plain_key(key) in _SENTENCE_KEYS and (isinstance(value, str) or value):
            said = spoken(value)
            return Finding(_meaning(said, plain_key(key), line), f"{key}: {said!r}")
    message = body.json.get("message")
    if isinstance(message, str) and _SAMPLE.search(message):
        return Finding(FailureClass.PLAN_LIMIT, f"sample data: {message!r}")
    return None


def _meaning(said: str, key: str, line: RequestLine) -> FailureClass | None:
    """The class of one of Alpha Vantage's sentences, the most telling words first."""
    if _BURST.search(said) or _OPTIMISE.search(said):
        return FailureClass.RATE_LIMIT
    if _PREMIUM.search(said) and not re.search(r"rate limit is|detected your", said, re.I):
        return FailureClass.PLAN_LIMIT
    limit = limit_of(said)
    if limit is not None:
        return limit
    if says_service_ended(said):
        return FailureClass.SERVER_ERROR
    if key == "note":
        return FailureClass.RATE_LIMIT  # the only thing it was ever used for
    if _SUBSCRIBE.search(said):
        return FailureClass.PLAN_LIMIT
    if _INVALID_CALL.search(said):
        # The same words for an unknown symbol and for a malformed call: with a symbol in the
        # call, the symbol is the likelier cause, and that is one that can be healed.
        return FailureClass.NOT_FOUND if line.params.get("symbol") else FailureClass.BAD_REQUEST
    if _KEY.search(said):
        return FailureClass.AUTH_ERROR
    if _INVALID_INPUT.search(said):
        return FailureClass.BAD_REQUEST
    return meaning_of(said)


def _contents(body: Body, line: RequestLine) -> Finding | None:
    if body.shape is not Shape.JSON:
        return None
    value = body.json
    if is_hollow(value):
        return Finding(FailureClass.EMPTY, "JSON without any value in it")
    series = _SERIES_FUNCTION.search(line.params.get("function", "")) is not None
    if not isinstance(value, dict):
        text = "JSON without the time series expected"
        return Finding(FailureClass.INVALID_DATA, text) if series else None
    for name, inner in value.items():
        if _SERIES_KEY.search(name):
            return _series(name, inner)
    if series or set(value) == {"Meta Data"}:
        return Finding(FailureClass.INVALID_DATA, "JSON without the time series expected")
    for name in _QUOTES.values():
        if name in value:
            return _quote(name, value[name])
    if line.params.get("function") in _QUOTES:
        return Finding(FailureClass.INVALID_DATA, "JSON without the quote expected")
    containers = [each for each in value.values() if isinstance(each, dict | list)]
    if containers and all(is_hollow(each) for each in containers):
        return Finding(FailureClass.EMPTY, "every list in the answer is empty")
    return _rows(value.get("data"))


def _series(name: str, rows: object) -> Finding:
    if is_hollow(rows):
        return Finding(FailureClass.EMPTY, f"{name!r} without a row")
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        return Finding(FailureClass.INVALID_DATA, f"{name!r} that is no table of rows")
    if not any(is_numeric(cell) for row in rows.values() for cell in row.values()):
        return Finding(FailureClass.INVALID_DATA, f"{name!r} without a number")
    return Finding(FailureClass.OK, f"{name!r} with {len(rows)} rows")


def _quote(name: str, quote: object) -> Finding:
    if is_hollow(quote):
        return Finding(FailureClass.EMPTY, f"{name!r} is empty: the symbol is not quoted")
    if not isinstance(quote, dict) or not any(is_numeric(cell) for cell in quote.values()):
        return Finding(FailureClass.INVALID_DATA, f"{name!r} without a number")
    return Finding(FailureClass.OK, f"{name!r} with {len(quote)} fields")


def _rows(rows: object) -> Finding | None:
    """Judge the `data` list of options and economic series; None where there is no such list."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    if any(_PLACEHOLDER in spoken(row.get("symbol")) for row in rows):
        return Finding(FailureClass.PLAN_LIMIT, f"sample rows of {_PLACEHOLDER} in place of data")
    if all("value" in row and row["value"] in {".", "", None} for row in map(_flat, rows)):
        return Finding(FailureClass.EMPTY, f'{len(rows)} rows, all of them "."')
    return Finding(FailureClass.OK, f"data with {len(rows)} rows")


def _flat(row: dict[str, object]) -> dict[str, object]:
    """A row without nested members, so that its values can be looked up in a set."""
    return {name: each for name, each in row.items() if not isinstance(each, dict | list)}


DIALECT = Dialect("Alpha Vantage", _refusal, _contents)


def classify(response: Response, line: RequestLine) -> Verdict:
    """Judge a response by everything Alpha Vantage is known to say. Never raises."""
    return judge(response, line, DIALECT)
