"""The OpenAPI 3.1 document: a path per endpoint of the catalogue, and the drop-in base URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healing_pipeline import __version__
from healing_pipeline.catalog.values import Catalog, Endpoint
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.web.openapi_reports import REPORTS_TAG, report_paths
from healing_pipeline.web.problems import KINDS, OF_REPORTS, TYPES_AT

Json = dict[str, Any]

LABELS = ", ".join(each.value for each in Fidelity)

_LABEL = f"({'|'.join(each.value for each in Fidelity)})"
_SOME_LABELS = f"^{_LABEL}( ?, ?{_LABEL})*$"

ASKING_HEADERS: Mapping[str, tuple[str, Json]] = {
    "X-Healing": (
        "`off` passes the upstream's own status and body through.",
        {"type": "string", "enum": ["on", "off"], "default": "on"},
    ),
    "X-Healing-Accept": (
        f"Labels to take, instead of the endpoint's: some of {LABELS}.",
        {"type": "string", "pattern": _SOME_LABELS, "examples": ["exact, stale"]},
    ),
    "X-Healing-Deadline": (
        "Seconds to wait at most, instead of the endpoint's.",
        {"type": "number", "minimum": 0.1, "maximum": 60},
    ),
}
ANSWER_HEADERS: Mapping[str, str] = {
    "X-Healing-Fidelity": f"How close the data is to what was asked: {LABELS}.",
    "X-Healing-Strategy": "`plain` when nothing had to be healed, else what healed.",
    "X-Healing-Provider": "The source that served the data.",
    "X-Healing-Attempts": "Upstream calls made for this answer.",
    "X-Healing-As-Of": "The moment the newest number speaks of, UTC.",
    "X-Healing-Request-Id": "What the attempts are on record under.",
    "Age": "Seconds since the data came from its provider.",
    "Cache-Status": "RFC 9211: whether an upstream was asked, and why.",
}
PROBLEM_HEADERS: Mapping[str, str] = {
    "Retry-After": "Whole seconds until the provider may be asked again, where that is known.",
    "X-Healing-Request-Id": ANSWER_HEADERS["X-Healing-Request-Id"],
}
# Whose clients expect XML unless they say otherwise, and are refused in it too.
_IN_XML = frozenset({"fred"})

# A larger catalog has a path per source: a document of megabytes is of no use to any tool.
MOST_PATHS = 1_000


def openapi_document(catalog: Catalog) -> Json:
    """The document for a catalogue."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "healing gateway",
            "version": __version__,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
            "description": "Market data, healed where its provider fails and honestly labelled. "
            "Below `/proxy/{source}` the provider's own paths are answered, so that an existing "
            "client only changes its base URL.",
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "tags": [*({"name": name} for name in catalog.sources), {"name": REPORTS_TAG}],
        "paths": {
            **_data_paths(catalog),
            **{
                f"/proxy/{name}/{{path}}": _proxy(name, in_xml=source.provider in _IN_XML)
                for name, source in catalog.sources.items()
            },
            **report_paths(),
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": {
                name: {"name": name, "in": "header", "description": text, "schema": schema}
                for name, (text, schema) in ASKING_HEADERS.items()
            },
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in {**ANSWER_HEADERS, **PROBLEM_HEADERS}.items()
            },
            "responses": {
                "Data": _data("application/json"),
                "Problem": _refusal(),
                "DataOrXml": _data("application/json", "text/xml"),
                "AsItIs": {
                    "description": "No data: problem details; for FRED's clients, who expect XML, "
                    "its own form of a refusal. With `X-Healing: off` the upstream's own words "
                    "with its own status, whichever that is.",
                    "content": {**_refusal()["content"], "*/*": {}},
                },
            },
            "schemas": {"Problem": _problem()},
        },
    }


def _data_paths(catalog: Catalog) -> Json:
    if len(catalog.endpoints) <= MOST_PATHS:
        return {f"/v1/{each.id}": _path(each) for each in catalog.endpoints.values()}
    return {f"/v1/{name}/{{name}}": _any_of(name) for name in catalog.sources}


def _any_of(source: str) -> Json:
    """The endpoints of one source, where there are too many for a path each."""
    return {
        "get": {
            "operationId": f"v1.{source}",
            "tags": [source],
            "summary": f"An endpoint of {source}; /docs lists all",
            "parameters": [
                {
                    "name": "name",
                    "in": "path",
                    "required": True,
                    "description": "What follows the source in the endpoint's id.",
                    "schema": {"type": "string"},
                },
                *({"$ref": f"#/components/parameters/{name}"} for name in ASKING_HEADERS),
            ],
            "responses": _responses(),
        }
    }


def _data(*forms: str) -> Json:
    return {
        "description": "The provider's own form of data, whoever served it.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ANSWER_HEADERS},
        "content": {each: {} for each in forms},
    }


def _refusal() -> Json:
    return {
        "description": "No data: problem details.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in PROBLEM_HEADERS},
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }


def _path(endpoint: Endpoint) -> Json:
    query = "&".join(f"{name}={value}" for name, value in endpoint.params.items())
    return {
        "get": {
            "operationId": endpoint.id.replace("/", "."),
            "tags": [endpoint.source],
            "summary": f"{endpoint.path}?{query}" if query else endpoint.path,
            "parameters": [
                *(
                    {
                        "name": name,
                        "in": "query",
                        "description": "The provider's own; may change the window, not the data.",
                        "schema": {"type": "string", "default": value},
                    }
                    for name, value in endpoint.params.items()
                ),
                *({"$ref": f"#/components/parameters/{name}"} for name in ASKING_HEADERS),
            ],
            "responses": _responses(),
        }
    }


def _proxy(source: str, *, in_xml: bool) -> Json:
    return {
        "get": {
            "operationId": f"proxy.{source}",
            "tags": [source],
            "summary": f"Drop-in base URL for clients of {source}",
            "parameters": [
                {
                    "name": "path",
                    "in": "path",
                    "required": True,
                    "description": "The provider's own path, slashes included.",
                    "schema": {"type": "string"},
                },
                *({"$ref": f"#/components/parameters/{name}"} for name in ASKING_HEADERS),
            ],
            "responses": _responses("OrXml" if in_xml else ""),
        }
    }


def _responses(forms: str = "") -> Json:
    statuses = sorted({str(kind.status) for name, kind in KINDS.items() if name not in OF_REPORTS})
    refusal = {"$ref": "#/components/responses/AsItIs"}
    return {
        "200": {"$ref": f"#/components/responses/Data{forms}"},
        **dict.fromkeys(statuses, refusal),
        "default": refusal,
    }


def _problem() -> Json:
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "enum": [f"{TYPES_AT}{name}" for name in KINDS],
            },
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string", "format": "uri"},
            "failure_class": {"type": "string"},
            "request_id": {"type": "string", "format": "uuid"},
            "tried": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "strategy": {"type": "string"},
                        "because": {"type": "string"},
                        "evidence": {"type": "string"},
                    },
                },
            },
        },
    }
