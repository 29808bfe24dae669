"""What every answer says to a browser about itself, and what every part knows of a request."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Headers = Iterable[tuple[bytes, bytes]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})
# In a request's scope: nobody knows who asks, at a path that is open to everybody.
STRANGER = "healing.stranger"

NOTHING_LOADED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# Data is a stranger's text under our address. Whatever it is, it is not to run as a page of ours.
OF_DATA = "default-src 'none'; sandbox; frame-ancestors 'none'"

_ALL: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", NOTHING_LOADED.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


def protected(send: Send) -> Send:
    """`send` for pages: what an answer does not say itself is said for it, faults of ours too."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            said = {name.lower() for name, _ in headers}
            headers += [each for each in _ALL if each[0] not in said]
            message = {**message, "headers": headers}
        await send(message)

    return sent


def with_style(sheet: str) -> str:
    """A policy for a page that loads nothing and has one style sheet in its own text."""
    digest = b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return NOTHING_LOADED.replace("; ", f"; style-src 'sha256-{digest}'; ", 1)
