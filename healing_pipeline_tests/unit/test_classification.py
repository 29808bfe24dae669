"""No failure is ever called good, no good answer a failure, and the class is the right one.

Properties over any bytes first; then what the providers document, most of which no recorded
response shows; then the recorded responses themselves.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from documented_answers import FAILURES, GOOD, OTHER_FORMS
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.probing.classification import NO_ANSWER
from healing_pipeline.probing.classification import classify as classify_unknown
from healing_pipeline.probing.failure_class import FailureClass as Is
from healing_pipeline.probing.recorded import classify_recorded, request_line
from healing_pipeline.probing.response import NoAnswer, RequestLine, Response, Verdict
from healing_pipeline.providers.alpha_vantage.classification import classify as alpha_vantage
from healing_pipeline.providers.exchange_rate.classification import classify as exchange_rate
from healing_pipeline.providers.fred.classification import classify as fred
from healing_pipeline.providers.polygon.classification import classify as polygon
from healing_pipeline.providers.yahoo.classification import classify as yahoo

CLASSIFY = {
    "alpha_vantage": alpha_vantage,
    "exchange_rate": exchange_rate,
    "fred": fred,
    "polygon": polygon,
    "yahoo": yahoo,
}
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "index.jsonl"


def judged(source: str, status: int | None, body: object, endpoint: str = "") -> Verdict:
    raw = body if isinstance(body, bytes) else None
    if raw is None:
        raw = (body if isinstance(body, str) else json.dumps(body)).encode()
    classify = CLASSIFY.get(source, classify_unknown)
    return classify(Response(status=status, body=raw), request_line(endpoint))


BODIES = [(source, json.dumps(body).encode(), endpoint) for source, body, endpoint in GOOD]

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "errors",
                    "status",
                    "message",
                    "code",
                    "success",
                    "result",
                    "results",
                    "chart",
                    "timestamp",
                    "indicators",
                    "quote",
                    "close",
                    "observations",
                    "value",
                    "data",
                    "rates",
                    "count",
                    "Information",
                    "Note",
                    "ticker",
                ]
            )
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
ENDPOINTS = st.sampled_from(
    [
        "",
        "GET /v8/finance/chart/A",
        "GET /v8/finance/spark",
        "GET /v1/test/getcrumb",
        "GET /fred/series/observations",
        "GET /query?function=TIME_SERIES_DAILY&symbol=A",
        "GET /v2/aggs/ticker/A/prev",
        "GET /v1/indicators/sma/A",
        "GET /v1/latest",
    ]
)
SOURCES = st.sampled_from([*CLASSIFY, "unknown"])


def holds_up(verdict: Verdict) -> None:
    assert 0 < len(verdict.evidence) <= 200
    assert verdict.evidence.isprintable()


# Properties


@given(
    source=SOURCES,
    status=st.none() | st.integers(-5, 1100),
    headers=st.dictionaries(st.sampled_from(["content-type", "location"]), st.text(max_size=40)),
    body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode),
    endpoint=ENDPOINTS,
)
@settings(max_examples=300, deadline=None)
def test_any_response_gets_a_verdict_with_one_line_of_evidence(
    source, status, headers, body, endpoint
):
    classify = CLASSIFY.get(source, classify_unknown)
    holds_up(classify(Response(status, headers, body), request_line(endpoint)))


@given(source=SOURCES, value=JSON_VALUES, endpoint=ENDPOINTS)
@settings(max_examples=400, deadline=None)
def test_any_json_gets_a_verdict_with_one_line_of_evidence(source, value, endpoint):
    holds_up(judged(source, 200, value, endpoint))


@given(
    case=st.sampled_from(BODIES),
    status=st.integers(300, 700) | st.integers(100, 199) | st.just(999),
    junk=st.none() | st.binary(max_size=60),
)
@settings(deadline=None)
def test_an_error_status_is_never_good_whatever_the_body(case, status, junk):
    source, body, endpoint = case
    assert not judged(source, status, body if junk is None else junk, endpoint).is_ok


@given(case=st.sampled_from(BODIES), share=st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_a_good_body_that_was_cut_is_never_good(case, share):
    source, body, endpoint = case
    assert judged(source, 200, body, endpoint).is_ok
    for status in (200, None):
        assert not judged(source, status, body[: int(len(body) * share)], endpoint).is_ok


@given(
    case=st.sampled_from(BODIES),
    key=st.sampled_from(["error", "Error Message", "error_message", "errors", "error-type"]),
    said=st.text("abcdefghij ", min_size=3, max_size=20).filter(lambda text: text.strip()),
)
@settings(deadline=None)
def test_a_stated_error_is_never_good_even_beside_data(case, key, said):
    source, body, endpoint = case
    value = json.loads(body)
    if isinstance(value, dict):
        assert not judged(source, 200, value | {key: f"x{said}"}, endpoint).is_ok


@given(
    source=st.sampled_from(list(CLASSIFY)),
    words=st.text("abcdefghijklmnop ,.!:\n", max_size=120),
    endpoint=ENDPOINTS.filter(lambda each: "getcrumb" not in each),
)
def test_text_or_a_page_where_data_was_asked_is_never_good(source, words, endpoint):
    for body in (words, f"<html><body>{words}</body></html>", f"<!DOCTYPE html>{words}"):
        assert not judged(source, 200, body, endpoint).is_ok
        assert not judged(source, None, body, endpoint).is_ok


@given(
    source=SOURCES,
    status=st.sampled_from([200, 400, 401, 403, 429, None]),
    key=st.text("0123456789abcdef", min_size=32, max_size=32)
    | st.text("ABCDEFGHIJKLMNOP0123456789", min_size=16, max_size=16),
    envelope=st.sampled_from(
        [
            {"Information": "We have detected your API key as {} and our limit is 25 per day"},
            {"error_code": 400, "error_message": "api_key={} is not registered"},
            {"status": "ERROR", "error": "Unknown API Key {}"},
            {"success": False, "error": {"code": 101, "info": "access_key={} is not valid"}},
            {"finance": {"result": None, "error": {"code": "x", "description": "crumb={}"}}},
            "<html><title>{}</title></html>",
            "plain {}",
        ]
    ),
)
def test_a_key_repeated_by_a_provider_never_shows_in_the_evidence(source, status, key, envelope):
    body = (envelope if isinstance(envelope, str) else json.dumps(envelope)).replace("{}", key)
    assert key not in judged(source, status, body).evidence


@pytest.mark.parametrize("source", [*CLASSIFY, "unknown"])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b"[" * 900 + b"]" * 900,
        b'{"status":"error","error":' * 900 + b"1" + b"}" * 900,
        b'{"a": ' + b"9" * 6000 + b"}",
        b"{\xff\xfe}",
        b'{"error": {}}',
        b"\x1f\x8b\x08\x00garbage",
        "Wartung".encode("utf-16"),
        b"\x00" * 50,
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><observations>&a;</observations>",
    ],
    ids=range(10),
)
def test_hostile_bodies_are_judged_and_never_good(source, body):
    for status in (200, 404, 500, None):
        verdict = judged(source, status, body, "GET /v8/finance/chart/A")
        holds_up(verdict)
        assert not verdict.is_ok


@pytest.mark.parametrize("why", NoAnswer)
def test_no_answer_is_its_own_class_with_what_the_client_saw(why):
    verdict = yahoo(Response(no_answer=why, detail="seen after 3 s"), RequestLine())
    assert verdict.failure_class is NO_ANSWER[why]
    assert "seen after 3 s" in verdict.evidence


# Worked examples: good


@pytest.mark.parametrize(("source", "body", "endpoint"), GOOD)
def test_a_documented_good_body_is_good(source, body, endpoint):
    for status in (200, None):
        assert judged(source, status, body, endpoint).failure_class is Is.OK
    assert judged(source, 200, b"\xef\xbb\xbf" + json.dumps(body).encode(), endpoint).is_ok


@pytest.mark.parametrize(("source", "body", "endpoint"), OTHER_FORMS)
def test_good_answers_in_other_forms_are_good(source, body, endpoint):
    assert judged(source, 200, body, endpoint).failure_class is Is.OK


# Worked examples: failures, as documented and as users report them


@pytest.mark.parametrize(("source", "status", "body", "endpoint", "expected"), FAILURES)
def test_a_documented_failure_gets_its_class(source, status, body, endpoint, expected):
    verdict = judged(source, status, body, endpoint)
    assert verdict.failure_class is expected, verdict.evidence
    holds_up(verdict)


def test_evidence_quotes_what_the_provider_said():
    body = {"error_code": 400, "error_message": "Bad Request.  The series does not exist."}
    evidence = judged("fred", 400, body).evidence
    assert evidence == "HTTP 400, FRED: error 400 'Bad Request. The series does not exist.'"


def test_a_redirect_names_its_target_without_the_session():
    headers = {"location": "https://consent.example.com/v2?sessionId=3_cc-session_0123456789abcdef"}
    verdict = yahoo(Response(302, headers), RequestLine())
    assert verdict.failure_class is Is.INVALID_DATA
    assert "consent.example.com" in verdict.evidence
    assert "0123456789abcdef" not in verdict.evidence


# The recorded responses


def expected_of(kind: str, subkind: str | None) -> set[str]:
    """The table of the recorded responses' README."""
    by_subkind = {
        ("rate_limit", "Information_daily"): {"quota_exhausted"},
        ("rate_limit", "html_999"): {"bot_block", "rate_limit"},
        ("auth", "plan"): {"plan_limit"},
        ("auth", "premium_endpoint"): {"plan_limit"},
        ("auth", "not_entitled"): {"plan_limit"},
        ("auth", "not_permissioned"): {"plan_limit"},
        ("auth", "blocked"): {"auth_error", "bot_block"},
        ("other", "invalid_api_call"): {"bad_request", "not_found"},
        ("other", "redirect"): {"invalid_data"},
        ("other", "service_discontinued"): {"server_error", "plan_limit", "bad_request"},
    }
    by_kind = {"auth": {"auth_error"}, "other": {"bad_request"}}
    return by_subkind.get((kind, subkind or ""), by_kind.get(kind, {kind}))


@pytest.mark.skipif(
    not RECORDED.exists(), reason="the recorded responses are not beside the repository"
)
def test_recorded_responses_get_the_classes_of_their_readme():
    entries = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    answers = list(classify_recorded(RECORDED, CLASSIFY))
    assert len(answers) == len(entries) > 0
    wrong = []
    for entry, answer in zip(entries, answers, strict=True):
        said, kind = answer["failure_class"], entry["kind"]
        assert (said == "ok") == (kind == "ok"), answer
        if said not in expected_of(kind, entry.get("subkind")):
            wrong.append(answer)
    assert len(wrong) <= 0.02 * len(entries), wrong


@pytest.mark.skipif(
    not RECORDED.exists(), reason="the recorded responses are not beside the repository"
)
def test_recorded_responses_stay_failures_without_their_status():
    """Errors in a 200 are the rule with some: the body alone must never be taken for data."""
    for line in RECORDED.read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "ok":
            continue
        body = (RECORDED.parent / entry["body_file"]).read_bytes()
        line_asked = request_line(entry["endpoint"], entry["host"])
        for status in (200, None):
            verdict = CLASSIFY[entry["source"]](Response(status, {}, body), line_asked)
            assert not verdict.is_ok, (entry["body_file"], verdict)


CALLERS = {Is.BAD_REQUEST, Is.NOT_FOUND, Is.PLAN_LIMIT}
NONSENSE = "zorp blick, wuffle"


@pytest.mark.parametrize("source", sorted(CLASSIFY))
@pytest.mark.parametrize(
    "body",
    [
        {"error": NONSENSE},
        {"error": {"code": "Zorp", "description": NONSENSE}},
        {"error": {"type": "zorp", "info": NONSENSE}},
        {"error": {"message": NONSENSE}},
        {"result": "error", "error-type": "zorp-blick"},
        {"success": False, "error": {"type": "zorp_blick"}},
        {"status": "ERROR", "request_id": "1", "error": NONSENSE},
        {"message": NONSENSE},
        {"chart": {"result": None, "error": {"code": "Zorp", "description": NONSENSE}}},
    ],
)
def test_words_that_nobody_knows_are_not_taken_for_the_callers_fault(source, body) -> None:
    verdict = judged(source, 200, body)
    assert not verdict.is_ok
    assert verdict.failure_class not in CALLERS, verdict.evidence
    for text in ("backend unavailable, try again", "Please try again.", "our API is unavailable"):
        again = judged(source, 200, {"error": {"code": "Internal", "description": text}})
        assert again.failure_class is Is.SERVER_ERROR
