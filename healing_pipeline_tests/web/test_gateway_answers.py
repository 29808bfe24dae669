"""What a reader over HTTP is told: labels, problems, and what may be asked at all."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from gateways import ID, Asker, ScriptedEngine, answer, default_catalog, failed, observation

from healing_pipeline.errors import AnotherQuestionError
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.response import NoAnswer, Response

QUOTE = "/v1/yahoo/quote-aapl"


@pytest.fixture
def catalog(tmp_path):
    return default_catalog(tmp_path)


@pytest.fixture
def asker(catalog):
    return Asker(catalog, ScriptedEngine())


def test_an_answer_is_the_providers_body_with_every_label(asker):
    response = asker.ask(QUOTE)
    assert response.status_code == 200
    assert response.content == b'{"quoteResponse":{}}'
    said = response.headers
    assert said["content-type"] == "application/json"
    assert said["x-healing-fidelity"] == "exact"
    assert said["x-healing-strategy"] == "plain"
    assert said["x-healing-provider"] == "yahoo"
    assert said["x-healing-attempts"] == "1"
    assert said["x-healing-as-of"].endswith("+00:00")
    assert said["x-healing-request-id"] == str(ID)
    assert said["age"] == "0"
    assert said["cache-status"] == "healing; fwd=miss; stored"
    assert asker.engine.asked == [
        ("yahoo/quote-aapl", {"params": None, "path": None, "deadline_s": None, "accepts": None})
    ]


@pytest.mark.parametrize(
    ("said_of_it", "status"),
    [
        ({}, "healing; fwd=miss; stored"),
        ({"strategy": "alternate_host"}, "healing; fwd=miss; stored; detail=alternate_host"),
        ({"attempts": 0, "shared": True}, "healing; fwd=miss; collapsed"),
        (
            {"fidelity": Fidelity.STALE, "age_s": 90, "attempts": 0, "strategy": "use_cached_data"},
            "healing; hit; detail=use_cached_data",
        ),
        (
            {"fidelity": Fidelity.STALE, "age_s": 90, "attempts": 1, "strategy": "use_cached_data"},
            "healing; fwd=stale; detail=use_cached_data",
        ),
        (
            {"fidelity": Fidelity.COARSER, "strategy": "use_daily_data"},
            "healing; fwd=miss; detail=use_daily_data",
        ),
    ],
)
def test_cache_status_says_hit_or_why_it_was_forwarded_and_never_both(catalog, said_of_it, status):
    engine = ScriptedEngine(answer(**said_of_it))
    said = Asker(catalog, engine).ask(QUOTE).headers["cache-status"]
    assert said == status
    assert ("hit" in said) != ("fwd=" in said)


def test_age_counts_whole_seconds_since_the_provider_gave_it(catalog):
    old = answer(fidelity=Fidelity.STALE, age_s=125.7, strategy="use_cached_data")
    assert Asker(catalog, ScriptedEngine(old)).ask(QUOTE).headers["age"] == "125"


def test_a_reader_says_deadline_and_labels_in_headers(asker):
    headers = {"X-Healing-Accept": "exact, Stale", "X-Healing-Deadline": "1.5"}
    asker.ask(QUOTE, headers=headers)
    ((_, options),) = asker.engine.asked
    assert options["deadline_s"] == 1.5
    assert options["accepts"] == {Fidelity.EXACT, Fidelity.STALE}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Healing-Deadline": "soon"},
        {"X-Healing-Deadline": "nan"},
        {"X-Healing-Deadline": "0"},
        {"X-Healing-Deadline": "61"},
        {"X-Healing-Accept": "good"},
        {"X-Healing-Accept": ""},
        {"X-Healing": "maybe"},
    ],
)
def test_a_header_that_says_no_such_value_is_refused_and_nothing_is_asked(asker, headers):
    asker.problem(QUOTE, 400, "bad-request", headers=headers)
    assert asker.engine.asked == []


def test_the_query_is_the_providers_alone(asker):
    asker.ask("/v1/yahoo/chart-aapl-1d?range=5d&deadline=1&crumb=x&apikey=y")
    ((_, options),) = asker.engine.asked
    assert options["params"] == {"range": "5d", "deadline": "1"}
    assert options["deadline_s"] is None


def test_another_question_is_refused_with_its_cure(catalog):
    error = AnotherQuestionError("yahoo/quote-aapl", "It is about AAPL.", "Ask the other endpoint.")
    problem = Asker(catalog, ScriptedEngine(error)).problem(QUOTE, 400, "another-question")
    assert problem["detail"] == "It is about AAPL. Ask the other endpoint."
    assert problem["endpoint"] == "yahoo/quote-aapl"


@pytest.mark.parametrize("failure_class", [each for each in FailureClass if each.is_failure])
def test_a_failure_of_time_is_504_and_any_other_502(catalog, failure_class):
    in_time = failure_class not in {"timeout", "slow", "network_error"}
    status, kind = (502, "upstream-failed") if in_time else (504, "upstream-timeout")
    problem = Asker(catalog, ScriptedEngine(failed(failure_class))).problem(QUOTE, status, kind)
    assert problem["failure_class"] == failure_class
    assert problem["request_id"] == str(ID)
    assert problem["instance"] == f"urn:uuid:{ID}"
    assert problem["tried"] == [
        {
            "strategy": "use_cached_data",
            "because": "left out",
            "evidence": "nothing in the store",
        }
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, None), (0.01, "1"), (1.0, "1"), (2.2, "3"), (59.6, "60"), (43_200.0, "43200")],
)
@pytest.mark.parametrize("failure_class", [FailureClass.RATE_LIMIT, FailureClass.TIMEOUT])
def test_a_failure_says_when_to_come_back_and_never_too_early(
    catalog, failure_class, seconds, said
):
    response = Asker(catalog, ScriptedEngine(failed(failure_class, seconds))).ask(QUOTE)
    assert response.status_code in (502, 504)
    assert response.headers.get("retry-after") == said


def test_a_fault_of_ours_is_a_problem_that_tells_no_secret(catalog, caplog):
    engine = ScriptedEngine(RuntimeError("s3cret inside"))
    problem = Asker(catalog, engine).problem(QUOTE, 500, "internal-error")
    assert "s3cret" not in str(problem)
    assert "s3cret" in caplog.text


def test_healing_switched_off_passes_the_upstreams_own_words_through(catalog):
    page = Response(
        status=429, headers={"content-type": "text/plain", "retry-after": "30"}, body=b"Edge: no"
    )
    asker = Asker(catalog, ScriptedEngine(seen=observation(page, FailureClass.BOT_BLOCK)))
    response = asker.ask(QUOTE, headers={"X-Healing": "off"})
    assert (response.status_code, response.content) == (429, b"Edge: no")
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["retry-after"] == "30"
    assert response.headers["cache-status"] == "healing; fwd=bypass; fwd-status=429"
    assert asker.engine.asked[0][1]["plain"]


def test_a_status_that_http_does_not_have_is_passed_through_as_502(catalog):
    asker = Asker(catalog, ScriptedEngine(seen=observation(Response(status=999, body=b"no"))))
    response = asker.ask(QUOTE, headers={"X-Healing": "off"})
    assert response.status_code == 502
    assert "fwd-status=999" in response.headers["cache-status"]


def test_no_answer_passed_through_is_a_problem(catalog):
    silence = Response(no_answer=NoAnswer.TIMEOUT, detail="silence")
    engine = ScriptedEngine(seen=observation(silence, FailureClass.TIMEOUT))
    problem = Asker(catalog, engine).problem(
        QUOTE, 504, "upstream-timeout", headers={"X-Healing": "off"}
    )
    assert problem["failure_class"] == "timeout"


def test_our_keys_never_leave_the_house_in_a_body(catalog):
    key = catalog.sources["alpha_vantage"].keys[0].secret
    body = f'{{"Information": "We have detected your API key as {key} and"}}'.encode()
    engine = ScriptedEngine(answer(body), observation(Response(status=200, body=body)))
    asker = Asker(catalog, engine)
    for headers in ({}, {"X-Healing": "off"}):
        response = asker.ask(QUOTE, headers=headers)
        assert key.encode() not in response.content
        assert response.content == body.replace(key.encode(), b"*" * len(key))


def test_an_unknown_endpoint_names_the_nearest(asker):
    problem = asker.problem("/v1/yahoo/quote-appl", 404, "unknown-endpoint")
    assert problem["nearest"][0] == "yahoo/quote-aapl"
    assert "yahoo/quote-aapl" in problem["detail"]


@pytest.mark.parametrize(
    "target",
    [
        "/v1/yahoo/../fred/dgs10",
        "/v1/yahoo/%2e%2e/fred",
        "/v1/yahoo%2Fquote-aapl",
        "/v1//yahoo/quote-aapl",
        "/v1/yahoo/quote-aapl/..",
        "/v1/yahoo\\quote-aapl",
        "/v1/yahoo/quote%00",
        "/v1/yahoo/%ff",
        "/v1/yahoo/quote-aapl?a=%0d%0aX:1",
        "/v1/yahoo/chart-aapl-1d?range=5d&range=1d",
        "/v1/yahoo/chart-aapl-1d?range={today+1d}",
        "/proxy/polygon/v2/aggs/ticker/AAPL/range/1/day/{today+1d}/{today}",
        "/proxy/polygon/http://169.254.169.254/latest",
        "/proxy/yahoo/v8/finance/chart/%2e%2e%2fsecret",
    ],
)
def test_a_path_that_is_not_what_it_looks_like_is_refused(asker, target):
    # httpx would tidy the path up: the application is asked with the bytes as they are.
    path, _, query = target.partition("?")
    sent = raw(asker.gateway, path.encode(), query.encode())
    assert sent[0]["status"] == 400
    assert asker.engine.asked == []


def test_an_endless_query_is_refused(asker):
    problem = asker.problem(f"{QUOTE}?{'a' * 5000}=1", 414, "too-long")
    assert "5," in problem["detail"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("target", [QUOTE, "/proxy/yahoo/v7/finance/quote?symbols=AAPL", "/docs"])
def test_nothing_but_reading_is_allowed(asker, method, target):
    asker.problem(target, 405, "method-not-allowed", method=method)
    assert "GET" in asker.ask(target, method=method).headers["allow"]
    assert asker.engine.asked == []


def test_options_tells_the_methods_and_asks_nothing(asker):
    response = asker.ask(QUOTE, method="OPTIONS")
    assert (response.status_code, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert asker.engine.asked == []


def test_head_says_what_get_would_without_the_body(asker):
    response = asker.ask(QUOTE, method="HEAD")
    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["content-length"] == str(len(b'{"quoteResponse":{}}'))
    assert response.headers["x-healing-fidelity"] == "exact"
    _, sent = raw(asker.gateway, QUOTE.encode(), method="HEAD")
    assert sent["body"] == b""


def test_what_is_asked_often_is_read_once_and_memory_stays_bounded(asker):
    from healing_pipeline.web.questions import MOST_KNOWN

    questions = asker.gateway._questions
    for number in range(MOST_KNOWN + 10):
        questions.of(b"/v1/yahoo/chart-aapl-1d", f"period1={number}".encode())
    assert len(questions._known) == MOST_KNOWN
    first = questions.of(b"/v1/yahoo/quote-aapl", b"")
    assert questions.of(b"/v1/yahoo/quote-aapl", b"") is first


def raw(app, path: bytes, query: bytes = b"", method: str = "GET"):
    import asyncio

    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": method,
        "path": quote(path),
        "raw_path": path,
        "query_string": query,
        "headers": [],
    }
    asyncio.run(app(scope, receive, send))
    return sent
