"""What Yahoo says instead of data: JSON errors, plain text of its edge, pages for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from healing_pipeline.simulator.upstreams import pages
from healing_pipeline.simulator.upstreams.contract import (
    HTML,
    TEXT,
    Answer,
    Ask,
    json_answer,
    text_answer,
)

CHART: Final = "/v8/finance/chart/"
DOWNLOAD: Final = "/v7/finance/download/"
QUOTE: Final = "/v7/finance/quote"
ATS: Final[Mapping[str, str]] = {
    "server": "ATS",
    "cache-control": "public, max-age=1, stale-while-revalidate=9",
    "age": "0",
}


def error(ask: Ask, status: int, code: str, description: str) -> Answer:
    """An error under the name that this path's bodies have."""
    if ask.path.startswith(DOWNLOAD):
        return text_answer(status, f"{status} {code}: {description}", TEXT, ATS)
    name = (
        "chart" if ask.path.startswith(CHART)
        else "quoteResponse" if ask.path == QUOTE
        else "finance"
    )  # fmt: skip
    said = {"code": code, "description": description}
    return json_answer(status, {name: {"result": None, "error": said}}, headers=ATS)


def no_symbol(ask: Ask) -> Answer:
    """What chart and download say to a symbol that does not exist."""
    return error(ask, 404, "Not Found", "No data found, symbol may be delisted")


def _unauthorized(description: str) -> Answer:
    error = {"code": "Unauthorized", "description": description}
    return json_answer(401, {"finance": {"result": None, "error": error}}, headers=ATS)


def refusal(kind: str, ask: Ask, variant: int) -> Answer:
    """Yahoo's form of a failure; a quota it does not publish looks like its rate limit."""
    if kind in ("rate_limit", "quota_exhausted"):
        return text_answer(429, "Edge: Too Many Requests", TEXT, {"server": "ATS"})
    if kind == "bot_block":
        said = "Unable to process request at this time -- error 999"
        head = f"<head><title>Yahoo! - 999 {said}</title></head>"
        page = f"<html>{head}<body>Sorry, {said}.</body></html>"
        return text_answer(999, page, HTML, {"server": "ATS"})
    if kind == "auth_error":
        return _unauthorized("Invalid Crumb")
    if kind == "plan_limit":
        return _unauthorized("User is unable to access this feature")
    if kind == "not_found":
        return no_symbol(ask)
    if kind == "bad_request":
        return error(
            ask, 400, "Bad Request", "Invalid input - start date cannot be after end date."
        )
    if kind == "server_error":
        return _server_error(variant)
    if kind == "invalid_data" and variant % 2:
        return pages.proxy_text()
    return pages.maintenance("Yahoo Finance")


def _server_error(variant: int) -> Answer:
    if variant % 2:
        return pages.gateway(502, "Bad Gateway", "ATS")
    page = (
        "<!doctype html>\n<html><head><title>Yahoo! - Error report</title></head>\n<body>\n"
        '<div id="bd"><h1>HTTP Status 500 - Internal Server Error</h1></div>\n</body></html>\n'
    )
    return text_answer(500, page, HTML, {"server": "ATS"})
