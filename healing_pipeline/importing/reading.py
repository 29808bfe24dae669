"""A file of another tool: whose it is, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.importing.checks import Found
from healing_pipeline.importing.gatus import is_gatus, read_gatus
from healing_pipeline.importing.plain_yaml import parse
from healing_pipeline.importing.uptime_kuma import is_kuma, read_kuma

LONGEST_FILE = 8_000_000
KNOWN = (
    "Name a configuration of Gatus (YAML, with `endpoints`) or a backup of Uptime Kuma (JSON, with"
    " `monitorList`). Nothing was written."
)


def read(text: str) -> Found:
    """Read the file of another tool.

    Raises
    ------
    ConfigurationError
        If it is empty, too long, not to be read, or no tool's that is known here.
    """
    if len(text) > LONGEST_FILE:
        raise ConfigurationError("The file is too long for a configuration.", KNOWN)
    if not text.strip():
        raise ConfigurationError("The file is empty.", KNOWN)
    if text.lstrip().startswith(("{", "[")):
        root = _json(text)
        if is_kuma(root):
            return read_kuma(root)
    found = parse(text)
    if is_gatus(found):
        return read_gatus(found)
    if isinstance(found, Mapping) and {"upstreams", "sources"} & set(found):
        raise ConfigurationError(
            "This is a configuration of healing_pipeline already.", "Use it as it is: `healing up`."
        )
    raise ConfigurationError("This is a file of no tool that is known here.", KNOWN)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
