"""The API keys a simulator accepts, and where each provider expects to find one.

The secrets are derived from names, so client and simulator agree without exchanging anything. They
open nothing but the simulator.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType

KEYED_SOURCES = ("fred", "polygon", "alpha_vantage", "exchange_rate")
# Yahoo's crumb opens no account, yet it is as secret as a key: no log shall have it.
_PARAMETER = {
    "fred": "api_key",
    "polygon": "apiKey",
    "alpha_vantage": "apikey",
    "yahoo": "crumb",
}
_KEYLESS_VERBS = frozenset({"latest", "pair", "quota", "enriched", "history", "codes"})


def default_keys() -> Mapping[tuple[str, str], str]:
    """Secrets by (source, key name): each keyed source has ``primary`` and ``spare``."""
    return MappingProxyType(
        {
            (source, name): _secret(source, name)
            for source in KEYED_SOURCES
            for name in ("primary", "spare")
        }
    )


def _secret(source: str, name: str) -> str:
    digest = sha256(f"healing_pipeline simulator {source} {name}".encode())
    if source == "fred":
        return digest.hexdigest()[:32]
    if source == "exchange_rate":
        return digest.hexdigest()[:24]
    letters = base64.b32encode(digest.digest()).decode()
    return letters[:16] if source == "alpha_vantage" else letters[:32]


@dataclass(frozen=True, slots=True)
class Stripped:
    """A request without its secret.

    Attributes
    ----------
    secret : str or None
        What stood where this provider wants its key.
    path : str
        For the Exchange Rate API the key's part of the path is left out: ``/v6/latest/USD``.
    params : Mapping[str, str]
    """

    secret: str | None
    path: str
    params: Mapping[str, str]


def strip_key(
    source: str, path: str, params: Mapping[str, str], headers: Mapping[str, str]
) -> Stripped:
    """Take the key out of a request, the way each provider reads it."""
    if source == "exchange_rate":
        return _strip_from_path(path, params)
    name = _PARAMETER.get(source)
    secret = params.get(name) if name else None
    if source == "polygon" and secret is None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        secret = token if scheme.lower() == "bearer" and token else None
    rest = {key: value for key, value in params.items() if key != name}
    return Stripped(secret or None, path, rest)


def _strip_from_path(path: str, params: Mapping[str, str]) -> Stripped:
    parts = path.split("/")  # "", "v6", key, verb, ...
    if len(parts) > 2 and parts[2] not in _KEYLESS_VERBS:
        return Stripped(parts[2] or None, "/".join([*parts[:2], *parts[3:]]), params)
    return Stripped(None, path, params)
