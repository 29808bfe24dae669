"""Every key of the configuration: what it takes by the reading itself, what it is by the schema.

The reading is asked by having it read a configuration that has every section, and noting which
fields it opens, as what, from where to where. So a range stands in one place: where it is enforced.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from healing_pipeline.catalog.fields import Fields
from healing_pipeline.catalog.json_schema import configuration_schema
from healing_pipeline.catalog.load import check
from healing_pipeline.providers.registry import provider_names
from program_reference.markdown import code, table

# Has every table that a configuration may have; test_reference.py finds one that is missing.
COMPLETE = """
upstreams: real
simulator: {port: 8900}
allow_private_hosts: []
witnesses: []
learning: {since: 2026-01-01}
sharding: {endpoints_per_sensor: 500}
retention: {detail: 35}
dashboard: {public: false}
gateway: {burst: 1000}
alerts: {channels: {mail: {env: MAIL_URL}}}
second_opinion:
  service: openai
  model: a-model
  api_key_env: MODEL_KEY
  daily_budget_usd: 1
  price_per_million_tokens: {input: 1, output: 1}
sources:
  shop:
    provider: json_api
    hosts: {api: "https://api.example.com"}
    keys: {main: {env: SHOP_KEY}}
    key_in: {header: X-Api-Key}
    quota: {per_minute: 60}
endpoints:
  shop/widgets:
    path: /widgets
    read: {fields: {price: price}}
    expect: {within_s: 1}
    alternates: {endpoints: []}
"""
ENVIRONMENT = {"MAIL_URL": "mailto://x", "MODEL_KEY": "x", "SHOP_KEY": "x"}

# How a table is called in messages, and where that is.
PLACES = {"the configuration": "", "source": "sources.*", "endpoint": "endpoints.*",
          "key": "keys.*", "channel": "alerts.channels.*"}  # fmt: skip


@dataclass(slots=True)
class Table:
    """What the reading takes in one place.

    Attributes
    ----------
    required : tuple of str
    takes : dict of str to str
        What stands there, for each key that it may have; empty where the reading looks itself.
    """

    required: tuple[str, ...]
    takes: dict[str, str] = field(default_factory=dict)


def place_of(what: str) -> str:
    """Where the table is that messages call `what`: "`quota` of source `shop`" is sources.*.quota.

    Raises
    ------
    KeyError
        If a table is called by a word that is not known here.
    """
    parts = []
    for each in reversed(what.split(" of ")):
        kind = re.sub(r"\s*`[^`]*`$", "", each)
        parts.append(PLACES[kind] if kind else each.strip("`"))
    return ".".join(filter(None, parts))


def read_tables() -> dict[str, Table]:
    """Every table that the reading opens, by its place."""
    found: dict[str, Table] = {}
    with _noting(found):
        problems = check(
            COMPLETE,
            path=Path("healing_config.yaml"),
            environ=ENVIRONMENT,
            providers=provider_names(),
        )
    if problems:
        raise ValueError(f"the complete configuration is not accepted: {problems}")
    return found


@contextmanager
def _noting(found: dict[str, Table]) -> Iterator[None]:
    begin = Fields.__init__

    def begun(self: Fields, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        required, optional = named["required"], named["optional"]
        opened = found.setdefault(place_of(self.what), Table(tuple(map(str, required))))
        for key in (*required, *optional):
            opened.takes.setdefault(str(key), "")

    def noted(name: str, words: Any) -> Any:
        method = getattr(Fields, name)

        def call(self: Fields, key: str, *given: Any) -> Any:
            takes = found[place_of(self.what)].takes
            takes[key] = takes[key] or words(*given)
            return method(self, key, *given)

        return mock.patch.object(Fields, name, call)

    with (
        mock.patch.object(Fields, "__init__", begun),
        noted("whole", lambda low, high: f"whole number, {_range(low, high)}"),
        noted("number", lambda low, high: f"number, {_range(low, high)}"),
        noted("flag", lambda: "`true` or `false`"),
        noted("choice", lambda names: "one of " + ", ".join(map(code, names))),
        noted("texts", lambda: "list"),
        noted("text", lambda: "text"),
    ):
        yield


def _range(low: float, high: float) -> str:
    return f"{low:,g} or more" if math.isinf(high) else f"{_shown(low)} to {_shown(high)}"


def _shown(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,g}"


def described_tables(
    schema: Mapping[str, Any] | None = None, place: str = ""
) -> dict[str, Mapping[str, Any]]:
    """The tables of the schema, by their place."""
    schema = configuration_schema() if schema is None else schema
    found: dict[str, Mapping[str, Any]] = {}
    keys = dict(schema.get("properties", {}))
    for each in schema.get("anyOf", ()):
        keys |= each.get("properties", {})
    if keys:
        found[place] = {**schema, "properties": keys}
    for key, each in keys.items():
        found |= described_tables(each, f"{place}.{key}".strip("."))
    if isinstance(each := schema.get("additionalProperties"), Mapping):
        found |= described_tables(each, f"{place}.*")
    return found


def text() -> str:
    """A table for each place of the configuration."""
    read, described = read_tables(), described_tables()
    return "\n\n".join(_section(place, described[place], read[place]) for place in described)


# Where the schema says more.
_LESS = {"", "text", "list"}


def _section(place: str, described: Mapping[str, Any], read: Table) -> str:
    rows = [
        [
            f"**{code(key)}**" if key in read.required else code(key),
            _by_schema(each) if read.takes[key] in _LESS else read.takes[key],
            each["description"],
        ]
        for key, each in described["properties"].items()
    ]
    title = code(place) if place else "The top level"
    shown = table(["key", "takes", "what it is"], rows)
    return f"### {title}\n\n{described.get('description', '')}\n\n{shown}"


def _by_schema(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(map(code, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_by_schema, schema["anyOf"])))
    if "const" in schema:
        return code(schema["const"])
    if isinstance(schema.get("additionalProperties"), Mapping):
        return "mapping of names"
    kind = schema.get("type")
    if "examples" in schema:
        return "as in " + ", ".join(map(code, schema["examples"]))
    if kind == "object":
        return "mapping"
    if kind == "array":
        names = schema["items"].get("enum")
        return f"list of {', '.join(map(code, names))}" if names else "list"
    return "text"
