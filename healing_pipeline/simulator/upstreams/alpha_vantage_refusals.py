"""What Alpha Vantage says instead of data: nearly always a sentence with status 200."""

from __future__ import annotations

from datetime import datetime

from healing_pipeline.simulator.upstreams import pages
from healing_pipeline.simulator.upstreams.contract import Answer, Ask, json_answer, text_answer

_THANKS = "Thank you for using Alpha Vantage!"
_PREMIUM = "https://www.alphavantage.co/premium/"


def said(value: object) -> Answer:
    """A pretty-printed answer with status 200."""
    return json_answer(200, value, spaced=True)


def invalid_call(function: str) -> Answer:
    """The one sentence for an unknown symbol and for a malformed call."""
    text = (
        "Invalid API call. Please retry or visit the documentation "
        f"(https://www.alphavantage.co/documentation/) for {function}."
    )
    return said({"Error Message": text})


def failure(kind: str, ask: Ask, now: datetime, variant: int) -> Answer:
    """Alpha Vantage's form of a failure: nearly always a sentence with status 200."""
    del now
    function = ask.params.get("function", "TIME_SERIES_DAILY")
    if kind == "rate_limit":
        return _burst() if variant % 2 == 0 else _note()
    if kind == "burst":
        return _burst()
    if kind == "quota_exhausted":
        return _daily_limit(ask, variant)
    if kind in ("auth_error", "missing_key"):
        text = (
            "the parameter apikey is invalid or missing. Please claim your free API key on "
            "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds."
        )
        return said({"Error Message": text})
    if kind == "bot_block":
        return pages.challenge("www.alphavantage.co")
    if kind == "plan_limit":
        text = (
            f"{_THANKS} This is a premium endpoint. You may subscribe to any of the premium plans "
            f"at {_PREMIUM} to instantly unlock all premium endpoints"
        )
        return said({"Information": text})
    if kind == "not_found":
        if function == "GLOBAL_QUOTE":
            return said({"Global Quote": {}})
        return invalid_call(function)
    if kind == "bad_request":
        return invalid_call(function)
    if kind == "server_error":
        return _application_error() if variant % 2 == 0 else pages.unavailable(1)
    if kind == "empty":
        return said({})
    if kind == "invalid_data" and variant % 2:
        return pages.proxy_text()
    return pages.maintenance("Alpha Vantage")


def _burst() -> Answer:
    text = (
        f"{_THANKS} Please consider spreading out your free API requests more sparingly (1 "
        f"request per second). You may subscribe to any of the premium plans at {_PREMIUM} to lift "
        "the free key rate limit (25 requests per day) and instantly remove all daily rate limits."
    )
    return said({"Information": text})


def _note() -> Answer:
    text = (
        f"{_THANKS} Our standard API call frequency is 5 calls per minute and 500 calls per day. "
        f"Please visit {_PREMIUM} if you would like to target a higher API call frequency."
    )
    return said({"Note": text})


def _daily_limit(ask: Ask, variant: int) -> Answer:
    begin = (
        f"We have detected your API key as {ask.secret} and our"  # it does echo the caller's key
        if variant % 2 and ask.secret
        else f"{_THANKS} Our"
    )
    text = (
        f"{begin} standard API rate limit is 25 requests per day. Please subscribe to any of the "
        f"premium plans at {_PREMIUM} to instantly remove all daily rate limits."
    )
    return said({"Information": text})


def _application_error() -> Answer:
    page = (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>Application Error</title></head>'
        '<body><iframe src="//www.herokucdn.com/error-pages/application-error.html"></iframe>'
        "</body></html>\n"
    )
    return text_answer(503, page, "text/html; charset=utf-8", {"server": "Cowboy"})
