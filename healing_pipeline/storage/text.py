"""Text and JSON that PostgreSQL can hold, whatever an upstream put in them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    """`text` as plain `str`, with NULs and halves of surrogate pairs replaced."""
    clean = str(text).replace("\x00", REPLACEMENT)
    return clean.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def json_value(value: object) -> Any:
    """`value` as JSON values: texts storable, times in ISO form, bytes in base64."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {storable(str(key)): json_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(each) for each in value]
    return value
