"""The configuration as a JSON Schema: what editors and `dg` show and complete while one is written.

It names every key and says what stands there. It does not judge values as `check` does, which knows
more and tells a cure; tests hold the names of the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healing_pipeline.catalog.json_rules import KeyPlace, MomentForm
from healing_pipeline.catalog.market_hours import Calendar
from healing_pipeline.catalog.settings import (
    DEFAULT_LEARNING_SINCE,
    DEFAULT_SIMULATOR_PORT,
    REQUIRED,
)
from healing_pipeline.catalog.values import Upstreams
from healing_pipeline.healing.fidelity import Fidelity

Schema = dict[str, Any]


def configuration_schema() -> Schema:
    """The whole configuration; `required` are those keys that every one has."""
    return {**_table(_top_level(), "What is watched, and how."), "required": list(REQUIRED)}


def _top_level() -> Mapping[str, Schema]:
    return {
        "upstreams": _choice(
            [each.value for each in Upstreams],
            "`real` asks the providers; `simulated` plays every source by the built-in simulator.",
        ),
        "sources": _named("Providers of data as you use them, by name.", _source()),
        "endpoints": _named(
            "Questions that are asked again and again, by source/name.", _endpoint()
        ),
        "simulator": _table(
            {"port": _number(f"First port of the simulated hosts ({DEFAULT_SIMULATOR_PORT}).")},
            "Where the simulator listens.",
        ),
        "allow_private_hosts": _texts("Hosts that may be in a private network: [localhost:8080]."),
        "witnesses": _texts("host:port of who is asked whether our own connection is down."),
        "learning": _table(
            {"since": {"description": f"First day (UTC) to learn from: {DEFAULT_LEARNING_SINCE}."}},
            "From when on is learned.",
        ),
        "sharding": _table(
            {"endpoints_per_sensor": _number("How many endpoints one sensor looks at (500).")},
            "When a source has more than one sensor.",
        ),
        "retention": _any_table("Days that each kind of row is kept."),
        "alerts": _any_table("Who is told when healing fails: `url`, `channels` and thresholds."),
        "dashboard": _table(
            {"public": _flag("Whether the status page and badges are for everybody (false).")},
            "Who may see the dashboard.",
        ),
        "gateway": _any_table("What one client may ask of the gateway."),
        "second_opinion": _any_table("A language model that may advise heal runs."),
    }


def _source() -> Schema:
    keys: dict[str, Schema] = {
        "provider": _text("Who speaks its language, or `json_api`; by default the source's name."),
        "hosts": _named("Base URLs by name, in order of preference.", _text("A base URL.")),
        "keys": _named(
            "Keys by name, in order of preference, each in an environment variable.",
            _table({"env": _text("The variable's name.")}, "Where the key is."),
        ),
        "quota": _table(
            {
                "per_minute": _number("Calls in a minute."),
                "per_day": _number("Calls in a day."),
                "per_month": _number("Calls in a month."),
            },
            "What one key may do.",
        ),
        "probe_share": _number("Part of the quota that probes may spend, 0 to 1 (0.2)."),
        "calendar": _choice([each.value for each in Calendar], "When its markets are open."),
        "key_in": {
            "description": "Where a JSON API wants its key (provider json_api).",
            "anyOf": [
                {"const": KeyPlace.BEARER.value},
                _table({"header": _text("A header's name.")}, "In a header."),
                _table({"param": _text("A parameter's name.")}, "In the query."),
            ],
        },
    }
    return {**_table(keys, "A provider of data."), "required": ["hosts"]}


def _endpoint() -> Schema:
    keys: dict[str, Schema] = {
        "path": _text('The path at the provider, without key and query; may hold "{today-30d}".'),
        "params": _any_table("The query, without key."),
        "interval_s": _number("Seconds between probes, 30 to 600 (60)."),
        "deadline_s": _number("Seconds a reader waits at most, 0.1 to 30 (3)."),
        "accepts": {
            **_texts("Answers a reader takes ([exact, stale, coarser])."),
            "items": {"enum": [each.value for each in Fidelity]},
        },
        "max_age_s": _number("Older data than this is stale, while the market is open."),
        "calendar": _choice(
            [*(each.value for each in Calendar), "none"], "Instead of the source's calendar."
        ),
        "alternates": _table(
            {
                "series": _text("Another series of the same source, a proxy."),
                "etf": _text("The sector's ETF, a proxy."),
                "endpoints": _texts("Ids of endpoints that carry the same data."),
            },
            "Where else the data may come from.",
        ),
        "owner": _text("Who is told about it."),
        "read": _read(),
        "expect": _expect(),
    }
    return {**_table(keys, "One question."), "required": ["path"]}


def _read() -> Schema:
    keys: dict[str, Schema] = {
        "fields": _any_table("Paths of the numbers, by the names they go by."),
        "rows": {"type": ["string", "null"], "description": "Path of the list of rows; . for all."},
        "at": _text("Path of the moment, in each row or once."),
        "at_form": _choice(
            [each.value for each in MomentForm], "How moments are written in this form."
        ),
        "instrument": _text("What the numbers are about; by default the endpoint's name."),
        "interval": _text("The time between rows: 1d, 5m."),
        "numbers_as_text": _flag("Whether numbers may stand in quotes (false)."),
        "market": _flag("Whether jumps and standing still are suspicious (false)."),
        "limit_param": _text("The parameter that says how many rows are asked for."),
    }
    table = _table(keys, "Where a JSON API's numbers stand (provider json_api).")
    return {**table, "required": ["fields"]}


def _expect() -> Schema:
    status: Schema = {"type": ["integer", "string"]}
    keys: dict[str, Schema] = {
        "status": {
            "description": "Statuses that are good: 200, 2xx (2xx).",
            "anyOf": [status, {"type": "array", "items": status}],
        },
        "within_s": _number("Seconds after which an answer is slow."),
        "body": _any_table("What must hold of the JSON, by path."),
        "text": {
            "type": ["string", "number", "boolean"],
            "description": "What must be in the body.",
        },
        "content_type": _text("The media type, without parameters."),
    }
    return _table(keys, "What must hold of a JSON API's answers (provider json_api).")


def _table(keys: Mapping[str, Schema], description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": dict(keys),
        "additionalProperties": False,
    }


def _named(description: str, each: Schema) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": each}


def _any_table(description: str) -> Schema:
    return {"type": "object", "description": description}


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _number(description: str) -> Schema:
    return {"type": "number", "description": description}


def _flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _texts(description: str) -> Schema:
    return {"type": "array", "description": description, "items": {"type": "string"}}


def _choice(names: list[str], description: str) -> Schema:
    return {"enum": names, "description": description}
