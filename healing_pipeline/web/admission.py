"""Who may see the pages of a gateway that asks for a token.

A program sends it as a Bearer. A browser asks its user for a name and a password: any name, and the
token. It gets a cookie for it, because it sends no password with a WebSocket.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Iterable
from datetime import datetime

from healing_pipeline.web.asked import is_token

COOKIE = "healing_pass"
# In a request's scope: whether it brought a token that is one; absent where none is asked for.
ADMITTED = "healing.admitted"
LASTS_S = 12 * 3600
Headers = Iterable[tuple[bytes, bytes]]


class Admission:
    """Checks what a request brings, in constant time.

    Parameters
    ----------
    token : bytes
    """

    def __init__(self, token: bytes) -> None:
        self._token = token

    def admits(self, headers: Headers, now: datetime) -> bool:
        """Whether a request brings the token, or a pass that was made for it."""
        given = list(headers)
        return (
            is_token(self._token, given, None)
            or self.has_password(given)
            or any(self._is_pass(each, now) for each in _cookies(given, COOKIE))
        )

    def has_password(self, headers: Headers) -> bool:
        """Whether a browser's user wrote the token as the password."""
        return any(hmac.compare_digest(password, self._token) for password in _passwords(headers))

    def new_pass(self, now: datetime) -> bytes:
        """A cookie that stands for the token for some hours, and says nothing about it."""
        ends = str(int(now.timestamp()) + LASTS_S)
        value = f"{ends}.{self._signed(ends)}"
        return f"{COOKIE}={value}; Max-Age={LASTS_S}; Path=/; HttpOnly; SameSite=Strict".encode()

    def _is_pass(self, value: str, now: datetime) -> bool:
        ends, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signed(ends).encode()):
            return False
        return now.timestamp() < int(ends)

    def _signed(self, ends: str) -> str:
        return hmac.new(self._token, f"healing pages {ends}".encode(), hashlib.sha256).hexdigest()


def _passwords(headers: Headers) -> Iterable[bytes]:
    for name, value in headers:
        scheme, _, given = value.partition(b" ")
        if name == b"authorization" and scheme.lower() == b"basic":
            try:
                yield b64decode(given.strip(), validate=True).partition(b":")[2]
            except binascii.Error:
                continue


def _cookies(headers: Headers, wanted: str) -> Iterable[str]:
    for header, value in headers:
        if header == b"cookie":
            for each in value.decode("latin-1").split(";"):
                name, _, held = each.strip().partition("=")
                if name == wanted:
                    yield held
