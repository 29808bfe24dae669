"""The forms that `json_schema` is made of: a table, a text, a number, each with its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]


def table(keys: Mapping[str, Schema], description: str) -> Schema:
    """A mapping that has these keys and no others."""
    return {
        "type": "object",
        "description": description,
        "properties": dict(keys),
        "additionalProperties": False,
    }


def named(description: str, each: Schema) -> Schema:
    """A mapping whose keys are names of the user's own."""
    return {"type": "object", "description": description, "additionalProperties": each}


def any_table(description: str) -> Schema:
    """A mapping whose keys are not ours to say."""
    return {"type": "object", "description": description}


def text(description: str) -> Schema:
    """A text."""
    return {"type": "string", "description": description}


def number(description: str) -> Schema:
    """A number; whether a whole one, and from where to where, the reading knows."""
    return {"type": "number", "description": description}


def flag(description: str) -> Schema:
    """`true` or `false`."""
    return {"type": "boolean", "description": description}


def texts(description: str) -> Schema:
    """A list of texts."""
    return {"type": "array", "description": description, "items": {"type": "string"}}


def duration(description: str) -> Schema:
    """Hours, minutes and seconds as in `1h30m`, or 0."""
    # Not the format that JSON Schema calls a duration, which is P1DT2H.
    examples = ["90s", "5m", "1h30m", 0]
    return {"type": ["string", "integer"], "examples": examples, "description": description}


def choice(names: list[str], description: str) -> Schema:
    """One of some names."""
    return {"enum": names, "description": description}
