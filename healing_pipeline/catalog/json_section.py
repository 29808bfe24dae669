"""What a configuration says of JSON APIs: `key_in` of a source, `read` of an endpoint.

`expect` has a file of its own. Whatever of it a source of another provider has is an error: its
code knows already.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from healing_pipeline.catalog.document import Node, Scalar, Table
from healing_pipeline.catalog.fields import Fields, as_table, as_text
from healing_pipeline.catalog.json_rules import KeyIn, KeyPlace, Read, Steps, steps_of
from healing_pipeline.catalog.problems import Findings, did_you_mean, listed, shown

PROVIDER = "json_api"

OF_A_SOURCE = ("key_in",)
OF_AN_ENDPOINT = ("read", "expect")

KEY_IN_EXAMPLE = (
    "Write `key_in: {header: X-Api-Key}`, `key_in: {param: apikey}` or `key_in: bearer`."
)

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_PARAM = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")
_FIELD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_INSTRUMENT = re.compile(r"[A-Z0-9._=^:/-]{1,64}")
_INTERVAL = re.compile(r"[1-9][0-9]{0,3}(s|m|h|d|w|mo|y)")

# The client's own; a key in one of these would break the request.
_NOT_FOR_KEYS = frozenset(
    {"host", "content-length", "connection", "transfer-encoding", "accept-encoding", "user-agent"}
)
MOST_FIELDS = 500

Rest = tuple[Read | None, bool]


def refuse_elsewhere(
    fields: Fields, names: Collection[str], provider: str, findings: Findings
) -> None:
    """Note each of `names` that stands where the provider has no use for it."""
    for name in names:
        node = fields.node(name)
        if node is not None:
            findings.error(
                node.line,
                f"`{name}` of {fields.what} is for sources of the provider `{PROVIDER}` only, this "
                f"one is of {shown(provider)}.",
                f"Remove it, or set `provider: {PROVIDER}`.",
            )


def read_key_in(fields: Fields, *, has_keys: bool, findings: Findings) -> KeyIn | None:
    """Where a source wants its key."""
    node = fields.node("key_in")
    if node is None:
        if has_keys:
            findings.error(
                fields.line,
                f"Nothing says where {fields.what} wants its key.",
                KEY_IN_EXAMPLE,
            )
        return None
    if not has_keys:
        problem = f"`key_in` of {fields.what} says where a key goes, and there are no `keys`."
        findings.error(node.line, problem, "Add `keys: {main: {env: MY_API_KEY}}`, or remove it.")
    if isinstance(node, Scalar):
        if node.text == KeyPlace.BEARER:
            return KeyIn(KeyPlace.BEARER)
        problem = f"`key_in` of {fields.what} is {shown(node.text)}, which is no place for a key."
        cure = did_you_mean(node.text, [KeyPlace.BEARER]) + KEY_IN_EXAMPLE
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
        if isinstance(node, Table):
            problem = f"`key_in` of {fields.what} must name one place."
            findings.error(node.line, problem, KEY_IN_EXAMPLE)
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


def read_rules(endpoint: Fields, name: str, params: Mapping[str, str], findings: Findings) -> Rest:
    """Where an endpoint's numbers stand; and whether they are a market's."""
    node = endpoint.node("read")
    if node is None:
        return None, False
    fields = Fields(
        node,
        what=f"`read` of {endpoint.what}",
        line=node.line,
        required=("fields",),
        optional=(
            "rows",
            "at",
            "instrument",
            "interval",
            "numbers_as_text",
            "market",
            "limit_param",
        ),
        findings=findings,
    )
    rows, at = _steps(fields, "rows", findings), _steps(fields, "at", findings)
    named = fields.node("fields")
    numbers = {} if named is None else _fields(named, fields, findings)
    if rows is not None and at is None:
        problem = f"`read` of {endpoint.what} has `rows`, and nothing says of when each one is."
        findings.error(node.line, problem, "Add `at: date`, the moment's path within a row.")
    interval = _interval(fields, rows, findings)
    instrument = fields.text("instrument")
    if instrument is not None and _INSTRUMENT.fullmatch(instrument.text.upper()) is None:
        problem = f"`instrument` of {fields.what} is {shown(instrument.text)}."
        cure = "Use letters, digits and `. _ - = ^ : /`, for example `WIDGET`."
        findings.error(instrument.line, problem, cure)
    is_market = bool(fields.flag("market"))
    if is_market and at is None:
        problem = f"`market` of {fields.what} needs to know of when the numbers are."
        findings.error(node.line, problem, "Add `at`, or remove `market`.")
    limit = fields.text("limit_param")
    if limit is not None:
        _judge_limit(limit, fields, rows, params, findings)
    rules = Read(
        fields=MappingProxyType(numbers),
        instrument=(name if instrument is None else instrument.text).upper(),
        rows=rows,
        at=at,
        interval=interval,
        numbers_as_text=bool(fields.flag("numbers_as_text")),
        limit_param=None if limit is None else limit.text,
    )
    return rules, is_market


def _steps(fields: Fields, key: str, findings: Findings) -> Steps | None:
    node = fields.node(key)
    if isinstance(node, Scalar) and node.text in {"", "."}:
        return ()
    text = fields.text(key)
    return None if text is None else path_in(text, f"`{key}` of {fields.what}", findings)


def path_in(text: Scalar, what: str, findings: Findings) -> Steps:
    """A dotted path; one with a hole in it is a problem."""
    steps = steps_of(text.text.strip())
    if "" in steps or "[" in text.text:
        findings.error(
            text.line,
            f"{what} is {shown(text.text)}, which is no path.",
            "Write names and places with dots between them: `data.prices.0.close`; a dot inside of"
            r" a name as `\.`.",
        )
    return steps


def _fields(node: Node, fields: Fields, findings: Findings) -> dict[str, Steps]:
    table = as_table(node, f"`fields` of {fields.what}", node.line, findings)
    if table is None:
        return {}
    if not 0 < len(table.entries) <= MOST_FIELDS:
        problem = f"`fields` of {fields.what} names {len(table.entries)} numbers."
        cure = f"Name 1 to {MOST_FIELDS}: `fields: {{price: price.amount}}`."
        findings.error(node.line, problem, cure)
    numbers: dict[str, Steps] = {}
    for name, value in table.entries:
        if _FIELD.fullmatch(name.text) is None:
            problem = f"A field of {fields.what} cannot be called {shown(name.text)}."
            cure = "Use letters, digits and `_`, `-` or `.`, for example `price`."
            findings.error(name.line, problem, cure)
            continue
        what = f"field {shown(name.text)} of {fields.what}"
        text = as_text(value, what, findings)
        if text is not None:
            numbers[name.text] = path_in(text, what, findings)
    return numbers


def _interval(fields: Fields, rows: Steps | None, findings: Findings) -> str:
    text = fields.text("interval")
    if text is None:
        return "now" if rows is None else "rows"
    if rows is None:
        problem = f"`interval` of {fields.what} is the time between rows, and there are no `rows`."
        findings.error(text.line, problem, "Remove it, or add `rows`.")
    elif _INTERVAL.fullmatch(text.text) is None:
        problem = f"`interval` of {fields.what} is {shown(text.text)}."
        cure = "Write a number and s, m, h, d, w, mo or y, for example `1d`."
        findings.error(text.line, problem, cure)
    return text.text


def _judge_limit(
    limit: Scalar,
    fields: Fields,
    rows: Steps | None,
    params: Mapping[str, str],
    findings: Findings,
) -> None:
    problem = f"`limit_param` of {fields.what} is {shown(limit.text)}"
    if rows is None:
        findings.error(limit.line, f"{problem}, and there are no `rows` to limit.", "Remove it.")
    elif limit.text not in params:
        known = sorted(params)
        cure = (
            f"Add it to `params`, with the usual number of rows: `params: {{{limit.text}: 100}}`."
        )
        if known:
            cure = f"{did_you_mean(limit.text, known)}Use one of {listed(known)}. {cure}"
        findings.error(limit.line, f"{problem}, which is no parameter of the endpoint.", cure)
    elif re.fullmatch(r"[1-9][0-9]{0,8}", params[limit.text]) is None:
        findings.error(
            limit.line,
            f"{problem}, whose value {shown(params[limit.text])} is no number of rows.",
            f"Write a whole number under `params`: `{limit.text}: 100`.",
        )
