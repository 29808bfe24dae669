"""`read` of an endpoint: where a JSON API's numbers stand; and what is for such sources only.

`key_in` and `expect` have files of their own. Whatever of it a source of another provider has is an
error: its code knows already.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from healing_pipeline.catalog.document import Node, Scalar
from healing_pipeline.catalog.fields import Fields, as_table, as_text
from healing_pipeline.catalog.json_rules import MomentForm, Read, Steps, steps_of
from healing_pipeline.catalog.problems import Findings, did_you_mean, listed, shown
from healing_pipeline.catalog.values import Endpoint

PROVIDER = "json_api"

OF_A_SOURCE = ("key_in",)
OF_AN_ENDPOINT = ("read", "expect")

_FIELD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_INSTRUMENT = re.compile(r"[A-Z0-9._=^:/-]{1,64}")
_INTERVAL = re.compile(r"[1-9][0-9]{0,3}(s|m|h|d|w|mo|y)")

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
            "at_form",
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
        at_form=_at_form(fields, at, findings),
        interval=interval,
        numbers_as_text=bool(fields.flag("numbers_as_text")),
        limit_param=None if limit is None else limit.text,
    )
    return rules, is_market


def warn_of_unlike(
    endpoints: Mapping[str, Endpoint], lines: Mapping[str, int], findings: Findings
) -> None:
    """Warn of alternates that can never stand in: what they read is called otherwise."""
    by_rules = [each for each in endpoints.values() if each.read is not None or not each.is_market]
    for each in by_rules:
        for name in each.alternates.endpoints:
            other = endpoints.get(name)
            why = None if other is None else _unlike(each.read, other)
            if why is not None:
                problem = f"{shown(name)} can never stand in for {shown(each.id)}: {why[0]}"
                findings.warn(lines[each.id], problem, why[1])


def _unlike(own: Read | None, other: Endpoint) -> tuple[str, str] | None:
    if own is None:
        return "no number is read of it, so nothing can be compared.", "Add `read`."
    theirs = other.read
    if theirs is None:
        return None
    for what, mine, its in (
        ("instrument", own.instrument, theirs.instrument),
        ("interval", own.interval, theirs.interval),
    ):
        if mine != its:
            told = f"its {what} is {shown(its)}, not {shown(mine)}."
            return told, f"Where they are the same, give both the same `{what}`."
    lacking = sorted(own.fields.keys() - theirs.fields.keys())
    if lacking:
        return f"it has no field {shown(lacking[0])}.", "Call a field by one name in both."
    return None


def _at_form(fields: Fields, at: Steps | None, findings: Findings) -> MomentForm | None:
    form = fields.choice("at_form", [each.value for each in MomentForm])
    if form is not None and at is None:
        problem = f"`at_form` of {fields.what} says how moments are written, and there is no `at`."
        findings.error(fields.line, problem, "Add `at`, or remove it.")
    return None if form is None else MomentForm(form)


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
