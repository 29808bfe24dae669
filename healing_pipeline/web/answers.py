"""From an answer of the engine to status, headers and body: every label the reader is owed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import orjson

from healing_pipeline.catalog.values import Source
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.strategy import Observation
from healing_pipeline.web.dialects import xml_refusal
from healing_pipeline.web.problems import Problem, kind_of
from healing_pipeline.web.protection import OF_DATA

Headers = list[tuple[bytes, bytes]]
Reply = tuple[int, Headers, bytes]

XML = "text/xml; charset=utf-8"

# What was fetched before the question came was not fetched for it.
FROM_STORE_S = 0.5

_ALWAYS: Headers = [
    # Only we know how old the data is allowed to be: a cache in between has to ask.
    (b"cache-control", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", OF_DATA.encode()),
    (b"x-frame-options", b"DENY"),
]
_LABELS = (
    b"x-healing-fidelity",
    b"x-healing-strategy",
    b"x-healing-provider",
    b"x-healing-attempts",
    b"x-healing-as-of",
    b"x-healing-request-id",
    b"age",
    b"cache-status",
    b"content-type",
)


def of_answer(
    answer: Answer, secrets: Iterable[bytes], now: datetime, *, is_data: bool = True
) -> Reply:
    """The reply to a reader who got data; without `is_data` the body may be anything."""
    age_s = max(0.0, (now - answer.fetched_at).total_seconds())
    body = without_secrets(answer.body, secrets)
    values = (
        answer.fidelity.value,
        answer.strategy,
        answer.provider,
        str(answer.attempts),
        answer.as_of.isoformat(),
        str(answer.request_id),
        str(int(age_s)),
        cache_status(answer, age_s),
        form_of(body) if is_data else form_of_anything(body),
    )
    headers = [(name, value.encode("latin-1")) for name, value in zip(_LABELS, values, strict=True)]
    headers += _ALWAYS
    headers.append((b"content-length", str(len(body)).encode()))
    return 200, headers, body


def cache_status(answer: Answer, age_s: float) -> str:
    """RFC 9211: whether the request went on to an upstream, and why.

    Only one of `hit` and `fwd` may stand in it. Data that was in our store is a hit when nobody was
    asked, and ``fwd=stale`` when it was the fallback after asking. A question that another reader
    asked a moment before was forwarded once for both: it is `collapsed`.
    """
    if age_s > answer.seconds + FROM_STORE_S:
        forwarded = "fwd=stale" if answer.attempts else "hit"
        return f"healing; {forwarded}; detail={answer.strategy}"
    if answer.shared:
        return "healing; fwd=miss; collapsed"
    stored = "; stored" if answer.fidelity.value == "exact" else ""
    detail = "" if answer.strategy == "plain" else f"; detail={answer.strategy}"
    return f"healing; fwd=miss{stored}{detail}"


def of_observation(seen: Observation, source: Source, secrets: Iterable[bytes]) -> Reply:
    """The reply to a reader who wants no healing: the upstream's own status and body."""
    response = seen.response
    if response.no_answer is not None or response.status is None:
        verdict = seen.verdict
        members = {"failure_class": str(verdict.failure_class), "tried": []}
        problem = Problem(
            kind_of(verdict.failure_class), f"{source.name}: {verdict.evidence}", members
        )
        return of_problem(problem)
    body = without_secrets(response.body, secrets)
    said = response.headers.get("content-type", "")
    headers = [
        *_ALWAYS,
        (b"x-healing-provider", source.name.encode()),
        (b"x-healing-strategy", b"off"),
        (b"cache-status", f"healing; fwd=bypass; fwd-status={response.status}".encode()),
        (b"content-type", _header_value(said) or form_of(body).encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if "retry-after" in response.headers:
        headers.append((b"retry-after", _header_value(response.headers["retry-after"])))
    status = response.status if 200 <= response.status <= 599 else 502  # 999 is no HTTP status
    return status, headers, body


def of_problem(problem: Problem) -> Reply:
    """The reply to a reader who gets no data."""
    document = problem.document()
    if problem.as_xml:
        said = problem.detail
        if "add" in problem.members:
            said += f" `add`: {problem.members['add']}"
        body, form = xml_refusal(problem.status, said), XML
    else:
        body, form = orjson.dumps(document), "application/problem+json"
    headers = [
        *_ALWAYS,
        *problem.headers,
        (b"x-healing-request-id", document["instance"].removeprefix("urn:uuid:").encode()),
        (b"content-type", form.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    return problem.status, headers, body


def without_secrets(body: bytes, secrets: Iterable[bytes]) -> bytes:
    """The body with our keys struck out: some providers repeat the caller's key in what they say.

    As many bytes as before, so that nothing else in the body moves.
    """
    for secret in secrets:
        if secret in body:
            body = body.replace(secret, b"*" * len(secret))
    return body


def form_of(body: bytes) -> str:
    """The content type of a body that was read: the providers' forms begin unmistakably."""
    first = body.lstrip()[:1]
    if first in (b"{", b"["):
        return "application/json"
    return XML if first == b"<" else "text/csv; charset=utf-8"


def form_of_anything(body: bytes) -> str:
    """The content type of a body that nobody reads: no page of a stranger's is shown as ours."""
    is_json = body.lstrip()[:1] in (b"{", b"[")
    return "application/json" if is_json else "text/plain; charset=utf-8"


def _header_value(text: str) -> bytes:
    """`text` where it can stand in a header; nothing where somebody smuggled a line into it."""
    return text.encode("latin-1", errors="ignore") if text.isprintable() else b""
