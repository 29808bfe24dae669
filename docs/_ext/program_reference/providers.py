"""The providers that come along, and what each can do beside being asked and read."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import fields

from healing_pipeline.providers.registry import PROVIDERS
from healing_pipeline.providers.spoken import Spoken
from program_reference.default_catalog import default_catalog
from program_reference.markdown import code, sentence, table

# What a provider may say to, and what a source can be healed by because of it.
ABLE = {
    "substituted": "other series and ETFs",
    "daily": "daily bars for bars within the day",
    "merged": "many questions in one",
    "rendered": "its form for others' numbers",
    "session": "sessions",
}


def text() -> str:
    """A table of the providers."""
    catalog = default_catalog()
    rows = []
    for name, provider in PROVIDERS.items():
        module = importlib.import_module(f"healing_pipeline.providers.{name}.provider")
        told = (inspect.getdoc(module) or "").split("\n\n", 1)[0]
        watched = sum(
            catalog.sources[each.source].provider == name for each in catalog.endpoints.values()
        )
        rows.append([code(name), sentence(told), ", ".join(_abilities(provider)), str(watched)])
    return table(["provider", "what it is", "has", "endpoints of the default configuration"], rows)


def _abilities(provider: object) -> list[str]:
    usual = {each.name: each.default for each in fields(Spoken)}
    return [told for name, told in ABLE.items() if getattr(provider, name) is not usual[name]]
