"""What Yahoo's answers mean: one envelope per endpoint, plain text from the edge, HTML pages.

Yahoo wraps everything in ``{"chart": {"result": ..., "error": ...}}``, with the endpoint's name in
front and sometimes ``finance`` for errors of any endpoint.
"""

from __future__ import annotations

import re

from healing_pipeline.probing.body_shape import Body, Shape
from healing_pipeline.probing.classification import Dialect, Finding, judge
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.json_body import is_hollow, is_number, plain_key, spoken
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.probing.wording import limit_of, meaning_of

_ENVELOPE_OF_PATH = (
    (re.compile(r"/finance/chart/"), "chart"),
    (re.compile(r"/finance/quoteSummary/"), "quoteSummary"),
    (re.compile(r"/v[67]/finance/quote/?$"), "quoteResponse"),
    (re.compile(r"/v7/finance/options/"), "optionChain"),
    (re.compile(r"/finance/timeseries/"), "timeseries"),
)
_ERROR_CODES = {
    "notfound": FailureClass.NOT_FOUND,
    "badrequest": FailureClass.BAD_REQUEST,
    "argumenterror": FailureClass.BAD_REQUEST,
    "missingvalue": FailureClass.BAD_REQUEST,
    "unprocessableentity": FailureClass.BAD_REQUEST,
    "unauthorized": FailureClass.AUTH_ERROR,
    "forbidden": FailureClass.AUTH_ERROR,
    "toomanyrequests": FailureClass.RATE_LIMIT,
    "internalservererror": FailureClass.SERVER_ERROR,
    "internalerror": FailureClass.SERVER_ERROR,
    "serviceunavailable": FailureClass.SERVER_ERROR,
    "badgateway": FailureClass.SERVER_ERROR,
    "gatewaytimeout": FailureClass.SERVER_ERROR,
}
_CRUMB_PATH = re.compile(r"/getcrumb/?$", re.IGNORECASE)
_CRUMB = re.compile(r"[^\s<>{}\"']{6,40}")
_PRICES = ("open", "high", "low", "close")


def _envelope(value: object) -> tuple[str, dict[str, object]] | None:
    """Name and content of Yahoo's envelope: the only member, holding `result` or `error`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, dict) and ("result" in inner or "error" in inner):
                return name, inner
    return None


def _refusal(body: Body, _line: RequestLine) -> Finding | None:
    envelope = _envelope(body.json) if body.shape is Shape.JSON else None
    if envelope is None:
        return None
    name, inner = envelope
    error = inner.get("error")
    if not error:
        return None
    said = spoken(error)
    code = plain_key(spoken(error.get("code"))) if isinstance(error, dict) else ""
    meaning = limit_of(said) or _ERROR_CODES.get(code) or meaning_of(said)
    return Finding(meaning, f"{name} error {said!r}")


def _contents(body: Body, line: RequestLine) -> Finding | None:
    if _CRUMB_PATH.search(line.path):
        return _crumb(body)
    if body.shape is not Shape.JSON:
        return None
    bare = _bare(body.json, line.path)
    if bare is not None:
        return bare
    expected = next((name for path, name in _ENVELOPE_OF_PATH if path.search(line.path)), None)
    envelope = _envelope(body.json)
    if envelope is None or (expected is not None and envelope[0] != expected):
        if expected is not None and not is_hollow(body.json):
            return Finding(FailureClass.INVALID_DATA, f"JSON without the {expected!r} expected")
        return None if envelope is None else _result(*envelope)
    return _result(*envelope)


def _crumb(body: Body) -> Finding:
    """The crumb is bare text, and so are the refusals that careless clients take for one."""
    meaning = meaning_of(body.text)
    if meaning is None and _CRUMB.fullmatch(body.text):
        return Finding(FailureClass.OK, f"a crumb of {len(body.text)} characters")
    return Finding(meaning, f"no crumb but {' '.join(body.text[:200].split())!r}")


def _result(name: str, inner: dict[str, object]) -> Finding:
    result = inner.get("result")
    if "result" not in inner:
        return Finding(FailureClass.INVALID_DATA, f"{name} without a result")
    if is_hollow(result) or _only_echo(result):
        return Finding(FailureClass.EMPTY, f"{name} with an empty result and no error")
    if not isinstance(result, dict | list):
        return Finding(FailureClass.INVALID_DATA, f"{name} whose result is a single value")
    if name == "chart":
        return _chart(result)
    if name == "spark" and not any(_spark_has_rows(each) for each in result):
        return Finding(FailureClass.EMPTY, "spark without timestamps")
    size = len(result)
    return Finding(FailureClass.OK, f"{name} with a result of {size}")


def _only_echo(result: object) -> bool:
    """Whether an answer about one symbol repeats the symbol and says nothing of it."""
    return isinstance(result, dict) and set(result) <= {"symbol", "symbols", "maxAge"}


def _chart(result: dict[str, object] | list[object]) -> Finding:
    first = result[0] if isinstance(result, list) else result
    if not isinstance(first, dict):
        return Finding(FailureClass.INVALID_DATA, "chart whose result is no object")
    stamps = first.get("timestamp")
    if not stamps:
        return Finding(FailureClass.EMPTY, "chart without timestamps: nothing traded in the window")
    if not isinstance(stamps, list) or not all(is_number(each) for each in stamps):
        return Finding(FailureClass.INVALID_DATA, "chart whose timestamps are no numbers")
    indicators = first.get("indicators")
    quotes = indicators.get("quote") if isinstance(indicators, dict) else None
    quote = quotes[0] if isinstance(quotes, list) and quotes else quotes
    if quote is not None and not isinstance(quote, dict):
        return Finding(FailureClass.INVALID_DATA, "chart whose quote is no object")
    columns = {field: quote[field] for field in _PRICES if field in quote} if quote else {}
    values = 0
    for field, column in columns.items():
        if not isinstance(column, list) or len(column) != len(stamps):
            text = f"chart of {len(stamps)} timestamps whose {field} does not match them"
            return Finding(FailureClass.INVALID_DATA, text)
        present = [each for each in column if each is not None]
        if not all(is_number(each) for each in present):
            return Finding(FailureClass.INVALID_DATA, f"chart whose {field} holds no numbers")
        values += len(present)
    if values == 0:
        return Finding(FailureClass.EMPTY, f"chart of {len(stamps)} timestamps without a price")
    return Finding(FailureClass.OK, f"chart with {len(stamps)} rows")


def _spark_has_rows(entry: object) -> bool:
    """Whether one symbol of a spark has rows: in its `response`, or in itself in the new form."""
    if not isinstance(entry, dict):
        return False
    responses = entry.get("response", [entry])
    if not isinstance(responses, list):
        return False
    return any(isinstance(each, dict) and each.get("timestamp") for each in responses)


def _bare(value: object, path: str) -> Finding | None:
    """Judge the answers without envelope; None for any other."""
    if not isinstance(value, dict):
        return None
    if value.get("count") == 0 and "quotes" in value:
        return Finding(FailureClass.EMPTY, "search without a hit")
    query = value.get("query")
    if isinstance(query, dict) and "results" in query and is_hollow(query["results"]):
        return Finding(FailureClass.EMPTY, "YQL query without results")
    if path.rstrip("/").endswith("/finance/spark") and "spark" not in value:
        found = FailureClass.OK if any(map(_spark_has_rows, value.values())) else FailureClass.EMPTY
        return Finding(found, f"spark of {len(value)} symbols")
    return None


DIALECT = Dialect("Yahoo", _refusal, _contents)


def classify(response: Response, line: RequestLine) -> Verdict:
    """Judge a response by everything Yahoo is known to say. Never raises."""
    return judge(response, line, DIALECT)
