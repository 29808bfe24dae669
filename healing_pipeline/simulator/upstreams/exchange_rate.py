"""ExchangeRate-API: latest, pair and quota with a key in the path; latest without one on `open`."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime

from healing_pipeline.simulator.eastern import HOUR_S
from healing_pipeline.simulator.market import CURRENCIES, Market, moment, seconds_of
from healing_pipeline.simulator.questions import Fact, Question, Rates
from healing_pipeline.simulator.upstreams import pages
from healing_pipeline.simulator.upstreams.contract import (
    Answer,
    Ask,
    json_answer,
    with_renamed_keys,
)

OPEN = "open"
_SITE = "https://www.exchangerate-api.com"
_STATUS = {
    "unsupported-code": 404,
    "malformed-request": 400,
    "invalid-key": 403,
    "inactive-account": 403,
    "plan-upgrade-required": 403,
    "no-data-available": 404,
}


def question(ask: Ask, now: datetime) -> Question | Answer:
    """What a request asks for, or the refusal; the path comes without its key."""
    del now  # rates have no window
    parts = [part.upper() for part in ask.path.split("/")[2:]]
    if ask.path == "/v6/quota" and ask.host != OPEN:
        return Fact("quota")
    if parts[:1] == ["LATEST"] and len(parts) == 2:
        return Rates(parts[1], CURRENCIES) if parts[1] in CURRENCIES else _unsupported(parts[1])
    if parts[:1] == ["PAIR"] and len(parts) in (3, 4) and ask.host != OPEN:
        for code in parts[1:3]:
            if code not in CURRENCIES:
                return _unsupported(code)
        return Rates(parts[1], (parts[2],))
    if parts[:1] in (["HISTORY"], ["ENRICHED"]):
        return _error("plan-upgrade-required")
    return _error("malformed-request")


def updated_s(now: datetime) -> int:
    """When the rates of a moment were published: at the full hour."""
    return seconds_of(now) // HOUR_S * HOUR_S


def render(ask: Ask, question: Question, market: Market, now: datetime) -> Answer:
    """The healthy body as of `now`."""
    if isinstance(question, Fact):
        counts = {"plan_quota": 1500, "requests_remaining": 1499, "refresh_day_of_month": 1}
        return json_answer(200, {**_head(ask), **counts})
    assert isinstance(question, Rates)
    base = question.base
    rates = {code: market.rate(base, code, now) for code in (base, *question.quotes)}
    head: dict[str, object] = {**_head(ask), **_times(now), "base_code": base}
    if ask.host == OPEN:
        return json_answer(200, {**head, "time_eol_unix": 0, "rates": rates})
    if "/pair/" not in ask.path:
        return json_answer(200, {**head, "conversion_rates": rates})
    quote = question.quotes[0]
    said = {**head, "target_code": quote, "conversion_rate": rates[quote]}
    amount = re.fullmatch(r"/v6/pair/[^/]+/[^/]+/(\d+(?:\.\d+)?)", ask.path)
    if amount:
        said["conversion_result"] = round(float(amount[1]) * rates[quote], 4)
    return json_answer(200, said)


def _head(ask: Ask) -> dict[str, object]:
    docs = f"{_SITE}/docs/free" if ask.host == OPEN else f"{_SITE}/docs"
    head: dict[str, object] = {"result": "success"}
    if ask.host == OPEN:
        head["provider"] = _SITE
    return {**head, "documentation": docs, "terms_of_use": f"{_SITE}/terms"}


def _times(now: datetime) -> dict[str, object]:
    last_s = updated_s(now)
    named = {"last": last_s, "next": last_s + HOUR_S}
    times: dict[str, object] = {}
    for name, at_s in named.items():
        times[f"time_{name}_update_unix"] = at_s
        times[f"time_{name}_update_utc"] = format_datetime(moment(at_s))
    return times


def _error(name: str, status: int | None = None) -> Answer:
    body = {
        "result": "error",
        "documentation": f"{_SITE}/docs",
        "terms-of-use": f"{_SITE}/terms",
        "error-type": name,
    }
    return json_answer(_STATUS[name] if status is None else status, body)


def _unsupported(code: str) -> Answer:
    return _error("unsupported-code" if re.fullmatch("[A-Z]{3}", code) else "malformed-request")


def failure(kind: str, ask: Ask, now: datetime, variant: int) -> Answer:
    """The form of a failure; two clients disagree on the quota's status, so both come in turn."""
    del now
    if kind in ("quota_exhausted", "burst") or (kind == "rate_limit" and ask.host != OPEN):
        return json_answer(
            200 if variant % 2 else 403, {"result": "error", "error-type": "quota-reached"}
        )
    if kind == "rate_limit":
        return json_answer(429, {"result": "error", "error-type": "rate-limited"})
    if kind == "auth_error":
        return _error("inactive-account" if variant % 2 else "invalid-key")
    if kind == "missing_key":
        return _error("invalid-key")
    if kind == "bot_block":
        return pages.challenge("v6.exchangerate-api.com")
    if kind == "plan_limit":
        return _error("plan-upgrade-required")
    if kind == "not_found":
        return _error("unsupported-code")
    if kind == "bad_request":
        return _error("malformed-request")
    if kind == "server_error":
        return pages.unavailable(variant)
    if kind == "empty":
        return _error("no-data-available")
    if kind == "invalid_data" and variant % 2:
        return pages.proxy_text()
    return pages.maintenance("ExchangeRate-API")


def wrong_schema(answer: Answer) -> Answer:
    """A redesign: the table of rates moved, the pair's rate renamed."""
    names = {
        "conversion_rates": "table",
        "rates": "table",
        "conversion_rate": "mid",
        "base_code": "",
    }
    return with_renamed_keys(answer, names)
