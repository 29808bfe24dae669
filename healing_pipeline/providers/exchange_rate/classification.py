"""What the exchange rate APIs' answers mean; their error codes are in `refusals`.

ExchangeRate-API and its open endpoint, Frankfurter, Open Exchange Rates, and the apilayer family
(Fixer, currencylayer, exchangeratesapi.io, exchangerate.host). Rates are worth money to a reader,
so an answer passes only when it shows rates, or is one of the families' other good answers.
"""

from __future__ import annotations

import re

from healing_pipeline.probing.body_shape import Body, Shape
from healing_pipeline.probing.classification import Dialect, Finding, judge
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.json_body import holds_number, is_hollow, is_number, is_numeric
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.providers.exchange_rate.refusals import refusal_of

_TABLES = ("rates", "conversion_rates", "quotes", "exchange_rates", "results")
_SINGLES = ("conversion_result", "conversion_rate", "rate", "result")
_LISTS = ("symbols", "currencies", "supported_codes", "supported_currencies", "data", "response")
_CURRENCY = re.compile(r"[A-Z]{3,5}")


def _refusal(body: Body, _line: RequestLine) -> Finding | None:
    return refusal_of(body.json) if body.shape is Shape.JSON else None


def _contents(body: Body, _line: RequestLine) -> Finding | None:
    if body.shape is not Shape.JSON or is_hollow(body.json):
        return None
    value = body.json
    if isinstance(value, list):
        return _list(value)
    if not isinstance(value, dict):
        return None
    for name in _TABLES:
        if name in value:
            return _rates(name, value[name])
    for name in _SINGLES:
        if name in value and not isinstance(value[name], str):
            number = is_number(value[name])
            found = FailureClass.OK if number else FailureClass.EMPTY
            return Finding(found, f"{name} is {'a number' if number else 'empty'}")
    for name in _LISTS:
        if name in value:
            found = FailureClass.EMPTY if is_hollow(value[name]) else FailureClass.OK
            return Finding(found, f"{name} of {body.size} bytes")
    if all(_CURRENCY.fullmatch(code) for code in value):
        return Finding(FailureClass.OK, f"a list of {len(value)} currencies")
    if value.get("success") is True or value.get("result") == "success":
        return Finding(FailureClass.OK, f"success, {body.size} bytes")
    if any(isinstance(each, dict | list) and holds_number(each) for each in value.values()):
        return Finding(FailureClass.OK, f"numbers in an unfamiliar form, {body.size} bytes")
    return Finding(FailureClass.INVALID_DATA, "JSON without rates: " + ", ".join(list(value)[:8]))


def _rates(name: str, rates: object) -> Finding:
    """Judge a table of rates: by currency, or by date and then currency, or a list of quotes."""
    if is_hollow(rates):
        return Finding(FailureClass.EMPTY, f"{name} without a rate")
    if isinstance(rates, list):
        return _list(rates)
    if not isinstance(rates, dict):
        return Finding(FailureClass.INVALID_DATA, f"{name} that is no table")
    for code, rate in rates.items():
        if not (rate is None or isinstance(rate, dict | list) or is_numeric(rate)):
            return Finding(FailureClass.INVALID_DATA, f"{name} where {code} is no number")
    return Finding(FailureClass.OK, f"{len(rates)} {name}")


def _list(rows: list[object]) -> Finding:
    if not all(isinstance(row, dict) for row in rows):
        return Finding(FailureClass.INVALID_DATA, "a list of something else than rates")
    wrong = any(
        "rate" in row and not is_numeric(row["rate"]) for row in rows if isinstance(row, dict)
    )
    if wrong:
        return Finding(FailureClass.INVALID_DATA, "a rate that is no number")
    return Finding(FailureClass.OK, f"a list of {len(rows)} entries")


DIALECT = Dialect("exchange rates", _refusal, _contents)


def classify(response: Response, line: RequestLine) -> Verdict:
    """Judge a response by everything the exchange rate APIs are known to say. Never raises."""
    return judge(response, line, DIALECT)
