"""The JSON Schema of documents that hold structures, made of their declared columns."""

from __future__ import annotations

from typing import Any

from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.structures import ABOUT_COLUMNS, Structure

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    # Beyond 64 bits as digits in quotes, because readers of JSON would round them.
    "int": {"type": ["integer", "string"], "pattern": "^-?[0-9]{19,}$"},
    "float": {"type": "number"},
    "timestamp": {"type": "string", "format": "date-time"},
    "bool": {"type": "boolean"},
}


def json_schema(structure: Structure, *more: Structure) -> dict[str, Any]:
    """What `as_json` makes of tables of these structures: every row has every column, no other.

    Notes
    -----
    `read_json` asks for the same, but takes documents without what is said of their columns.
    """
    structures = (structure, *more)
    about = {each.name: _schema_of(each) for each in ABOUT_COLUMNS}
    tables = {
        each.name: {
            "type": "array",
            "description": each.description,
            "items": {
                "type": "object",
                "properties": {column.name: _schema_of(column) for column in each.columns},
                "required": [column.name for column in each.columns],
                "additionalProperties": False,
            },
        }
        for each in structures
    }
    return {
        "$schema": DIALECT,
        "title": ", ".join(tables),
        "type": "object",
        "properties": {
            **about,
            "columns": {"description": "Name, type and meaning of every column"},
            **tables,
        },
        "required": list(tables),
        "additionalProperties": False,
    }


def _schema_of(column: Column) -> dict[str, Any]:
    schema = {**_TYPES[column.type], "description": column.description}
    if column.nullable:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*types, "null"]
    return schema
