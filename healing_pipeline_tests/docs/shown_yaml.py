"""Whether YAML that the documentation shows is taken by the program that it is written for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.document import parse
from healing_pipeline.catalog.load import check
from healing_pipeline.catalog.problems import Findings
from healing_pipeline.catalog.settings import OPTIONAL, REQUIRED
from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.importing.gatus import is_gatus
from healing_pipeline.importing.reading import read
from healing_pipeline.providers.registry import provider_names
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.keys import default_keys

SECTIONS = {*REQUIRED, *OPTIONAL}
# Sections whose entries have names: a fragment adds to what is there.
NAMED = ("sources", "endpoints")
DAGSTER = {"run_launcher", "run_coordinator", "scheduler", "storage"}
A_NUMBER = re.compile(r"(?<=[:,{\[] )\.\.\.(?=[,}\]\s])")


def judged(text: str, before: Sequence[str] = ()) -> str | None:
    """What is wrong with a fragment; None where nothing is.

    Parameters
    ----------
    text : str
        A configuration of ours, whole or some of its sections; attributes of our component;
        sections of `dagster.yaml`; or a configuration of Gatus, for our importer.
    before : sequence of str
        What the page shows above it, which it may build on. ``...`` stands for a number.
    """
    text = A_NUMBER.sub("1", text)
    try:
        shown = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return f"it is no YAML: {error}"
    if not isinstance(shown, dict):
        return "it is no mapping"
    if {"type", "attributes"} <= set(shown):
        if set(shown["attributes"]) == {"config"}:
            return None  # a file of the reader's
        return problems(text, shown)
    if is_gatus(shown):
        return _of_gatus(text)
    if set(shown) <= SECTIONS:
        findings = Findings()
        parse(text, findings)
        if said := [each.problem for each in findings.in_order()]:
            return "; ".join(said)
        document = whole([*before, text])
        return problems(yaml.safe_dump(document), document)
    if set(shown) <= DAGSTER:
        return "; ".join(_of_dagster(shown)) or None
    return f"no test knows what reads {', '.join(map(str, shown))}"


def whole(fragments: Sequence[str]) -> dict[str, Any]:
    """A small configuration with the sections of `fragments` laid over it, in their order."""
    document = dict(_small())
    for each in fragments:
        shown = yaml.safe_load(A_NUMBER.sub("1", each))
        if not isinstance(shown, dict) or not set(shown) <= SECTIONS or is_gatus(shown):
            continue
        for name, value in shown.items():
            if name in NAMED:
                document[name] = {**document[name], **value}
            else:
                document[name] = value
        if "sources" in shown and "upstreams" not in shown:
            # The simulator plays no source of the page's own.
            document["upstreams"] = "real"
    return document


@cache
def _small() -> Mapping[str, Any]:
    """The default configuration with one endpoint of each source: it is read for each fragment."""
    document = yaml.load(default_config_text(), Loader=yaml.CSafeLoader)
    first = {each.split("/")[0]: each for each in reversed(document["endpoints"])}
    kept = {each: {**document["endpoints"][each], "alternates": None} for each in first.values()}
    return {**document, "endpoints": kept}


def problems(text: str, document: Mapping[str, Any]) -> str | None:
    """What `healing check` has against a configuration, where all its variables are set."""
    found = check(
        text,
        path=Path("healing_config.yaml"),
        environ=dict.fromkeys(variables(document), "a-value-that-is-set"),
        providers=provider_names(),
        simulated_hosts=addresses(8900),
        simulated_keys=default_keys(),
    )
    return "; ".join(each.problem for each in found if each.severity == "error") or None


def variables(shown: Any) -> Iterator[str]:
    """The environment variables that a document names."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            if name in {"env", "api_key_env"} and isinstance(value, str):
                yield value
            yield from variables(value)
    elif isinstance(shown, list):
        for each in shown:
            yield from variables(each)


def _of_gatus(text: str) -> str | None:
    """What our importer does not carry over of a configuration of Gatus."""
    try:
        return "; ".join(each.why for each in read(text).left_out) or None
    except HealingPipelineError as error:
        return str(error)


def _of_dagster(shown: Mapping[str, Any]) -> Iterator[str]:
    """Sections of `dagster.yaml`: the class is there, and takes what is configured."""
    from dagster._config import process_config, resolve_to_config_type
    from dagster._serdes import ConfigurableClassData

    with mock.patch.dict(os.environ, dict.fromkeys(variables(shown), "redis://127.0.0.1:6379/0")):
        for name, section in shown.items():
            data = ConfigurableClassData(section["module"], section["class"], "{}")
            taken = process_config(
                resolve_to_config_type(_class_of(data).config_type()), section.get("config", {})
            )
            if not taken.success:
                yield from (f"{name}: {each.message}" for each in taken.errors)


def _class_of(data: Any) -> Any:
    from importlib import import_module

    return getattr(import_module(data.module_name), data.class_name)
