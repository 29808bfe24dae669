"""What sources, hosts, keys and endpoints may be called."""

from __future__ import annotations

import re

SOURCE = re.compile(r"[a-z0-9_]{1,64}")
NAME = re.compile(r"[a-z0-9_][a-z0-9._-]{0,63}")
ENDPOINT_ID = re.compile(r"([a-z0-9_]{1,64})/[a-z0-9._-]{1,128}")


def is_source(text: str) -> bool:
    """Whether a source may have this name."""
    return SOURCE.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether a host or a key may have this name."""
    return NAME.fullmatch(text) is not None


def source_of(endpoint_id: str) -> str | None:
    """The source an endpoint's id names; None when it is no such id."""
    match = ENDPOINT_ID.fullmatch(endpoint_id)
    return None if match is None else match[1]


def name_cure(example: str) -> str:
    """How to name a thing."""
    return f"Use small letters, digits and `_`, `-` or `.`, for example `{example}`."
