"""`key_in` of a source: where a JSON API wants its key."""

from __future__ import annotations

import re

from healing_pipeline.catalog.document import Scalar, Table
from healing_pipeline.catalog.fields import Fields
from healing_pipeline.catalog.json_rules import KeyIn, KeyPlace
from healing_pipeline.catalog.keys import NO_SECRETS
from healing_pipeline.catalog.problems import Findings, did_you_mean, shown
from healing_pipeline.catalog.secrecy import looks_secret

EXAMPLE = "Write `key_in: {header: X-Api-Key}`, `key_in: {param: apikey}` or `key_in: bearer`."

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_PARAM = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")

# The client's own; a key in one of these would break the request.
_NOT_FOR_KEYS = frozenset(
    {"host", "content-length", "connection", "transfer-encoding", "accept-encoding", "user-agent"}
)


def read_key_in(fields: Fields, *, has_keys: bool, findings: Findings) -> KeyIn | None:
    """Where a source wants its key."""
    node = fields.node("key_in")
    if node is None:
        if has_keys:
            findings.error(
                fields.line,
                f"Nothing says where {fields.what} wants its key.",
                EXAMPLE,
            )
        return None
    if not has_keys:
        problem = f"`key_in` of {fields.what} says where a key goes, and there are no `keys`."
        findings.error(node.line, problem, "Add `keys: {main: {env: MY_API_KEY}}`, or remove it.")
    if isinstance(node, Scalar):
        if node.text == KeyPlace.BEARER:
            return KeyIn(KeyPlace.BEARER)
        problem = f"`key_in` of {fields.what} is {shown(node.text)}, which is no place for a key."
        cure = did_you_mean(node.text, [KeyPlace.BEARER]) + EXAMPLE
        findings.error(node.line, problem, cure)
        return None
    places = Fields(
        node,
        what=f"`key_in` of {fields.what}",
        line=node.line,
        required=(),
        optional=(KeyPlace.HEADER, KeyPlace.PARAM),
        findings=findings,
        hints={"bearer": "Write `key_in: bearer`, without braces."},
    )
    header, param = places.text(KeyPlace.HEADER), places.text(KeyPlace.PARAM)
    if (header is None) == (param is None):
        # where neither is there, an unknown key has been told of
        if isinstance(node, Table) and (header is not None or not node.entries):
            problem = f"`key_in` of {fields.what} must name one place."
            findings.error(node.line, problem, EXAMPLE)
        return None
    place = header or param
    if place is not None and looks_secret(place.text):
        # not quoted: it may be the key itself
        problem = f"`key_in` of {fields.what} holds what looks like an API key."
        findings.error(
            place.line, problem, f"Name the place; {NO_SECRETS[:1].lower()}{NO_SECRETS[1:]}"
        )
        return None
    if header is not None:
        if _HEADER.fullmatch(header.text) is None or header.text.lower() in _NOT_FOR_KEYS:
            problem = f"{shown(header.text)} in `key_in` of {fields.what} cannot carry a key."
            findings.error(header.line, problem, "Name the header as the API documents it.")
        return KeyIn(KeyPlace.HEADER, header.text)
    assert param is not None, "one of the two is there"
    if _PARAM.fullmatch(param.text) is None:
        problem = f"{shown(param.text)} in `key_in` of {fields.what} is no parameter's name."
        findings.error(param.line, problem, "Name the parameter as the API documents it.")
    return KeyIn(KeyPlace.PARAM, param.text)
