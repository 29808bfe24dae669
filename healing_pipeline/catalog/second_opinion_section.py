"""The section `second_opinion` of a configuration: which model may advise, at what price.

The key is in an environment variable and never in the file. Prices are asked for: a budget that is
kept by somebody else's guess of a price is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import urlsplit

from healing_pipeline.catalog.fields import Fields
from healing_pipeline.catalog.problems import Findings, shown
from healing_pipeline.catalog.secrecy import SECRET_FIELDS, is_variable_name, looks_secret
from healing_pipeline.catalog.urls import is_private, url_mistake
from healing_pipeline.second_opinion.settings import (
    LONGEST_WAIT_S,
    Ask,
    Prices,
    SecondOpinionSettings,
    Service,
)

SECTION = "second_opinion"
REQUIRED = ("service", "model", "daily_budget_usd", "price_per_million_tokens")
OPTIONAL = ("base_url", "api_key_env", "timeout_s", "ask")
# Caches are priced apart where they have to be asked for.
PRICES_REQUIRED: Mapping[Service, tuple[str, ...]] = {
    Service.ANTHROPIC: ("input", "output", "cache_write", "cache_read"),
    Service.OPENAI: ("input", "output"),
}
PRICES = ("input", "output", "cache_write", "cache_read")
KEY_VARIABLES = {Service.ANTHROPIC: "ANTHROPIC_API_KEY", Service.OPENAI: "OPENAI_API_KEY"}
BASE_URLS = {
    Service.ANTHROPIC: "https://api.anthropic.com",
    Service.OPENAI: "https://api.openai.com/v1",
}
HIGHEST_PRICE = 10_000.0
HIGHEST_BUDGET = 100_000.0
LONGEST_MODEL = 200
NO_KEYS = (
    "Put the key into an environment variable and write its name: `api_key_env: ANTHROPIC_API_KEY`."
)


def read_second_opinion(
    root: Fields, environ: Mapping[str, str], findings: Findings
) -> SecondOpinionSettings | None:
    """The section among the top level's fields; None when it is absent or has mistakes."""
    node = root.node(SECTION)
    if node is None:
        return None
    fields = Fields(
        node,
        what=f"`{SECTION}`",
        line=node.line,
        required=REQUIRED,
        optional=OPTIONAL,
        findings=findings,
        hints=dict.fromkeys(SECRET_FIELDS, NO_KEYS),
    )
    chosen = fields.choice("service", [str(each) for each in Service])
    asked = fields.choice("ask", [str(each) for each in Ask])
    model = _model(fields, findings)
    budget = fields.number("daily_budget_usd", 0.0, HIGHEST_BUDGET)
    timeout_s = fields.number("timeout_s", 1.0, LONGEST_WAIT_S)
    if chosen is None:
        # Everything else depends on whose API it is.
        return None
    service = Service(chosen)
    url = _base_url(fields, service, findings)
    variable, has_key = _key_variable(fields, service, environ, findings)
    prices = _prices(fields, service, url, findings)
    if model is None or budget is None or url is None or prices is None or not has_key:
        return None
    return SecondOpinionSettings(
        service=service,
        model=model,
        base_url=url,
        api_key_env=variable,
        daily_budget_usd=budget,
        prices=prices,
        timeout_s=LONGEST_WAIT_S if timeout_s is None else timeout_s,
        ask=Ask.UNHEALED if asked is None else Ask(asked),
    )


def _model(fields: Fields, findings: Findings) -> str | None:
    written = fields.text("model")
    if written is None:
        return None
    if len(written.text) > LONGEST_MODEL or any(each.isspace() for each in written.text):
        findings.error(
            written.line,
            f"`model` of `{SECTION}` is no name of a model.",
            "Write it as the service lists it, without spaces.",
        )
        return None
    if written.text.startswith("sk-") or looks_secret(written.text):
        # Not quoted: it looks like a key.
        findings.error(written.line, f"`model` of `{SECTION}` looks like a key.", NO_KEYS)
        return None
    return written.text


def _base_url(fields: Fields, service: Service, findings: Findings) -> str | None:
    written = fields.text("base_url")
    if written is None:
        return None if fields.node("base_url") is not None else BASE_URLS[service]
    text = written.text.rstrip("/")
    try:
        path = urlsplit(text).path
    except ValueError:
        path = ""
    mistake = url_mistake(text.removesuffix(path) if path else text)
    if mistake is None and any(each in path for each in "?#@\\"):
        mistake = "The URL has more than a host and a path.", "Remove the query."
    if mistake is not None:
        findings.error(written.line, f"`base_url` of `{SECTION}`: {mistake[0]}", mistake[1])
        return None
    if text.startswith("http://") and not is_private(text):
        findings.error(
            written.line,
            f"`base_url` of `{SECTION}` is {shown(text)}: the key and the evidence would travel "
            "in the clear.",
            "Write https://; http:// is for a server of your own network.",
        )
        return None
    return text


def _key_variable(
    fields: Fields, service: Service, environ: Mapping[str, str], findings: Findings
) -> tuple[str | None, bool]:
    """The variable's name, and whether it is clear what to do about a key."""
    written = fields.text("api_key_env")
    if written is None:
        if fields.node("api_key_env") is not None:
            return None, False
        if service is Service.OPENAI and fields.node("base_url") is not None:
            return None, True
        findings.error(
            fields.line,
            f"The key `api_key_env` is missing in `{SECTION}`.",
            f"Add `api_key_env: {KEY_VARIABLES[service]}`; only an OpenAI-compatible server of "
            "your own, named by `base_url`, may do without.",
        )
        return None, False
    if not is_variable_name(written.text):
        findings.error(
            written.line,
            f"`api_key_env` of `{SECTION}` is not the name of an environment variable (capitals, "
            "digits, _); is it the key itself?",
            NO_KEYS,
        )
        return None, False
    if not environ.get(written.text, "").strip():
        findings.warn(
            written.line,
            f"The environment variable {written.text} is not set, which holds the key of "
            f"`{SECTION}`.",
            f"`export {written.text}=...`; until then no model is asked.",
        )
    return written.text, True


def _prices(fields: Fields, service: Service, url: str | None, findings: Findings) -> Prices | None:
    node = fields.node("price_per_million_tokens")
    if node is None:
        return None
    required = PRICES_REQUIRED[service]
    own = Fields(
        node,
        what=f"`price_per_million_tokens` of `{SECTION}`",
        line=node.line,
        required=required,
        optional=[each for each in PRICES if each not in required],
        findings=findings,
    )
    found = {each: own.number(each, 0.0, HIGHEST_PRICE) for each in PRICES}
    if any(found[each] is None for each in required):
        return None
    if any(found[each] is None and own.node(each) is not None for each in PRICES):
        return None
    if url is not None and not is_private(url) and not (found["input"] and found["output"]):
        findings.error(
            node.line,
            f"`price_per_million_tokens` of `{SECTION}` is 0, so its budget would never be spent.",
            "Write what the service bills; 0 is for a server of your own network.",
        )
        return None
    # Whoever has no price of its own for caches bills them as what they hold: input.
    as_input = found["input"]
    return Prices(**{name: _or(value, as_input) for name, value in found.items()})


def _or(value: float | None, otherwise: float | None) -> float:
    chosen = otherwise if value is None else value
    assert chosen is not None, "the price of input is required"
    assert math.isfinite(chosen), "a price within its range is finite"
    return chosen
