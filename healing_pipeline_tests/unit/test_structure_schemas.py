"""One declaration, many schemas: what JSON Schema is told of a structure is what is written."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import structured_rows as rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.reporting.cells import moment_of
from healing_pipeline.reporting.schemas import json_schema
from healing_pipeline.reporting.structures import REALTIME_METRICS, STRUCTURES
from healing_pipeline.reporting.tables import as_json

KINDS = {
    "null": lambda value: value is None,
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def keeps(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value keeps a schema, as far as ours go."""
    kinds = schema.get("type", list(KINDS))
    if not any(KINDS[each](value) for each in ([kinds] if isinstance(kinds, str) else kinds)):
        return False
    if isinstance(value, dict):
        known = schema["properties"] if "properties" in schema else {key: {} for key in value}
        return (
            set(schema.get("required", ())) <= set(value)
            and (schema.get("additionalProperties", True) or set(value) <= set(known))
            and all(keeps(value[each], known[each]) for each in value)
        )
    if isinstance(value, list):
        return all(keeps(each, schema.get("items", {})) for each in value)
    if isinstance(value, str):
        if schema.get("format") == "date-time" and moment_of(value) is None:
            return False
        return re.search(schema.get("pattern", ""), value) is not None
    return True


@pytest.mark.parametrize("name", STRUCTURES)
@settings(max_examples=10)
@given(data=st.data())
def test_every_document_keeps_the_schema_of_its_structure(name, data):
    table = data.draw(rows_of.tables(STRUCTURES[name], 2))
    document = json.loads(as_json(table))
    schema = json_schema(STRUCTURES[name])
    assert json.loads(json.dumps(schema)) == schema
    assert keeps(document, schema)
    for column in STRUCTURES[name].columns:
        rows = [{**each, column.name: {}} for each in document[name]]
        assert not rows or not keeps({**document, name: rows}, schema)
        rows = [{**each, "more": 1} for each in document[name]]
        assert not rows or not keeps({**document, name: rows}, schema)
        rows = [{**each, column.name: None} for each in document[name]]
        assert not rows or keeps({**document, name: rows}, schema) == column.nullable


def test_several_structures_have_one_schema():
    schema = json_schema(*STRUCTURES.values())
    assert schema["required"] == list(STRUCTURES)
    assert keeps({each: [] for each in STRUCTURES}, schema)
    assert not keeps({REALTIME_METRICS.name: []}, schema)
