"""FRED: series observations and series descriptions, JSON or XML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime

# It writes XML; nothing is parsed with it.
from xml.sax.saxutils import quoteattr  # nosec B406

from healing_pipeline.simulator import series
from healing_pipeline.simulator.market import FIRST_DAY, Market, is_known
from healing_pipeline.simulator.questions import Fact, Observations, Question
from healing_pipeline.simulator.upstreams import pages
from healing_pipeline.simulator.upstreams.contract import (
    Answer,
    Ask,
    json_answer,
    text_answer,
    whole_number,
    with_renamed_keys,
)

_DOCS = "Read https://fred.stlouisfed.org/docs/api/api_key.html for more information."
_REASONS = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}
_NAMES = {"D": "Daily", "W": "Weekly, Ending Friday", "M": "Monthly", "Q": "Quarterly"}


def question(ask: Ask, now: datetime) -> Question | Answer:
    """What a request asks for, or FRED's refusal."""
    if ask.path not in ("/fred/series/observations", "/fred/series"):
        return _error(ask, 404, "Not Found")
    series_id = ask.params.get("series_id", "").upper()
    if not series_id:
        return _error(ask, 400, "Variable series_id has not been set.")
    if not re.fullmatch(r"[A-Z0-9]{1,25}", series_id):
        said = "Series IDs should be 25 or less alphanumeric characters."
        return _error(ask, 400, f"Invalid value for variable series_id.  {said}")
    if not is_known(series_id):
        return _error(ask, 400, "The series does not exist.")
    if ask.path == "/fred/series":
        return Fact("series", series_id)
    return _observations_asked(ask, series_id, now)


def _observations_asked(ask: Ask, series_id: str, now: datetime) -> Question | Answer:
    try:
        oldest = date.fromisoformat(ask.params.get("observation_start", "1600-01-01"))
        newest = date.fromisoformat(ask.params.get("observation_end", "9999-12-31"))
    except ValueError:
        return _error(ask, 400, "Value of observation_start or observation_end is not a date.")
    limit = whole_number(ask.params.get("limit", "100000"))
    offset = whole_number(ask.params.get("offset", "0"))
    if limit is None or not 1 <= limit <= 100_000 or offset is None:
        return _error(ask, 400, "Variable limit is not between 1 and 100000.")
    if ask.params.get("units", "lin") != "lin":
        return _error(ask, 400, "Value of units is not one of: 'lin'.")
    latest = series.newest_date(series_id, now.date())
    days = series.dates_between(series_id, latest, oldest, newest)
    if ask.params.get("sort_order", "asc") == "desc":
        days = days[::-1]
    asked = len(days) if "limit" not in ask.params else min(limit, len(days))
    return Observations(series_id, days[offset : offset + limit], asked, len(days))


def render(ask: Ask, question: Question, market: Market, now: datetime) -> Answer:
    """The healthy body as of `now`."""
    if isinstance(question, Observations):
        values = [(day, series.value(market, question.series_id, day)) for day in question.dates]
        texts = [
            (day, "." if value is None else f"{value:.{series.decimals(question.series_id)}f}")
            for day, value in values
        ]
        return _observations(ask, texts, question.available, now)
    assert isinstance(question, Fact)
    return _series(ask, question.subject, now)


def _observations(ask: Ask, rows: Iterable[tuple[date, str]], count: int, now: datetime) -> Answer:
    today = now.date().isoformat()
    listed = [
        {"realtime_start": today, "realtime_end": today, "date": day.isoformat(), "value": text}
        for day, text in rows
    ]
    head = {
        "realtime_start": today,
        "realtime_end": today,
        "observation_start": ask.params.get("observation_start", "1600-01-01"),
        "observation_end": ask.params.get("observation_end", "9999-12-31"),
        "units": "lin",
        "output_type": 1,
        "file_type": ask.params.get("file_type", "xml"),
        "order_by": "observation_date",
        "sort_order": ask.params.get("sort_order", "asc"),
        "count": count,
        "offset": int(ask.params.get("offset", "0")),
        "limit": int(ask.params.get("limit", "100000")),
    }
    return _body(ask, {**head, "observations": listed}, "observations", "observation")


def _series(ask: Ask, series_id: str, now: datetime) -> Answer:
    today, every = now.date(), series.frequency(series_id)
    described = {
        "id": series_id,
        "realtime_start": today.isoformat(),
        "realtime_end": today.isoformat(),
        "title": f"{series_id} Simulated",
        "observation_start": FIRST_DAY.isoformat(),
        "observation_end": series.newest_date(series_id, today).isoformat(),
        "frequency": _NAMES[every],
        "frequency_short": every.value,
        "units": "Percent" if series.decimals(series_id) == 2 else "Index",
        "units_short": "%" if series.decimals(series_id) == 2 else "Index",
        "seasonal_adjustment": "Not Seasonally Adjusted",
        "seasonal_adjustment_short": "NSA",
        "last_updated": f"{series.updated_at(series_id, now):%Y-%m-%d %H:%M:%S}+00",
        "popularity": 90,
        "notes": "A synthetic series.",
    }
    head = {"realtime_start": today.isoformat(), "realtime_end": today.isoformat()}
    return _body(ask, {**head, "seriess": [described]}, "seriess", "series")


def _body(ask: Ask, value: dict[str, object], many: str, one: str) -> Answer:
    limit = {"x-rate-limit-limit": "120", "server": "Apache"}
    if ask.params.get("file_type") == "json":
        return json_answer(200, value, headers={**limit, "content-type": _JSON}, spaced=True)
    rows = value.pop(many)
    assert isinstance(rows, list)
    lines = [f"  <{one} {_attributes(row)}/>" for row in rows]
    body = [f"<{many} {_attributes(value)}>", *lines, f"</{many}>"]
    return _xml(200, "\n".join(body), limit)


_JSON = "application/json; charset=UTF-8"


def _attributes(row: dict[str, object]) -> str:
    return " ".join(f"{name}={quoteattr(str(each))}" for name, each in row.items())


def _xml(status: int, body: str, headers: dict[str, str]) -> Answer:
    declared = f'<?xml version="1.0" encoding="utf-8" ?>\n{body}\n'
    return text_answer(status, declared, "text/xml; charset=UTF-8", headers)


def _error(ask: Ask, status: int, said: str) -> Answer:
    reason = _REASONS.get(status)
    message = said if reason is None or said == reason else f"{reason}.  {said}"
    if ask.params.get("file_type") == "json":
        value = {"error_code": status, "error_message": message}
        return json_answer(status, value, headers={"content-type": _JSON, "server": "Apache"})
    body = f'<error code="{status}" message={quoteattr(message)} />'
    return _xml(status, body, {"server": "Apache"})


def failure(kind: str, ask: Ask, now: datetime, variant: int) -> Answer:
    """FRED's form of a failure; it has one limit and no plans, so those share a form."""
    if kind in ("rate_limit", "quota_exhausted", "burst"):
        return _error(ask, 429, "Exceeded Rate Limit")
    if kind == "missing_key":
        return _error(ask, 400, f"Variable api_key is not set.  {_DOCS}")
    if kind == "auth_error":
        return _bad_key(ask, variant)
    if kind == "bot_block":
        return pages.access_denied(ask.path)
    if kind == "plan_limit":
        return _error(ask, 403, "Forbidden")
    if kind == "not_found":
        return _error(ask, 400, "The series does not exist.")
    if kind == "bad_request":
        return _error(ask, 400, "Variable limit is not between 1 and 100000.")
    if kind == "server_error":
        return (
            _error(ask, 500, "Internal Server Error") if variant % 2 == 0 else pages.unavailable(1)
        )
    if kind == "empty":
        return _observations(ask, [], 0, now)
    if kind == "invalid_data" and variant % 2:
        return pages.proxy_text()
    return pages.maintenance("FRED | St. Louis Fed")


def _bad_key(ask: Ask, variant: int) -> Answer:
    malformed = not re.fullmatch(r"[a-z0-9]{32}", ask.secret or "")
    said = (
        "is not a 32 character alpha-numeric lower-case string"
        if malformed
        else "is not registered"
    )
    del variant  # one form
    return _error(ask, 400, f"The value for variable api_key {said}.  {_DOCS}")


def wrong_schema(answer: Answer) -> Answer:
    """A new version of the API: observations under other names."""
    names = {"observations": "data", "date": "obs_date", "value": "obs_value", "seriess": "items"}
    if answer.headers["content-type"].startswith("text/xml"):
        changed = answer.body.replace(b"observation", b"row").replace(b" value=", b" obs=")
        return Answer(answer.status, answer.headers, changed)
    return with_renamed_keys(answer, names)
