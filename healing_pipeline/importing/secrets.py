"""Where in a request its key is: what of it must not be written into a configuration.

What a name or a shape makes look like a key counts as one. A parameter that is none costs a
variable to set; a key that is taken for none would stand in a file that people share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from healing_pipeline.catalog.json_rules import KeyPlace
from healing_pipeline.catalog.secrecy import is_secret_param, looks_secret
from healing_pipeline.importing.marks import has_variable, variable_in
from healing_pipeline.probing.redaction import redact

_NAMES = re.compile(
    r"key|token|secret|passw|^pwd$|^pass$|auth|cookie|session|sig(nature|ned)?$|credential"
    r"|app[-_]?id|crumb",
    re.IGNORECASE,
)
_BEARER = re.compile(r"Bearer +(\S.*)", re.IGNORECASE | re.DOTALL)
AUTHORIZATION = "Authorization"


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key, by its place.

    Attributes
    ----------
    place : KeyPlace
    name : str
        Of the header or parameter.
    variable : str or None
        The environment variable that the other tool takes it from.
    secret : str
        The key itself, which only tells one from another; never shown, never written.
    holds : str
        What the variable has to hold, where that is more than the key.
    """

    place: KeyPlace
    name: str
    variable: str | None
    secret: str = field(repr=False)
    holds: str = ""


def is_key(name: str, value: str) -> bool:
    """Whether a header or a parameter carries a key."""
    return (
        _NAMES.search(name) is not None
        or is_secret_param(name)
        or has_variable(value)
        or is_secret_text(value)
        or redact(f"{name}={value}") != f"{name}={value}"
    )


def is_secret_text(text: str) -> bool:
    """Whether a text by itself looks like a key."""
    return looks_secret(text) or redact(text) != text


def keys_in(
    headers: Iterable[tuple[str, str]], params: Iterable[tuple[str, str]], *, signs_in: str
) -> list[FoundKey]:
    """Every key that a request carries."""
    found = [_in_header(name, value) for name, value in headers if is_key(name, value)]
    found += [
        FoundKey(KeyPlace.PARAM, name, variable_in(value), value)
        for name, value in params
        if is_key(name, value)
    ]
    if signs_in:
        holds = "`Basic ` and the base64 of user:password"
        found.append(FoundKey(KeyPlace.HEADER, AUTHORIZATION, None, signs_in, holds))
    return found


def _in_header(name: str, value: str) -> FoundKey:
    bearer = _BEARER.fullmatch(value) if name.lower() == AUTHORIZATION.lower() else None
    if bearer is not None:
        variable = variable_in(bearer[1])
        if variable is not None or not has_variable(bearer[1]):
            return FoundKey(KeyPlace.BEARER, AUTHORIZATION, variable, bearer[1])
    variable = variable_in(value)
    holds = "" if variable is not None else f"the whole value of the header {name}"
    return FoundKey(KeyPlace.HEADER, name, variable, value, holds)
