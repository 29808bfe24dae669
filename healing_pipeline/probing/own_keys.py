"""Our own keys, cut out of what an upstream sends back before anybody has read it.

Providers repeat the caller's key: in an error, in a header, in the data itself. What is cut out
here is in no evidence, no snapshot, no answer and no log, whoever writes those.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import quote, quote_plus, unquote_to_bytes

from healing_pipeline.probing.response import Response

# Shorter ones are found in ordinary words; data is not to be changed for them.
SHORTEST = 8
# A number of so many digits may be data.
SHORTEST_NUMBER = 16
# In longer bodies only the usual encodings are looked for: reading them twice takes time from all.
MOST_DECODED = 64 * 1024
_ESCAPES = (b"%", b"\\u", b"\\x", b"&#", b"&amp")
_ESCAPED = re.compile(rb"\\(?:u00|x)([0-9a-fA-F]{2})|\\/")
STAR = b"*"


class OwnKeys:
    """The keys of one source, and what they look like in the usual encodings.

    Parameters
    ----------
    secrets : iterable of str
        Those that could be ordinary words or numbers are left aside: see `SHORTEST`.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        kept = sorted({each for each in secrets if _is_distinct(each)})
        self._raw = tuple(each.lower().encode() for each in kept)
        forms = {form.lower().encode() for each in kept for form in _forms(each)}
        # The longest first, so that no part of one is left.
        self._forms = tuple(sorted(forms, key=lambda each: (-len(each), each)))
        # Searched for only where a mark of theirs stands: most data holds none.
        self._escaped = tuple(
            (mark, form)
            for each in kept
            for mark, form in (
                (b"%", "".join(f"%{byte:02x}" for byte in each.encode())),
                (b"\\u00", "".join(f"\\u{byte:04x}" for byte in each.encode())),
                (b"\\x", "".join(f"\\x{byte:02x}" for byte in each.encode())),
                (b"&#", "".join(f"&#{byte};" for byte in each.encode())),
                (b"&#", "".join(f"&#x{byte:x};" for byte in each.encode())),
            )
        )
        self._mixed = tuple(_mixed(each) for each in kept)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def without(self, response: Response) -> Response:
        """`response` with stars in their place, as many as there were bytes."""
        body = self.struck(response.body)
        headers = response.headers
        if self._are_in("\n".join(headers.values()).encode()):
            headers = {name: self.text(value) for name, value in headers.items()}
        detail = self.text(response.detail) if response.detail else ""
        if body is response.body and headers is response.headers and detail == response.detail:
            return response
        return replace(response, body=body, headers=headers, detail=detail)

    def text(self, text: str) -> str:
        """The same for a text."""
        raw = text.encode("utf-8", "surrogateescape")
        struck = self.struck(raw)
        return text if struck is raw else struck.decode("utf-8", "surrogateescape")

    def struck(self, body: bytes) -> bytes:
        """The same for bytes; the very same object when no key is in them."""
        lower = body.lower()
        escaped = [form.encode() for mark, form in self._escaped if mark in lower]
        for form in (*self._forms, *escaped):
            at = lower.find(form)
            while at >= 0:
                end = at + len(form)
                body = body[:at] + STAR * len(form) + body[end:]
                lower = lower[:at] + STAR * len(form) + lower[end:]
                at = lower.find(form, end)
        if len(body) > MOST_DECODED or not any(each in body for each in _ESCAPES):
            return body
        if not self._can_be_read(body):
            return body
        for pattern in self._mixed:
            body = pattern.sub(lambda found: STAR * len(found[0]), body)
        # Encoded over and over: nothing of it is worth the risk.
        return STAR * len(body) if self._can_be_read(body) else body

    def _are_in(self, text: bytes) -> bool:
        return self.struck(text) is not text

    def _can_be_read(self, body: bytes) -> bool:
        readings = {body}
        for _ in range(2):
            for undo in (unquote_to_bytes, _unescaped, _unslashed):
                readings |= {undo(each) for each in readings}
            lower = [each.lower() for each in readings]
            if any(key in each for key in self._raw for each in lower):
                return True
        return False


def _is_distinct(secret: str) -> bool:
    return len(secret) >= (SHORTEST_NUMBER if secret.isdigit() else SHORTEST)


def _unescaped(body: bytes) -> bytes:
    return html.unescape(body.decode("latin-1")).encode("utf-8", "replace")


def _unslashed(body: bytes) -> bytes:
    return _ESCAPED.sub(_char, body)


def _char(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else b"/"


def _forms(secret: str) -> set[str]:
    """A key as it is, and as the usual encodings write the whole of it."""
    raw = secret.encode()
    forms = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        html.escape(secret),
        raw.hex(),
    }
    # In base64 what a key looks like depends on how many bytes stand before it.
    for before in range(3):
        whole = b64encode(b"\0" * before + raw).decode()
        core = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return {each for each in forms if len(each) >= SHORTEST}


def _mixed(secret: str) -> re.Pattern[bytes]:
    """A key each of whose characters may be written in an encoding of its own."""
    chars = []
    for each in secret.encode():
        number = f"{each:02x}".encode()
        own = re.escape(bytes([each]))
        chars.append(
            b"(?:%s|%%(?:25)*%s|\\\\u00%s|\\\\x%s|&(?:amp;)*#0*%d;?|&(?:amp;)*#x0*%s;?%s)"
            % (own, number, number, number, each, number, b"|\\\\/" if each == 0x2F else b"")
        )
    return re.compile(b"".join(chars), re.IGNORECASE)
