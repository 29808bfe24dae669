"""What Polygon's (Massive's) answers mean: a `status` word, and data under one of several names.

Good bodies say OK, DELAYED, success or nothing at all; some are bare lists, some bare objects.
"""

from __future__ import annotations

import re

from healing_pipeline.probing.body_shape import Body, Shape
from healing_pipeline.probing.classification import Dialect, Finding, judge
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.json_body import is_hollow, is_number, plain_key, spoken
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.probing.wording import limit_of, meaning_of

_STATUS_WORDS: dict[str, FailureClass | None] = {
    "notauthorized": FailureClass.PLAN_LIMIT,
    "notentitled": FailureClass.PLAN_LIMIT,
    "notpermissioned": FailureClass.PLAN_LIMIT,
    "notfound": FailureClass.NOT_FOUND,
    "unauthorized": FailureClass.AUTH_ERROR,
    "autherror": FailureClass.AUTH_ERROR,
    "authfailed": FailureClass.AUTH_ERROR,
    "maxconnections": FailureClass.RATE_LIMIT,
    "badrequest": FailureClass.BAD_REQUEST,
    "error": None,
    "failed": None,
    "failure": None,
}
"""`status` words that are refusals; None where only the message tells the class."""

_KEY_WORDS = re.compile(r"api[ _-]?key", re.IGNORECASE)
_LISTS = ("results", "tickers", "ticks", "last", "data", "values")
_FRAME = frozenset(
    {
        "status",
        "request_id",
        "count",
        "queryCount",
        "resultsCount",
        "adjusted",
        "next_url",
        "msLatency",
        "success",
        "db_latency",
    }
)
_AGGREGATES = re.compile(r"^/v2/aggs/")


def _refusal(body: Body, _line: RequestLine) -> Finding | None:
    value = body.json if body.shape is Shape.JSON else None
    if not isinstance(value, dict) or not isinstance(value.get("status"), str):
        return None
    status = str(value["status"])
    word = plain_key(status)
    if word not in _STATUS_WORDS:
        return None
    said = " ".join(spoken(value[key]) for key in ("error", "message", "errors") if key in value)
    by_word, meaning = _STATUS_WORDS[word], limit_of(said)
    if meaning is None and by_word is FailureClass.PLAN_LIMIT and _KEY_WORDS.search(said):
        meaning = meaning_of(said)
    return Finding(meaning or by_word or meaning_of(said), f"status {status}: {said!r}")


def _contents(body: Body, line: RequestLine) -> Finding | None:
    if body.shape is not Shape.JSON or not isinstance(body.json, dict):
        return None
    value, is_aggregates = body.json, _AGGREGATES.search(line.path) is not None
    for name in _LISTS:
        if name in value:
            if is_hollow(value[name]):
                return Finding(FailureClass.EMPTY, f"{name} without an entry")
            if is_aggregates and name == "results":
                return _bars(value[name])
            missing = _all_missing(value[name])
            if missing is not None:
                return missing
            if _has_no_values(value[name], line):
                return Finding(FailureClass.EMPTY, f"{name} without values")
            return Finding(FailureClass.OK, f"{name} of {body.size} bytes")
    if is_aggregates or value.get("resultsCount") == 0:
        return Finding(FailureClass.EMPTY, "no results in the answer")
    # `ticker` is the asked name beside a list of bars, and the data itself in a snapshot.
    ticker = value.get("ticker")
    if value.keys() <= _FRAME | {"ticker"} and (isinstance(ticker, str) or is_hollow(ticker)):
        return Finding(FailureClass.EMPTY, "an envelope without data")
    return None


def _all_missing(results: object) -> Finding | None:
    """Judge a snapshot of several tickers, each of which may be an error of its own in a 200."""
    if not isinstance(results, list):
        return None
    errors = [each for each in results if isinstance(each, dict) and each.get("error")]
    if len(errors) < len(results):
        return None
    said = spoken(errors[0].get("message")) or spoken(errors[0].get("error"))
    return Finding(
        meaning_of(said) or FailureClass.NOT_FOUND, f"every result is an error: {said!r}"
    )


def _has_no_values(results: object, line: RequestLine) -> bool:
    """Whether an indicator came with the bars it is made from but without a value."""
    return (
        "/indicators/" in line.path and isinstance(results, dict) and not results.get("values", ())
    )


def _bars(results: object) -> Finding:
    bars = results if isinstance(results, list) else [results]
    for bar in bars:
        if not isinstance(bar, dict) or not is_number(bar.get("c")):
            return Finding(FailureClass.INVALID_DATA, "a bar without a number for its close")
    return Finding(FailureClass.OK, f"{len(bars)} bars")


DIALECT = Dialect("Polygon", _refusal, _contents)


def classify(response: Response, line: RequestLine) -> Verdict:
    """Judge a response by everything Polygon is known to say. Never raises."""
    return judge(response, line, DIALECT)
