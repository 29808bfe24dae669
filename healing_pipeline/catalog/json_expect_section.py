"""`expect` of an endpoint: what must hold of its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from healing_pipeline.catalog.document import Items, Node, Scalar, Table
from healing_pipeline.catalog.fields import NUMBER, Fields, as_table
from healing_pipeline.catalog.json_rules import SUCCESS, Comparison, Condition, Expect, Plain
from healing_pipeline.catalog.json_section import path_in
from healing_pipeline.catalog.problems import Findings, did_you_mean, listed, shown

LENGTH = "length"

_STATUS = re.compile(r"[245][0-9]{2}")
_HUNDRED = re.compile(r"[245]xx", re.IGNORECASE)
_REDIRECT = re.compile(r"3([0-9]{2}|xx)", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")

_ORDER = frozenset({Comparison.BELOW, Comparison.AT_MOST, Comparison.ABOVE, Comparison.AT_LEAST})
_WORDS: Mapping[str, Comparison] = MappingProxyType({each.value: each for each in Comparison})


def read_expect(endpoint: Fields, findings: Findings) -> Expect | None:
    """What must hold of an endpoint's answers; None where the file says nothing of it."""
    node = endpoint.node("expect")
    if node is None:
        return None
    fields = Fields(
        node,
        what=f"`expect` of {endpoint.what}",
        line=node.line,
        required=(),
        optional=("status", "within_s", "body", "text", "content_type"),
        findings=findings,
    )
    body, text, media_type = fields.node("body"), fields.text("text"), fields.text("content_type")
    if media_type is not None and _MEDIA_TYPE.fullmatch(media_type.text.lower()) is None:
        problem = f"`content_type` of {fields.what} is {shown(media_type.text)}."
        findings.error(media_type.line, problem, "Write a media type alone: `application/json`.")
    return Expect(
        status=_statuses(fields, findings),
        within_s=fields.number("within_s", 0.001, 30),
        body=() if body is None else _conditions(body, fields, findings),
        text=None if text is None else text.text,
        content_type=None if media_type is None else media_type.text.lower(),
    )


def _statuses(fields: Fields, findings: Findings) -> frozenset[int]:
    node = fields.node("status")
    if node is None:
        return SUCCESS
    single = isinstance(node, Scalar)
    texts = (fields.text("status"),) if single else fields.texts("status")
    found: set[int] = set()
    for each in texts:
        if each is None:
            continue
        if _STATUS.fullmatch(each.text):
            found.add(int(each.text))
        elif _HUNDRED.fullmatch(each.text):
            hundred = int(each.text[0]) * 100
            found.update(range(hundred, hundred + 100))
        else:
            cure = "Write `2xx`, or numbers of three digits: `status: [200, 404]`."
            if _REDIRECT.fullmatch(each.text):
                cure = "Redirects are followed: name the status of what they lead to."
            problem = f"{shown(each.text)} in `status` of {fields.what} cannot be expected."
            findings.error(each.line, problem, cure)
    return frozenset(found) or SUCCESS


def _conditions(node: Node, fields: Fields, findings: Findings) -> tuple[Condition, ...]:
    what = f"`body` of {fields.what}"
    table = as_table(node, what, node.line, findings)
    if table is None:
        return ()
    if not table.entries:
        findings.error(node.line, f"{what} expects nothing.", "Write `body: {status: UP}`.")
    conditions: list[Condition] = []
    for path, value in table.entries:
        place = f"{shown(path.text)} in {what}"
        steps = path_in(path, place, findings)
        if isinstance(value, Scalar):
            conditions.append(Condition(steps, Comparison.EQUAL, plain(value)))
        elif isinstance(value, Items):
            problem = f"{place} is held against a list."
            findings.error(value.line, problem, "Write `{any_of: [one, two]}` for either of them.")
        else:
            for word, against in value.entries:
                conditions += _condition(steps, word, against, place, findings)
            if not value.entries:
                findings.error(value.line, f"{place} is held against nothing.", "Write a value.")
    return tuple(conditions)


def _condition(
    steps: tuple[str, ...],
    word: Scalar,
    against: Node,
    place: str,
    findings: Findings,
    of_length: bool = False,
) -> list[Condition]:
    if word.text == LENGTH and not of_length:
        if isinstance(against, Table):
            found: list[Condition] = []
            for inner, value in against.entries:
                found += _condition(steps, inner, value, f"the length of {place}", findings, True)
            return found
        word = Scalar(word.line, Comparison.EQUAL)
        place, of_length = f"the length of {place}", True
    comparison = _WORDS.get(word.text)
    if comparison is None:
        known = [*_WORDS, *([] if of_length else [LENGTH])]
        problem = f"{place} has the comparison {shown(word.text)}, which is not known."
        cure = f"{did_you_mean(word.text, known)}Known: {listed(known)}."
        findings.error(word.line, problem, cure)
        return []
    read = _against(comparison, against, place, findings, of_length=of_length)
    return [] if read is None else [Condition(steps, comparison, read[0], of_length)]


def _against(
    comparison: Comparison, node: Node, place: str, findings: Findings, *, of_length: bool
) -> tuple[Plain | tuple[Plain, ...]] | None:
    """What is compared with, in a tuple of its own since None is a value; None for a mistake."""
    if comparison is Comparison.ANY_OF:
        if isinstance(node, Items) and node.nodes:
            scalars = [each for each in node.nodes if isinstance(each, Scalar)]
            if len(scalars) == len(node.nodes):
                return (tuple(map(plain, scalars)),)
        problem = f"`any_of` of {place} must be a list of values."
        findings.error(node.line, problem, "Write `any_of: [one, two]`.")
        return None
    if not isinstance(node, Scalar):
        problem = f"`{comparison}` of {place} must be a single value."
        findings.error(node.line, problem, "Write one value in its place.")
        return None
    value = plain(node)
    is_number = isinstance(value, float)
    if comparison in _ORDER or of_length:
        if is_number:
            return (value,)
        problem = f"`{comparison}` of {place} compares with {shown(node.text)}, not with a number."
        findings.error(node.line, problem, "Write a number, without quotes.")
        return None
    if comparison is Comparison.PRESENT and not isinstance(value, bool):
        problem = f"`present` of {place} must be true or false."
        findings.error(node.line, problem, "Write `present: true` or `present: false`.")
        return None
    return (node.text if comparison is Comparison.LIKE else value,)


def plain(scalar: Scalar) -> Plain:
    """The value that a scalar stands for: what is quoted is text, whatever it looks like."""
    if not scalar.is_plain:
        return scalar.text
    if scalar.is_null:
        return None
    if scalar.text in {"true", "false"}:
        return scalar.text == "true"
    return float(scalar.text) if NUMBER.fullmatch(scalar.text) else scalar.text
