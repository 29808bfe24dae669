"""What lies on disk and in the database, fuzzed: spooled facts, policies, notices, alerts."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from healing_pipeline_tests.chaos.fuzz.installed import scratch
from healing_pipeline_tests.chaos.fuzz.target import CANARY, Check, Target

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def _open_spool() -> Check:
    from healing_pipeline.healing.facts import SnapshotFact
    from healing_pipeline.healing.fidelity import Fidelity
    from healing_pipeline.storage.facts import fact_of, line_of, row_of
    from healing_pipeline.storage.local_snapshots import LocalSnapshots

    folder = scratch()
    path = folder / "snapshots.jsonl"

    def check(data: bytes) -> None:
        text = data.decode("utf-8", "replace").replace("\n", " ")
        try:
            fact = fact_of(text)
        except ValueError:
            pass
        else:
            row_of(fact)
            assert fact_of(line_of(fact)) == fact, "a fact that changes when it is spooled"
        path.write_bytes(data)
        for each in LocalSnapshots(path).read(AT - timedelta(days=365)):
            assert isinstance(each, SnapshotFact)
            Fidelity(each.fidelity)
            assert each.reading.fields
            assert all(math.isfinite(point.value) for point in each.reading.points)
            assert each.reading.as_of <= max(each.reading.as_of, AT)

    return check


def spool_seeds() -> list[bytes]:
    """A line of each kind of fact."""
    from healing_pipeline.healing.facts import (
        AnswerFact,
        Attempt,
        Decision,
        ProbeResult,
        SnapshotFact,
    )
    from healing_pipeline.storage.facts import line_of
    from healing_pipeline_tests.postgres import storage_samples as samples

    kinds = (Attempt, Decision, AnswerFact, ProbeResult, SnapshotFact)
    found = [each for each in _facts(samples) if isinstance(each, kinds)]
    lines = [line_of(each).encode() for each in found]
    return [*lines, b"\n".join(lines), b'{"fact": "attempt"}', b"[]", b"1", b'{"fact": []}']


def _facts(samples: Any) -> list[Any]:
    made = []
    for name in ("attempt", "decision", "answer", "probe", "snapshot"):
        made.append(getattr(samples, name)())
    return made


def _open_policy() -> Check:
    from healing_pipeline.learning.policy import Policy
    from healing_pipeline.storage.local_policy import LocalPolicy

    folder = scratch()
    path = folder / "policy.json"
    candidates = {
        "alternate_host": 0.3, "use_cached_data": 0.0, "fallback_provider": 1.0,
        "exponential_backoff_retry": 2.5, "unheard_of": 0.5,
    }  # fmt: skip

    def check(data: bytes) -> None:
        path.write_bytes(data)
        policy = LocalPolicy(path).read()
        for source, failure_class in (("yahoo", "timeout"), ("other", "rate_limit")):
            order = policy.order(source, failure_class, candidates, 2.0)
            assert sorted(order) == sorted(candidates), "a plan lost or doubled a strategy"
            for each in policy.choose(
                source, failure_class, candidates, 2.0, failed=order[:1]
            ).considered:
                assert 0.0 <= each.p <= 1.0, "a probability that is none"
        again = Policy.from_json(policy.to_json())
        assert again.to_json() == policy.to_json()
        for each in policy.parameters.values():
            for value in (each.retry_delay_s, each.timeout_s):
                assert value is None or value >= 0

    return check


def policy_seeds() -> list[bytes]:
    """Policies with every part in them."""
    rates = {"alternate_host": [0.7, 12, 0.4, 1.0], "use_cached_data": [0.99, 3, None, None]}
    whole = {
        "format": 1,
        "as_of": "2026-03-02T12:00:00+00:00",
        "inner": {"yahoo": {"timeout": rates}},
        "outer": {"timeout": rates, "rate_limit": {"fallback_provider": [0.5, 1, 2.5, 0.0]}},
        "anywhere": rates,
        "after": {"alternate_host": {"fallback_provider": 0.8}},
        "parameters": {"yahoo": [0.25, 1.5], "fred": [None, None]},
        "tables": {"t": [{"a": 1}]},
    }
    empty: dict[str, Any] = {**whole, "inner": {}, "outer": {}, "after": {}, "parameters": {}}
    return [json.dumps(each).encode() for each in (whole, empty, {**whole, "as_of": None})]


def _open_notices() -> Check:
    from healing_pipeline.control.news import News
    from healing_pipeline.storage.database import Notice

    def check(data: bytes) -> None:
        text = data.decode("utf-8", "replace").replace("\0", "")
        news = News.__new__(News)
        heard: Counter[str] = Counter()
        news._met, news._asked = heard, heard
        news._name_of = {"yahoo/quote-aapl": "yahoo"}.get
        news._changed = lambda: None
        for channel in ("healing_answer_failed", "healing_incident"):
            news._hear(Notice(channel, text))

    return check


def notice_seeds() -> list[bytes]:
    """What our triggers tell."""
    return [
        b'{"endpoint": "yahoo/quote-aapl", "source": "yahoo"}',
        b'{"endpoint": "yahoo/quote-aapl", "to_state": "open", "signal": "opened",'
        b' "incident_id": 7, "event_id": 9}',
        b"7",
    ]


class _Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)


def _open_alerts() -> Check:
    from healing_pipeline.channels.chat_form import chat_text, chat_title
    from healing_pipeline.channels.gsm import SEPTETS, is_gsm, septets
    from healing_pipeline.channels.letter_form import letter_form
    from healing_pipeline.channels.machine_form import fields_of
    from healing_pipeline.channels.short_form import text_message
    from healing_pipeline_tests.messages_to_send import FIRED, RESOLVED

    known = _Tags(letter_form(FIRED).html).names | _Tags(letter_form(RESOLVED).html).names

    def check(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        try:
            # As PostgreSQL hands JSON over: it holds no number that is none.
            detail = json.loads(text, parse_float=_finite, parse_constant=_finite)
        except (ValueError, RecursionError):
            detail = {"evidence": text, "action": text, "path": text}
        if not isinstance(detail, dict):
            detail = {"endpoints": detail, "attempts": detail, "left_out": detail}
        said = str(detail.get("title", text))
        for message in (
            replace(FIRED, title=said, body=text, source=said, detail=detail, earlier=(text,)),
            replace(RESOLVED, title=said, body=text, detail=detail),
        ):
            form = letter_form(message)
            assert form.subject.isprintable(), "a subject of more than one line"
            for part in (form.subject, form.text, form.html):
                _is_sendable(part)
            assert _Tags(form.html).names <= known, "markup of an upstream's in a letter"
            short = text_message(message)
            assert is_gsm(short)
            assert septets(short) <= SEPTETS
            title, body = chat_title(message, 120), chat_text(message)
            _is_sendable(title)
            _is_sendable(body)
            assert "<script" not in body, "markup of an upstream's in a chat"
            json.dumps(fields_of(message), allow_nan=False).encode()

    return check


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _is_sendable(text: str) -> None:
    text.encode()
    assert all(each.isprintable() or each == "\n" for each in text), "control characters"
    assert len(text) < 100_000, "a message without end"


def alert_seeds() -> list[bytes]:
    """Details as the outbox holds them, with what upstreams put into their words."""
    from healing_pipeline_tests.messages_to_send import FIRED, RESOLVED

    evil = "<script>alert(1)</script>\x1b[2J\u202e\r\nBcc: a@b.c"
    return [
        json.dumps(dict(FIRED.detail)).encode(),
        json.dumps(dict(RESOLVED.detail)).encode(),
        json.dumps({**FIRED.detail, "evidence": evil, "path": "//x/", "title": evil}).encode(),
        evil.encode(),
        b"[click](http://evil) @channel <@U123> \xed\xa0\x80",
    ]  # fmt: skip


def _open_evidence() -> Check:
    from healing_pipeline.probing.markup import page_meaning, page_title, page_words, read_xml
    from healing_pipeline.probing.redaction import evidence_line, redact
    from healing_pipeline.probing.wording import limit_of, meaning_of, says_service_ended

    def check(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        line = evidence_line(text)
        assert line.isprintable(), "evidence that cannot be printed"
        assert len(line) <= 200
        assert CANARY not in line, "a key in the evidence"
        assert CANARY not in redact(text), "a key in a message"
        assert redact(redact(text)) == redact(text), "what was struck is struck again otherwise"
        meaning_of(text)
        limit_of(text)
        says_service_ended(text)
        page_meaning(text, status_known=False)
        page_title(text)
        page_words(text)
        read_xml(text)

    return check


def evidence_seeds() -> list[bytes]:
    """Messages of upstreams that repeat a key, pages, and what slows expressions down."""
    return [
        f"Your API key {CANARY} is not valid, see https://user:{CANARY}@host.example/?k=v".encode(),
        f'{{"Error": "apikey={CANARY}&x=1", "token": "{CANARY}"}}'.encode(),
        f"Authorization: Bearer {CANARY}\r\nSet-Cookie: session_id={CANARY}; Path=/".encode(),
        f"We have detected your API key as {CANARY} and our limit is 25 requests per day".encode(),
        f"<html><title>403 {CANARY}</title><h1>Forbidden</h1><script>{'x' * 3_000}".encode(),
        b"<?xml version='1.0'?><error code='429' message='Too Many Requests.  Exceeded'/>",
        b"<!DOCTYPE a [<!ENTITY b 'ha'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>",
        b"service " * 200 + b"is " * 100 + b"discontinued",
        b"<" * 3_000, b"api_key" * 500, b"a://" * 900, b"A" * 4_000,
        b"too many requests until " * 90,
    ]  # fmt: skip


TARGETS = (
    Target(
        "spool_lines",
        "lines of the spool and of the local snapshots",
        _open_spool,
        spool_seeds,
        share=80,
    ),
    Target(
        "policies",
        "policy documents: refused, or a plan comes out of it",
        _open_policy,
        policy_seeds,
        share=50,
    ),
    Target("notices", "payloads of NOTIFY", _open_notices, notice_seeds, share=30),
    Target(
        "alerts",
        "alerts with any detail as letter, text message, chat and for programs",
        _open_alerts,
        alert_seeds,
        share=20,
    ),
    Target(
        "evidence",
        "any text as evidence: one printable line without keys",
        _open_evidence,
        evidence_seeds,
        share=30,
    ),
)
