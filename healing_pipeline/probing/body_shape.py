"""What form a body has, before anybody asks what it says.

Nothing here raises, whatever the bytes are: a body that breaks a parser has a shape of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """The form of a body."""

    EMPTY = "empty body"
    JSON = "JSON"
    BROKEN_JSON = "broken JSON"
    HTML = "HTML page"
    XML = "XML"
    TEXT = "plain text"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Body:
    """A body, read as far as its shape allows.

    Attributes
    ----------
    shape : Shape
    text : str
        Decoded as UTF-8, bytes that are not UTF-8 replaced; outer white space removed.
    json : object
        The value, for `Shape.JSON`; numbers that JSON does not have (NaN, Infinity) are None.
    size : int
        Bytes.
    """

    shape: Shape
    text: str = ""
    json: object = None
    size: int = 0


_HEAD_CHARS = 2000
"""How far into a text the mark of an HTML page may stand."""

_BINARY_SHARE = 0.1
"""More unreadable characters than this share and it is no text."""


def read_body(raw: bytes) -> Body:
    """Find a body's shape and, for JSON, its value."""
    text = raw.decode("utf-8-sig", errors="replace").strip()
    size = len(raw)
    if not text:
        return Body(Shape.EMPTY, size=size)
    head = text[:_HEAD_CHARS].lower()
    if "<html" in head and not text.startswith(("{", "[", '"')):
        return Body(Shape.HTML, text, size=size)
    if text.startswith("<"):
        page = head.startswith(("<!doctype html", "<head", "<body", "<script", "<meta", "<title"))
        return Body(Shape.HTML if page else Shape.XML, text, size=size)
    parsed, value = _parse(text)
    if parsed:
        return Body(Shape.JSON, text, value, size)
    if text[0] in "{[":
        return Body(Shape.BROKEN_JSON, text, size=size)
    return Body(Shape.BINARY if _is_binary(text) else Shape.TEXT, text, size=size)


def _parse(text: str) -> tuple[bool, object]:
    try:
        return True, json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        # Too deep, or a number of thousands of digits: no reader could use it either.
        return False, None


def _no_number(_name: str) -> None:
    """NaN and the infinities are how some providers' writers spell a missing value."""


def _is_binary(text: str) -> bool:
    head = text[:_HEAD_CHARS]
    odd = sum(c == "\ufffd" or (not c.isprintable() and not c.isspace()) for c in head)
    return odd > _BINARY_SHARE * len(head) or "\x00" in head
