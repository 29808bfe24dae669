"""The configuration as a JSON Schema: what editors and `dg` show and complete while one is written.

It names every key and says what stands there. It does not judge values as `check` does, which knows
more and tells a cure; tests hold the names of the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping

from healing_pipeline.catalog import json_schema_sections as sections
from healing_pipeline.catalog.json_rules import KeyPlace, MomentForm
from healing_pipeline.catalog.json_schema_forms import (
    Schema,
    any_table,
    choice,
    flag,
    named,
    number,
    table,
    text,
    texts,
)
from healing_pipeline.catalog.market_hours import Calendar
from healing_pipeline.catalog.settings import (
    DEFAULT_LEARNING_SINCE,
    DEFAULT_SIMULATOR_PORT,
    REQUIRED,
)
from healing_pipeline.catalog.values import Upstreams
from healing_pipeline.healing.fidelity import Fidelity


def configuration_schema() -> Schema:
    """The whole configuration; `required` are those keys that every one has."""
    return {**table(_top_level(), "What is watched, and how."), "required": list(REQUIRED)}


def _top_level() -> Mapping[str, Schema]:
    return {
        "upstreams": choice(
            [each.value for each in Upstreams],
            "`real` asks the providers; `simulated` plays every source by the built-in simulator.",
        ),
        "sources": named("Providers of data as you use them, by name.", _source()),
        "endpoints": named(
            "Questions that are asked again and again, by source/name.", _endpoint()
        ),
        "simulator": table(
            {"port": number(f"First port of the simulated hosts ({DEFAULT_SIMULATOR_PORT}).")},
            "Where the simulator listens.",
        ),
        "allow_private_hosts": texts("Hosts that may be in a private network: [localhost:8080]."),
        "witnesses": texts("host:port of who is asked whether our own connection is down."),
        "learning": table(
            {"since": {"description": f"First day (UTC) to learn from: {DEFAULT_LEARNING_SINCE}."}},
            "From when on is learned.",
        ),
        "sharding": table(
            {"endpoints_per_sensor": number("How many endpoints one sensor looks at (500).")},
            "When a source has more than one sensor.",
        ),
        "retention": sections.retention(),
        "alerts": sections.alerts(),
        "dashboard": table(
            {"public": flag("Whether the status page and badges are for everybody (false).")},
            "Who may see the dashboard.",
        ),
        "gateway": sections.gateway(),
        "second_opinion": sections.second_opinion(),
    }


def _source() -> Schema:
    keys: dict[str, Schema] = {
        "provider": text("Who speaks its language, or `json_api`; by default the source's name."),
        "hosts": named("Base URLs by name, in order of preference.", text("A base URL.")),
        "keys": named(
            "Keys by name, in order of preference, each in an environment variable.",
            table({"env": text("The variable's name.")}, "Where the key is."),
        ),
        "quota": table(
            {
                "per_minute": number("Calls in a minute."),
                "per_day": number("Calls in a day."),
                "per_month": number("Calls in a month."),
            },
            "What one key may do.",
        ),
        "probe_share": number("Part of the quota that probes may spend, 0 to 1 (0.2)."),
        "calendar": choice([each.value for each in Calendar], "When its markets are open."),
        "key_in": {
            "description": "Where a JSON API wants its key (provider json_api).",
            "anyOf": [
                {"const": KeyPlace.BEARER.value},
                table({"header": text("A header's name.")}, "In a header."),
                table({"param": text("A parameter's name.")}, "In the query."),
            ],
        },
    }
    return {**table(keys, "A provider of data."), "required": ["hosts"]}


def _endpoint() -> Schema:
    keys: dict[str, Schema] = {
        "path": text('The path at the provider, without key and query; may hold "{today-30d}".'),
        "params": any_table("The query, without key."),
        "interval_s": number("Seconds between probes, 30 to 600 (60)."),
        "deadline_s": number("Seconds a reader waits at most, 0.1 to 30 (3)."),
        "accepts": {
            **texts("Answers a reader takes ([exact, stale, coarser])."),
            "items": {"enum": [each.value for each in Fidelity]},
        },
        "max_age_s": number("Older data than this is stale, while the market is open."),
        "calendar": choice(
            [*(each.value for each in Calendar), "none"], "Instead of the source's calendar."
        ),
        "alternates": table(
            {
                "series": text("Another series of the same source, a proxy."),
                "etf": text("The sector's ETF, a proxy."),
                "endpoints": texts("Ids of endpoints that carry the same data."),
            },
            "Where else the data may come from.",
        ),
        "owner": text("Who is told about it."),
        "read": _read(),
        "expect": _expect(),
    }
    return {**table(keys, "One question."), "required": ["path"]}


def _read() -> Schema:
    keys: dict[str, Schema] = {
        "fields": any_table("Paths of the numbers, by the names they go by."),
        "rows": {"type": ["string", "null"], "description": "Path of the list of rows; . for all."},
        "at": text("Path of the moment, in each row or once."),
        "at_form": choice(
            [each.value for each in MomentForm], "How moments are written in this form."
        ),
        "instrument": text("What the numbers are about; by default the endpoint's name."),
        "interval": text("The time between rows: 1d, 5m."),
        "numbers_as_text": flag("Whether numbers may stand in quotes (false)."),
        "market": flag("Whether jumps and standing still are suspicious (false)."),
        "limit_param": text("The parameter that says how many rows are asked for."),
    }
    described = "Where a JSON API's numbers stand (provider json_api)."
    return {**table(keys, described), "required": ["fields"]}


def _expect() -> Schema:
    status: Schema = {"type": ["integer", "string"]}
    keys: dict[str, Schema] = {
        "status": {
            "description": "Statuses that are good: 200, 2xx (2xx).",
            "anyOf": [status, {"type": "array", "items": status}],
        },
        "within_s": number("Seconds after which an answer is slow."),
        "body": any_table("What must hold of the JSON, by path."),
        "text": {
            "type": ["string", "number", "boolean"],
            "description": "What must be in the body.",
        },
        "content_type": text("The media type, without parameters."),
    }
    return table(keys, "What must hold of a JSON API's answers (provider json_api).")
