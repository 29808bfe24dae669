"""The part of the OpenAPI document that tells of reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from healing_pipeline.reporting.forms import FORMS, Form
from healing_pipeline.reporting.schemas import json_schema
from healing_pipeline.reporting.structures import STRUCTURES

Json = dict[str, Any]

REPORTS_TAG = "reports"
_FORMS = tuple(FORMS.values())
_REFUSED = {"$ref": "#/components/responses/Problem"}
_REFUSALS = dict.fromkeys(("400", "401", "405", "406", "429", "500", "503"), _REFUSED)
_HOURS: Json = {
    "name": "hours",
    "in": "query",
    "description": "How far back to look.",
    "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": 744, "default": 24},
}
_LIMIT: Json = {
    "name": "limit",
    "in": "query",
    "description": "Rows at most; `cut` says when there were more.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 1_000},
}
_FORMAT: Json = {
    "name": "format",
    "in": "query",
    "description": "Instead of `Accept`.",
    "schema": {"type": "string", "enum": list(FORMS)},
}


def report_paths() -> Json:
    """The list of reports, the digest, and a path for each structure."""
    return {
        "/reports": _path("reports.list", "Which reports there are", [_FORMAT], _every_form({})),
        "/reports/digest": _path(
            "reports.digest",
            "What a language model has to know of the window, in at most 500 tokens",
            [_HOURS],
            {each: {"schema": {"type": "string"}} for each in ("text/toon", "text/plain")},
        ),
        "/reports/all": _path(
            "reports.all",
            "All structures in one document",
            [_HOURS, {**_LIMIT, "schema": {**_LIMIT["schema"], "default": 200}}, _FORMAT],
            _every_form(json_schema(*STRUCTURES.values()), [f for f in _FORMS if f.holds_many]),
        ),
        **{
            f"/reports/{each.name}": _path(
                f"reports.{each.name}",
                each.description,
                [_HOURS, _LIMIT, _FORMAT],
                _every_form(json_schema(each)),
            )
            for each in STRUCTURES.values()
        },
    }


def _path(name: str, summary: str, parameters: list[Json], content: Json) -> Json:
    return {
        "get": {
            "operationId": name,
            "tags": [REPORTS_TAG],
            "summary": summary,
            "parameters": parameters,
            "responses": {"200": {"description": "The report.", "content": content}, **_REFUSALS},
        }
    }


def _every_form(document: Json, forms: Sequence[Form] = _FORMS) -> Json:
    text: Json = {"schema": {"type": "string"}}
    return {
        each.media_type: {"schema": document} if each.name == "json" else text for each in forms
    }
