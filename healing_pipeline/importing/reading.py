"""A file of another tool: whose it is, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.importing.checks import Found
from healing_pipeline.importing.gatus import is_gatus, read_gatus
from healing_pipeline.importing.plain_yaml import Value, parse
from healing_pipeline.importing.uptime_kuma import is_kuma, read_kuma

LONGEST_FILE = 8_000_000
KNOWN = (
    "Name a configuration of Gatus (YAML, with `endpoints`; or its folder), or a backup of Uptime"
    " Kuma (JSON, with `monitorList`). Nothing was written."
)


def read(text: str) -> Found:
    """Read the file of another tool.

    Raises
    ------
    ConfigurationError
        If it is empty, too long, not to be read, or no tool's that is known here.
    """
    if not _judged_length(text):
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


def read_together(files: Iterable[tuple[Path, str]]) -> Found:
    """Read the files of a folder as Gatus does: as one, lists appended.

    Raises
    ------
    ConfigurationError
        As `read` does; also if a file is no mapping.
    """
    merged: dict[str, Value] = {}
    for path, text in files:
        try:
            part = parse(text) if _judged_length(text) else None
        except ConfigurationError as error:
            raise ConfigurationError(
                error.problem, error.cure, path=path, line=error.line
            ) from None
        if part is None:
            continue
        if not isinstance(part, dict):
            raise ConfigurationError("This is no configuration of Gatus.", KNOWN, path=path)
        for name, value in part.items():
            before = merged.get(name)
            if isinstance(before, list) and isinstance(value, list):
                merged[name] = [*before, *value]
            else:
                merged[name] = value
    if not is_gatus(merged):
        raise ConfigurationError("No file of the folder lists monitors.", KNOWN)
    return read_gatus(merged)


def _judged_length(text: str) -> bool:
    if len(text) > LONGEST_FILE:
        raise ConfigurationError("The file is too long for a configuration.", KNOWN)
    return bool(text.strip())


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
