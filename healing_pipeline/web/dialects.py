"""How clients of a provider put a question differently from a catalogue, and want its answer.

A client puts its key where the provider wants it, and leaves out what the provider assumes. Both
are taken off here, so that what remains can be compared with an endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

# It writes XML; nothing is parsed with it.
from xml.sax.saxutils import quoteattr  # nosec B406

from healing_pipeline.providers.urls import SECRET_PARAMS

# ExchangeRate-API wants its key as the second segment of the path.
_KEY_IN_PATH = {"exchange_rate": re.compile(r"/v6/(?P<key>[^/]+)(?P<rest>/(?:latest|pair)/.*)")}

# FRED answers in XML unless it is told otherwise, and that is what its clients expect; the engine
# reads JSON only.
_OTHER_FORM = {"fred": ("file_type", "xml", "json")}

# What a provider assumes where a client says nothing, of what endpoints commonly say.
_ASSUMED: Mapping[str, Mapping[str, str]] = {
    "fred": {"limit": "100000", "sort_order": "asc"},
    "polygon": {"adjusted": "true", "sort": "asc", "limit": "5000"},
    "alpha_vantage": {"outputsize": "compact", "datatype": "json"},
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A client's question without its key.

    Attributes
    ----------
    params : Mapping[str, str]
        As the engine can ask them.
    rendered_as : Mapping[str, str] or None
        The parameters whose form the client wants its answer in, where the engine reads another.
    key : str or None
        What stood where the provider's key would be.
    """

    path: str
    params: Mapping[str, str]
    rendered_as: Mapping[str, str] | None
    key: str | None


def heard(provider: str, path: str, params: Mapping[str, str]) -> Heard:
    """Hear a client of `provider` out."""
    key = next((value for name, value in params.items() if name.lower() in SECRET_PARAMS), None)
    asked = without_secrets(params)
    in_path = _KEY_IN_PATH.get(provider)
    found = None if in_path is None else in_path.fullmatch(path)
    if found is not None:
        key, path = found["key"], f"/v6{found['rest']}"
    if provider in _OTHER_FORM:
        name, assumed, readable = _OTHER_FORM[provider]
        if asked.get(name, assumed) == assumed:
            return Heard(path, {**asked, name: readable}, {**asked, name: assumed}, key)
    return Heard(path, asked, None, key)


def assumed(provider: str, params: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """What the provider assumes where the client says nothing and the endpoint does.

    A reader's parameters are laid over the endpoint's; what the client left out has to be said, or
    the endpoint's window would take its place.
    """
    known = _ASSUMED.get(provider, {})
    return {name: known[name] for name in own if name not in params and name in known}


def xml_refusal(status: int, detail: str) -> bytes:
    """A refusal as FRED writes it where it answers in XML; its clients show the message."""
    message = quoteattr("".join(each for each in detail if each.isprintable()))
    head = '<?xml version="1.0" encoding="utf-8" ?>'
    return f'{head}\n<error code="{status}" message={message} />'.encode()


def without_secrets(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters that are no key and no session."""
    return {name: value for name, value in params.items() if name.lower() not in SECRET_PARAMS}


def shown(path: str, params: Mapping[str, str]) -> str:
    """A question as a person reads it."""
    query = "&".join(f"{name}={quote(value, safe=',:')}" for name, value in params.items())
    return f"{path}?{query}" if query else path
