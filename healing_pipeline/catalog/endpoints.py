"""The endpoints: what is asked, how often, and what may stand in for an answer."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from healing_pipeline.catalog.document import Node, Scalar
from healing_pipeline.catalog.fields import Fields, as_table, as_text
from healing_pipeline.catalog.json_expect_section import read_expect
from healing_pipeline.catalog.json_section import (
    OF_AN_ENDPOINT,
    PROVIDER,
    read_rules,
    refuse_elsewhere,
    warn_of_unlike,
)
from healing_pipeline.catalog.market_hours import Calendar
from healing_pipeline.catalog.names import source_of
from healing_pipeline.catalog.problems import Findings, did_you_mean, listed, shown
from healing_pipeline.catalog.secrecy import is_secret_param, looks_secret
from healing_pipeline.catalog.values import Alternates, Endpoint
from healing_pipeline.healing.fidelity import DEFAULT_ACCEPTS, Fidelity

DATE_MARK = re.compile(r"\{today(-[0-9]{1,5}d)?\}")
KEYS_ELSEWHERE = "Remove it; the key comes from `keys` of the source, by environment variable."


NO_CALENDAR = "none"


def read_endpoints(
    node: Node,
    sources: Collection[str],
    findings: Findings,
    calendars: Mapping[str, Calendar | None] = MappingProxyType({}),
    providers: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Endpoint]:
    """The endpoints by id; one with an error may be missing or incomplete.

    `calendars` has the sources' own, which an endpoint may replace; `providers` the name of each
    source's provider.
    """
    table = as_table(node, "`endpoints`", node.line, findings)
    if table is None:
        return {}
    if not table.entries:
        findings.error(
            node.line,
            "There are no endpoints, so nothing is watched.",
            "Add one: `yahoo/chart-aapl-1d: {path: /v8/finance/chart/AAPL}`.",
        )
    ids = {key.text for key, _ in table.entries}
    endpoints: dict[str, Endpoint] = {}
    for key, value in table.entries:
        source = source_of(key.text)
        if source is None:
            findings.error(
                key.line,
                f"{shown(key.text)} is not an endpoint's id.",
                "Write the source, a slash and a name of small letters, digits, `.`, `_`, `-`:"
                " `yahoo/chart-aapl-1d`.",
            )
            continue
        if source not in sources:
            cure = f"Add it under `sources`, or use one of {listed(sorted(sources))}."
            findings.error(
                key.line,
                f"There is no source {shown(source)} for endpoint {shown(key.text)}.",
                did_you_mean(source, sources) + cure,
            )
        provider = providers.get(source, source)
        endpoints[key.text] = _endpoint(
            key, value, source, ids, findings, calendars.get(source), provider
        )
    warn_of_unlike(endpoints, {key.text: key.line for key, _ in table.entries}, findings)
    return endpoints


def _endpoint(
    key: Scalar,
    node: Node,
    source: str,
    ids: Collection[str],
    findings: Findings,
    calendar: Calendar | None,
    provider: str,
) -> Endpoint:
    fields = Fields(
        node,
        what=f"endpoint {shown(key.text)}",
        line=key.line,
        required=("path",),
        optional=(
            "params",
            "interval_s",
            "deadline_s",
            "accepts",
            "max_age_s",
            "calendar",
            "alternates",
            "owner",
            *OF_AN_ENDPOINT,
        ),
        findings=findings,
        hints={"source": f"Remove it: the id says it already, {shown(source)}."},
    )
    path, params = fields.text("path"), fields.node("params")
    alternates, owner = fields.node("alternates"), fields.text("owner")
    if path is not None:
        _judge_path(path, findings)
    named = fields.choice("calendar", [*(each.value for each in Calendar), NO_CALENDAR])
    if named is not None:
        calendar = None if named == NO_CALENDAR else Calendar(named)
    endpoint = Endpoint(
        id=key.text,
        source=source,
        path="/" if path is None else path.text,
        params=MappingProxyType({} if params is None else _params(params, key, findings)),
        accepts=_accepts(fields, findings),
        max_age_s=fields.number("max_age_s", 1, math.inf),
        alternates=Alternates()
        if alternates is None
        else _alternates(alternates, key, ids, findings),
        owner=None if owner is None else owner.text,
        calendar=calendar,
    )
    if provider == PROVIDER:
        endpoint = _by_rules(endpoint, fields, findings)
    else:
        refuse_elsewhere(fields, OF_AN_ENDPOINT, provider, findings)
    interval_s = fields.number("interval_s", 30, 600)
    deadline_s = fields.number("deadline_s", 0.1, 30)
    return replace(
        endpoint,
        interval_s=endpoint.interval_s if interval_s is None else interval_s,
        deadline_s=endpoint.deadline_s if deadline_s is None else deadline_s,
    )


def _by_rules(endpoint: Endpoint, fields: Fields, findings: Findings) -> Endpoint:
    """An endpoint of a JSON API, with the rules of its own.

    Where nothing is read there is nothing that could be served later: that somebody answered a
    while ago is no answer to whether they do. Such an endpoint accepts `exact` alone, unless the
    file says otherwise.
    """
    _, _, name = endpoint.id.partition("/")
    read, is_market = read_rules(fields, name, endpoint.params, findings)
    max_age = fields.node("max_age_s")
    if max_age is not None and (read is None or read.at is None):
        problem = f"`max_age_s` of {fields.what} cannot be held: nothing says how old its data is."
        findings.error(max_age.line, problem, "Add `at` to `read`, or remove `max_age_s`.")
    accepts = endpoint.accepts
    if read is None and fields.node("accepts") is None:
        accepts = frozenset({Fidelity.EXACT})
    expect = read_expect(fields, findings)
    return replace(endpoint, read=read, expect=expect, accepts=accepts, is_market=is_market)


def _judge_path(path: Scalar, findings: Findings) -> None:
    text = path.text
    if looks_secret(text):
        findings.error(path.line, "The path holds what looks like an API key.", KEYS_ELSEWHERE)
    elif "?" in text or "#" in text:
        cure = "Put the query under `params`: `params: {interval: 1d}`."
        findings.error(path.line, f"The path {shown(text)} holds a query.", cure)
    elif not text.startswith("/") or text.startswith("//"):
        cure = f"Write {shown('/' + text.lstrip('/'))}."
        findings.error(path.line, f"The path {shown(text)} must begin with one `/`.", cure)
    elif any(each.isspace() or each == "\\" for each in text) or ".." in text.split("/"):
        cure = "Write a space as `%20`, and the path as the provider documents it."
        problem = f"The path {shown(text)} holds a space, a backslash or `..`."
        findings.error(path.line, problem, cure)
    else:
        _judge_marks(path, f"The path {shown(text)}", findings)


def _judge_marks(text: Scalar, what: str, findings: Findings) -> None:
    if re.search(r"[{}]", DATE_MARK.sub("", text.text)):
        findings.error(
            text.line,
            f"{what} holds a mark that is not known.",
            "Write `{today}`, or days before it: `{today-30d}`.",
        )


def _params(node: Node, key: Scalar, findings: Findings) -> Mapping[str, str]:
    what = f"`params` of endpoint {shown(key.text)}"
    table = as_table(node, what, node.line, findings)
    params: dict[str, str] = {}
    for name, value in () if table is None else table.entries:
        label = f"The parameter {shown(name.text)}"
        if is_secret_param(name.text):
            problem = f"{label} of endpoint {shown(key.text)} holds an API key."
            findings.error(name.line, problem, KEYS_ELSEWHERE)
            continue
        text = as_text(value, label, findings)
        if text is None:
            continue
        if looks_secret(text.text) or looks_secret(name.text):
            problem = f"A parameter of endpoint {shown(key.text)} looks like an API key."
            findings.error(text.line, problem, KEYS_ELSEWHERE)
        else:
            _judge_marks(text, label, findings)
        params[name.text] = text.text
    return params


def _accepts(fields: Fields, findings: Findings) -> frozenset[Fidelity]:
    node = fields.node("accepts")
    if node is None:
        return DEFAULT_ACCEPTS
    names = [each.value for each in Fidelity]
    accepted: set[Fidelity] = set()
    for each in fields.texts("accepts"):
        if each.text in names:
            accepted.add(Fidelity(each.text))
            continue
        findings.error(
            each.line,
            f"{shown(each.text)} in `accepts` of {fields.what} is not a fidelity.",
            f"{did_you_mean(each.text, names)}Choose from {listed(names)}.",
        )
    if Fidelity.EXACT not in accepted:
        problem = f"`accepts` of {fields.what} leaves out `exact`, the data itself."
        findings.error(node.line, problem, "Add `exact`.")
    return frozenset(accepted)


def _alternates(node: Node, key: Scalar, ids: Collection[str], findings: Findings) -> Alternates:
    # `series` and `etf` are proxies. Not accepting them here is no mistake: a request may.
    fields = Fields(
        node,
        what=f"`alternates` of endpoint {shown(key.text)}",
        line=node.line,
        required=(),
        optional=("series", "etf", "endpoints"),
        findings=findings,
    )
    series, etf = fields.text("series"), fields.text("etf")
    others: list[str] = []
    for each in fields.texts("endpoints"):
        if each.text == key.text:
            problem = f"Endpoint {shown(key.text)} names itself as its alternate."
            findings.error(each.line, problem, "Name another endpoint, or remove it.")
        elif each.text not in ids:
            findings.error(
                each.line,
                f"The alternate {shown(each.text)} of endpoint {shown(key.text)} does not exist.",
                f"{did_you_mean(each.text, ids)}Add it under `endpoints`, or remove it here.",
            )
        elif each.text in others:
            problem = f"The alternate {shown(each.text)} of {shown(key.text)} is a duplicate."
            findings.error(each.line, problem, "Name it once.")
        else:
            others.append(each.text)
    return Alternates(
        series=None if series is None else series.text,
        etf=None if etf is None else etf.text,
        endpoints=tuple(others),
    )
