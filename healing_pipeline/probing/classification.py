"""From a response to a verdict: what holds for every provider, and the order of asking.

A provider contributes a `Dialect`: how it refuses, and how its good answers look. Everything else,
from lost connections to HTML error pages, is judged here alike. Pure, and it never raises for
anything a response holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from healing_pipeline.probing.body_shape import Body, Shape, read_body
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.json_body import (
    is_empty_list_answer,
    is_hollow,
    spoken,
    stated_code,
    stated_error,
)
from healing_pipeline.probing.markup import page_meaning, page_title, page_words, read_xml
from healing_pipeline.probing.redaction import evidence_line
from healing_pipeline.probing.response import NoAnswer, RequestLine, Response, Verdict
from healing_pipeline.probing.tables import read_table
from healing_pipeline.probing.wording import meaning_of

Classify = Callable[[Response, RequestLine], Verdict]

NO_ANSWER = {
    NoAnswer.TIMEOUT: FailureClass.TIMEOUT,
    NoAnswer.NETWORK: FailureClass.NETWORK_ERROR,
    NoAnswer.UNRESOLVED: FailureClass.NETWORK_ERROR,
    NoAnswer.PROTOCOL: FailureClass.NETWORK_ERROR,
    NoAnswer.TOO_LARGE: FailureClass.INVALID_DATA,
    NoAnswer.TOO_MANY_REDIRECTS: FailureClass.INVALID_DATA,
}

NO_NAME = "no answer, the name does not resolve"
"""How the evidence of an unresolved name begins; no body can bring it about."""

_STATUS_CLASS = {
    401: FailureClass.AUTH_ERROR,
    402: FailureClass.PLAN_LIMIT,
    403: FailureClass.AUTH_ERROR,
    404: FailureClass.NOT_FOUND,
    407: FailureClass.NETWORK_ERROR,  # a proxy of ours speaks, not the provider
    408: FailureClass.TIMEOUT,
    410: FailureClass.NOT_FOUND,
    420: FailureClass.RATE_LIMIT,
    421: FailureClass.SERVER_ERROR,
    423: FailureClass.SERVER_ERROR,  # "locked": nothing that the caller could ask differently
    425: FailureClass.SERVER_ERROR,
    429: FailureClass.RATE_LIMIT,
    451: FailureClass.PLAN_LIMIT,
    498: FailureClass.AUTH_ERROR,
    499: FailureClass.TIMEOUT,
}

_LIMITS = {FailureClass.RATE_LIMIT, FailureClass.QUOTA_EXHAUSTED}
_STATUS_BENDS_TO = {
    401: _LIMITS | {FailureClass.PLAN_LIMIT, FailureClass.BOT_BLOCK, FailureClass.SERVER_ERROR},
    402: _LIMITS | {FailureClass.AUTH_ERROR},
    404: _LIMITS
    | {
        FailureClass.PLAN_LIMIT,
        FailureClass.AUTH_ERROR,
        FailureClass.EMPTY,
        FailureClass.SERVER_ERROR,
        FailureClass.BOT_BLOCK,
    },
    429: _LIMITS | {FailureClass.PLAN_LIMIT, FailureClass.BOT_BLOCK},
}
"""Statuses whose meaning is firm, and the classes that a message may still make of them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a body says about itself.

    Attributes
    ----------
    failure_class : FailureClass or None
        None for an error whose words tell no class: the status decides.
    text : str
        For a person; may still hold a key, it is redacted when it becomes evidence.
    """

    failure_class: FailureClass | None
    text: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one provider answers.

    Attributes
    ----------
    name : str
    refusal : callable
        The error a body states in the provider's own way, whatever the status; None when it
        states none so: errors stated in common ways are found after it.
    contents : callable
        Of a body that states no error: whether it holds what was asked. None when the provider
        has no opinion; only JSON with something in it passes then.
    """

    name: str
    refusal: Callable[[Body, RequestLine], Finding | None]
    contents: Callable[[Body, RequestLine], Finding | None]


def status_class(status: int) -> FailureClass:
    """What a status alone means; 2xx is `ok`."""
    if 200 <= status < 300:
        return FailureClass.OK
    if status in _STATUS_CLASS:
        return _STATUS_CLASS[status]
    if 500 <= status < 600:
        return FailureClass.SERVER_ERROR
    if status == 999:  # outside of HTTP; Yahoo and others send it to clients they turn away
        return FailureClass.BOT_BLOCK
    return FailureClass.BAD_REQUEST if 400 <= status < 500 else FailureClass.INVALID_DATA


def refusal_class(status: int, said: FailureClass | None) -> FailureClass:
    """Join an error status with the class that the body's words speak of."""
    by_status = status_class(status)
    if said is None or said is FailureClass.OK or not 400 <= status < 500:
        return by_status
    bends_to = _STATUS_BENDS_TO.get(404 if status == 410 else status)
    return said if bends_to is None or said in bends_to else by_status


def generic_refusal(body: Body, _line: RequestLine) -> Finding | None:
    """Find the error a body states by what all APIs have in common."""
    if body.shape is Shape.JSON:
        said = stated_error(body.json)
        if isinstance(body.json, str):
            return Finding(meaning_of(body.json), f"says {spoken(body.json)!r}")
        if said is None:
            return None
        meaning, code = meaning_of(said), stated_code(body.json)
        return Finding(meaning if code is None else refusal_class(code, meaning), f"says {said!r}")
    if body.shape is Shape.XML:
        document = read_xml(body.text)
        if document is None or "error" not in document.root.lower():
            return None
        said = " ".join([*document.attributes.values(), document.text]).strip()
        return Finding(meaning_of(said), f"XML <{document.root}> says {said!r}")
    if body.shape is Shape.TEXT and read_table(body.text) is None:
        return Finding(meaning_of(body.text), f"says {_excerpt(body)!r}")
    return None


def table_contents(body: Body) -> Finding:
    """Whether a text is a whole table with a value in it; if no table, what its words mean."""
    table = read_table(body.text)
    if table is None:
        return Finding(meaning_of(body.text), f"text instead of data: {_excerpt(body)!r}")
    columns = ", ".join(table.columns[:6])
    if table.ragged_row is not None:
        text = f"row {table.ragged_row} of a table of {columns} is cut or broken"
        return Finding(FailureClass.INVALID_DATA, text)
    if table.values == 0:
        return Finding(FailureClass.EMPTY, f"table of {columns}: {table.rows} rows, no value")
    return Finding(FailureClass.OK, f"table of {columns}: {table.rows} rows")


def generic_contents(body: Body, _line: RequestLine) -> Finding | None:
    """Whether a body without a stated error holds anything at all."""
    if body.shape is Shape.TEXT:
        return table_contents(body)
    if body.shape is not Shape.JSON:
        return Finding(FailureClass.INVALID_DATA, f"{body.shape.value} instead of data")
    if is_hollow(body.json):
        return Finding(FailureClass.EMPTY, "JSON without any value in it")
    if is_empty_list_answer(body.json):
        return Finding(FailureClass.EMPTY, "a list without an entry")
    if not isinstance(body.json, dict | list):
        return Finding(FailureClass.INVALID_DATA, "a single JSON value instead of an object")
    return Finding(FailureClass.OK, f"JSON of {body.size} bytes")


def judge(response: Response, line: RequestLine, dialect: Dialect) -> Verdict:
    """Judge a response in a provider's dialect, and what that leaves open in general terms."""
    if response.no_answer is not None:
        unresolved = response.no_answer is NoAnswer.UNRESOLVED
        begin = NO_NAME if unresolved else f"no answer, {response.no_answer.value}"
        seen = f"{begin}: {response.detail or 'nothing came back'}"
        return Verdict(NO_ANSWER[response.no_answer], evidence_line(seen))
    finding = _find(response, line, dialect)
    status = "status not recorded" if response.status is None else f"HTTP {response.status}"
    failure_class = finding.failure_class or FailureClass.INVALID_DATA
    return Verdict(failure_class, evidence_line(f"{status}, {dialect.name}: {finding.text}"))


def _find(response: Response, line: RequestLine, dialect: Dialect) -> Finding:
    body, status = read_body(response.body), response.status
    if status is not None and 300 <= status < 400:
        target = response.headers.get("location", "an address it does not name")
        return Finding(FailureClass.INVALID_DATA, f"redirected to {target} instead of data")
    if status is None or 200 <= status < 300:
        return _find_in_success(body, line, dialect, status)
    said = _said(body, line, dialect, status)
    return Finding(refusal_class(status, said.failure_class), said.text)


def _said(body: Body, line: RequestLine, dialect: Dialect, status: int) -> Finding:
    """What the body of an error status adds to it."""
    if body.shape is Shape.HTML:
        meaning = page_meaning(body.text, status_known=True)
        if meaning is None and status == 403:
            meaning = FailureClass.BOT_BLOCK  # an API refuses in JSON; a page is its doorman
        return Finding(meaning, f"HTML page {_page_name(body)!r}")
    said = dialect.refusal(body, line) or generic_refusal(body, line)
    return said or Finding(None, f"{body.shape.value} of {body.size} bytes, no message")


def _find_in_success(
    body: Body, line: RequestLine, dialect: Dialect, status: int | None
) -> Finding:
    if body.shape is Shape.EMPTY or status in {204, 205}:
        return Finding(FailureClass.EMPTY, "empty body")
    if status == 206:
        return Finding(FailureClass.INVALID_DATA, "a part of an answer that was asked for whole")
    if body.shape is Shape.HTML:
        meaning = page_meaning(body.text, status_known=status is not None)
        return Finding(
            meaning or FailureClass.INVALID_DATA, f"HTML page {_page_name(body)!r} instead of data"
        )
    if body.shape is Shape.BROKEN_JSON:
        text = f"JSON that does not parse (cut or damaged), {body.size} bytes"
        return Finding(FailureClass.INVALID_DATA, text)
    if body.shape is Shape.BINARY:
        return Finding(FailureClass.INVALID_DATA, f"{body.size} bytes that are no text")
    refusal = dialect.refusal(body, line)
    if refusal is None and body.shape is not Shape.TEXT:
        refusal = generic_refusal(body, line)
    if refusal is not None:
        # An error is an error, also when its words would rather be a success.
        good = refusal.failure_class in {None, FailureClass.OK}
        return Finding(FailureClass.INVALID_DATA, refusal.text) if good else refusal
    contents = dialect.contents(body, line) or generic_contents(body, line)
    return contents or Finding(FailureClass.INVALID_DATA, f"{body.shape.value} of unknown form")


def _page_name(body: Body) -> str:
    title, words = page_title(body.text), page_words(body.text)[:120]
    return title if len(title) > 40 else " ... ".join(each for each in (title, words) if each)


def _excerpt(body: Body) -> str:
    return " ".join(body.text[:300].split())


GENERIC = Dialect("response", generic_refusal, generic_contents)


def classify(response: Response, line: RequestLine) -> Verdict:
    """Judge a response of a source nobody knows: by status, shape and common manners."""
    return judge(response, line, GENERIC)
