"""The gateway's paths, from its OpenAPI document; those of one source's endpoints as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healing_pipeline.reporting.structures import STRUCTURES
from healing_pipeline.web.openapi import openapi_document
from program_reference.default_catalog import default_catalog
from program_reference.markdown import code, sentence, table


def text() -> str:
    """A table of the paths, one of their parameters, one of headers either way."""
    document = openapi_document(default_catalog())
    components = document["components"]
    paths: dict[str, str] = {}
    # By name and what it takes, which may differ from path to path.
    parameters: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for path, item in document["paths"].items():
        shown = _pattern(path)
        paths.setdefault(shown, _summary(shown, item["get"]["summary"]))
        for each in item["get"].get("parameters", ()):
            if "$ref" in each or path.startswith("/v1/"):
                continue
            named = each["name"], _taken(each["schema"])
            _, on = parameters.setdefault(named, (each["description"], []))
            if shown not in on:
                on.append(shown)
    rows = [
        [code(name), ", ".join(map(code, _together(on))), takes, sentence(told)]
        for (name, takes), (told, on) in parameters.items()
    ]
    asking = [
        [code(each["name"]), _taken(each["schema"]), sentence(each["description"])]
        for each in components["parameters"].values()
    ]
    answers = [
        [code(name), sentence(each["description"])] for name, each in components["headers"].items()
    ]
    return "\n\n".join(
        [
            table(["path", "what it gives"], [[code(each), told] for each, told in paths.items()]),
            "### Parameters",
            table(["parameter", "of", "takes", "what it says"], rows),
            "### Headers of a request",
            table(["header", "takes", "what it says"], asking),
            "### Headers of an answer",
            table(["header", "what it says"], answers),
        ]
    )


def _pattern(path: str) -> str:
    if path.startswith("/v1/"):
        return "/v1/{source}/{name}"
    return "/proxy/{source}/{path}" if path.startswith("/proxy/") else path


def _together(paths: list[str]) -> list[str]:
    """Paths, those of all structures as one."""
    every = [f"/reports/{name}" for name in STRUCTURES]
    if not set(every) <= set(paths):
        return paths
    return [each for each in paths if each not in every] + ["/reports/{structure}"]


def _summary(pattern: str, summary: str) -> str:
    return {
        "/v1/{source}/{name}": "An endpoint of the catalogue, by its id; further parameters are "
        "the provider's own.",
        "/proxy/{source}/{path}": "The same by the provider's own path: a drop-in base URL.",
    }.get(pattern, sentence(summary))


def _taken(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    if "exclusiveMinimum" in schema:
        span = f", over {schema['exclusiveMinimum']:g} up to {schema['maximum']:,g}"
    else:
        span = f", {schema['minimum']:g} to {schema['maximum']:,g}" if "minimum" in schema else ""
    default = f" ({schema['default']:,})" if isinstance(schema.get("default"), int) else ""
    return f"{schema['type']}{span}{default}"
