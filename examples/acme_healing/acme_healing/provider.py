"""Acme: daily prices of its wares, ``GET /prices/WIDGET?days=30`` with a key in a header.

A good answer is ``{"item": "WIDGET", "prices": [{"date": "2026-03-02", "close": 9.5}, ...]}``, one
that is not says ``{"error": "..."}``, sometimes at status 200.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime

from healing_pipeline.catalog.values import ApiKey, Endpoint, Host
from healing_pipeline.probing.body_shape import Body
from healing_pipeline.probing.classification import Dialect, Finding, judge
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading, Unreadable
from healing_pipeline.probing.response import RequestLine, Response, Verdict
from healing_pipeline.providers.provider import Asked, UpstreamRequest
from healing_pipeline.providers.spoken import Spoken
from healing_pipeline.providers.urls import asked, assembled


def request(
    endpoint: Endpoint,
    host: Host,
    key: ApiKey | None,
    now: datetime,
    params: Mapping[str, str] | None = None,
) -> UpstreamRequest:
    """Build the GET, with the key in Acme's header."""
    path, merged = asked(endpoint, params, now)
    headers = {"X-Acme-Key": key.secret} if key else None
    name = key.name if key else None
    return assembled(endpoint, host, path, merged, key_name=name, key_headers=headers)


def _refusal(body: Body, _line: RequestLine) -> Finding | None:
    """What only Acme says; words known everywhere (rate limit, API key) need no rule here."""
    if isinstance(body.json, dict) and body.json.get("error") == "unknown item":
        return Finding(FailureClass.NOT_FOUND, "Acme knows no such item")
    return None


def _contents(body: Body, _line: RequestLine) -> Finding | None:
    if not isinstance(body.json, dict) or not isinstance(body.json.get("prices"), list):
        return None
    rows = len(body.json["prices"])
    found = FailureClass.OK if rows else FailureClass.EMPTY
    return Finding(found, f"{rows} prices")


def classify(response: Response, line: RequestLine) -> Verdict:
    """Judge a response: Acme's own words first, then what every API has in common."""
    return judge(response, line, Dialect("Acme", _refusal, _contents))


def read(body: bytes, line: RequestLine) -> Reading | Unreadable:  # noqa: ARG001 - the body says all
    """Read the closing prices."""
    try:
        said = json.loads(body)
        points = sorted(
            Point(datetime.fromisoformat(row["date"]).replace(tzinfo=UTC), "close", row["close"])
            for row in said["prices"]
        )
        if not points or not all(math.isfinite(each.value) for each in points):
            return Unreadable("no prices, or one that is no number")
        return Reading(said["item"].upper(), "1d", tuple(points), points[-1].at)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        return Unreadable(f"not Acme's form: {type(exc).__name__}: {exc}")


def smaller(
    endpoint: Endpoint, params: Mapping[str, str], factor: float, now: datetime
) -> Asked | None:
    """Ask for fewer days."""
    path, merged = asked(endpoint, params, now)
    days = int(merged.get("days", "0"))
    return (path, {**merged, "days": str(int(days * factor))}) if days * factor >= 1 else None


def subject(path: str, params: Mapping[str, str]) -> tuple[str, ...]:  # noqa: ARG001 - days are the window
    """The item; how many days of it is up to the reader."""
    return (path.rsplit("/", 1)[-1].upper(),)


ACME = Spoken("acme", request, classify, read, smaller, subject)
