"""The numbers in tables of exchange rates: ExchangeRate-API, its open host, and siblings.

Siblings (Frankfurter, Fixer, Open Exchange Rates) write ``{"base", "date" or "timestamp",
"rates"}``; Frankfurter multiplies by ``amount``.
"""

from __future__ import annotations

import re
from datetime import datetime

from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.bars import bar_start
from healing_pipeline.providers.bodies import (
    LATEST,
    OLDEST_QUOTE,
    NotReadableError,
    assembled_reading,
    json_object,
    mapping,
    moment,
    positive,
    text,
    unreadable_as_value,
)
from healing_pipeline.providers.dates import iso_date
from healing_pipeline.providers.instruments import confirmed

# Frankfurter rounds rate * amount, so that one EUR may come back as 1.0001 EUR.
ROUNDING = 1e-3
_CODE = re.compile(r"[A-Z][A-Z0-9]{2,5}", re.ASCII)
TABLE_PATH = re.compile(r"/v6/(?:[^/]+/)?latest/(?P<base>[A-Za-z]{3})/?")
_PAIR_PATH = re.compile(r"/v6/(?:[^/]+/)?pair/(?P<base>[A-Za-z]{3})/(?P<target>[A-Za-z]{3})(/.*)?")


@unreadable_as_value
def read(body: bytes, line: RequestLine) -> Reading:
    """Read a table of rates or the rate of a pair, whichever `body` is."""
    return read_envelope(json_object(body), line)


def read_envelope(envelope: dict[str, object], line: RequestLine) -> Reading:
    """`read`, of a body that is parsed."""
    if envelope.get("result", "success") != "success":
        raise NotReadableError("result is not success")
    if envelope.get("success", True) is not True:
        raise NotReadableError("success is not true")
    base = currency_code(envelope.get("base_code", envelope.get("base")), "the base currency")
    at = stated_at(envelope)
    if "conversion_rate" in envelope:
        return _pair(envelope, base, at, line)
    return _table(envelope, base, at, line)


def currency_code(said: object, what: str) -> str:
    """The code of a currency, in upper case."""
    code = text(said, what).upper()
    if _CODE.fullmatch(code) is None:
        raise NotReadableError(f"{what} is not a currency code")
    return code


def stated_at(envelope: dict[str, object]) -> datetime:
    """The moment the rates are of."""
    for name in ("time_last_update_unix", "timestamp"):
        if name in envelope:
            at = moment(envelope[name], name)
            if at is None:
                raise NotReadableError(f"{name} is no plausible moment")
            return at
    day = iso_date(text(envelope.get("date"), "date"))
    if day is None or not OLDEST_QUOTE.year <= day.year < LATEST.year:
        raise NotReadableError("date is no plausible date")
    return bar_start(day, "1d")


def _pair(envelope: dict[str, object], base: str, at: datetime, line: RequestLine) -> Reading:
    target = currency_code(envelope.get("target_code"), "target_code")
    if asked := _PAIR_PATH.fullmatch(line.path):
        confirmed(base, asked["base"].upper())
        confirmed(target, asked["target"].upper())
    rate = positive(envelope["conversion_rate"], "conversion_rate")
    return assembled_reading(base, "now", [Point(at, target, rate)])


def _table(envelope: dict[str, object], base: str, at: datetime, line: RequestLine) -> Reading:
    if asked := TABLE_PATH.fullmatch(line.path):
        confirmed(base, asked["base"].upper())
    elif "base" in line.params:
        confirmed(base, line.params["base"].upper())
    rates = mapping(envelope.get("conversion_rates", envelope.get("rates")), "the table of rates")
    amount = positive(envelope.get("amount", 1), "amount")
    points: list[Point] = []
    for name, said in rates.items():
        if said is None:
            continue
        code = currency_code(name, "a key of the table")
        points.append(Point(at, code, positive(positive(said, f"rate of {code}") / amount, code)))
        if code == base and abs(points[-1].value - 1.0) > ROUNDING:
            raise NotReadableError(f"one {base} is {points[-1].value:g} {base}")
    return assembled_reading(base, "now", points)
