"""A plain answer of ExchangeRate-API at a glance: a table of rates, or the rate of a pair."""

from __future__ import annotations

from typing import Any

from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.exchange_rate.classification import DIALECT
from healing_pipeline.providers.exchange_rate.reading import (
    ROUNDING,
    TABLE_PATH,
    currency_code,
    read_envelope,
    stated_at,
)
from healing_pipeline.providers.glancing import Memo, Sign, glancing, numbers, odd, seconds
from healing_pipeline.providers.instruments import confirmed

_FRAME = frozenset(
    {
        "result",
        "provider",
        "documentation",
        "terms_of_use",
        "time_last_update_unix",
        "time_last_update_utc",
        "time_next_update_unix",
        "time_next_update_utc",
        "time_eol_unix",
        "base_code",
    }
)
_PAIR = _FRAME | {"target_code", "conversion_rate"}
_TABLES = {_FRAME | {name}: name for name in ("conversion_rates", "rates")}


def _plain_code(name: str) -> str:
    code = currency_code(name, "a key of the table")
    if code != name:
        raise odd("a code in another spelling")
    return code


_CODES: Memo[str, str] = Memo(_plain_code)


def _look(value: Any, line: RequestLine) -> tuple[str, Reading] | None:
    if value["result"] != "success":
        return None
    if "conversion_rate" in value and value.keys() <= _PAIR:
        return "conversion_rate is a number", read_envelope(value, line)
    for keys, name in _TABLES.items():
        if name in value and value.keys() <= keys:
            return _table(value, name, line)
    return None


def _table(value: Any, name: str, line: RequestLine) -> tuple[str, Reading] | None:
    rates, base = value[name], currency_code(value["base_code"], "the base currency")
    asked = TABLE_PATH.fullmatch(line.path)
    if asked is None:
        return None
    confirmed(base, asked["base"].upper())
    codes = map(_CODES.__getitem__, rates)
    found = dict(zip(codes, numbers(list(rates.values()), Sign.POSITIVE), strict=True))
    if None in found.values() or abs(found.get(base, 1.0) - 1.0) > ROUNDING:  # type: ignore[operator]
        return None
    at = stated_at(value)
    row = {code: (rate,) for code, rate in found.items()}
    return f"{len(rates)} {name}", Reading.of_columns(base, "now", (seconds(at),), row, at)


glance = glancing(DIALECT.name, _look)
