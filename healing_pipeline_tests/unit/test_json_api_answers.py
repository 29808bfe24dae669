"""What a JSON API's answers come to by the rules of a configuration, and by them alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog.json_rules import Comparison, Condition, Expect, MomentForm, Read
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading, Unreadable
from healing_pipeline.probing.response import NoAnswer, RequestLine, Response
from healing_pipeline.providers.json_api.columns import read_columns
from healing_pipeline.providers.json_api.examining import Examiner
from healing_pipeline.providers.json_api.reading import one_by_one
from healing_pipeline.providers.json_api.rendering import rendered
from healing_pipeline_tests.unit.json_api_worlds import HEAD, KEY, NOW, speaker_of

SERIES = "read: {rows: data.prices, at: date, fields: {close: close}}"
ONE = "read: {at: updated, fields: {price: price.amount}}"
UNDATED = "read: {fields: {price: price.amount}}"
TOP = "read: {rows: ., at: '0', fields: {close: '1'}}"
AS_TEXT = "read: {at: t, fields: {price: p}, numbers_as_text: true}"


def answer(body: object, status: int = 200, elapsed_s: float = 0.1, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = {name.replace("_", "-"): each for name, each in headers.items()}
    return Response(status, said, raw, elapsed_s)


def expect(rules: str) -> str:
    return f"expect: {{{rules}}}"


UP = {
    "status": "UP",
    "queue": [7, "x"],
    "parts": {"a": 1},
    "name": "shop-1",
    "none": None,
    "on": True,
}
PAGE = b"<!doctype html><html><head><title>Shop</title></head><body>All is well</body></html>"
CHALLENGE = b"<html><head><title>Just a moment...</title></head><body>captcha</body></html>"

CASES = [
    # a series
    (SERIES, answer({"data": {"prices": [{"date": "2026-03-03", "close": 2}]}}), "ok", "1 row of "),
    (SERIES, answer({"data": {"prices": []}}), "empty", ""),
    (SERIES, answer({"data": {"prices": [{"date": "2026-03-03", "close": None}]}}), "empty", ""),
    (SERIES, answer({"data": {"rows": [1]}}), "invalid_data", "data.prices is missing"),
    (SERIES, answer({"data": [1]}), "invalid_data", "data is a list, expected an object"),
    (SERIES, answer({"data": {"prices": {"x": 1}}}), "invalid_data", "is an object, expected a l"),
    (SERIES, answer({"data": {"prices": [3]}}), "invalid_data", "data.prices[0] is a number"),
    (
        SERIES,
        answer({"data": {"prices": [{"date": "2026-03-03", "close": 2}, {"date": "2026-03-04"}]}}),
        "invalid_data",
        "data.prices[1].close is missing",
    ),
    (
        SERIES,
        answer({"data": {"prices": [{"date": "2026-03-03", "close": "2"}]}}),
        "invalid_data",
        "data.prices[0].close is text, expected a number",
    ),
    (
        SERIES,
        answer({"data": {"prices": [{"date": "yesterday", "close": 2}]}}),
        "invalid_data",
        "data.prices[0].date is no plausible moment",
    ),
    (
        SERIES,
        answer({"data": {"prices": [{"date": "2026-03-03", "close": each} for each in (1, 2)]}}),
        "invalid_data",
        "two values for close",
    ),
    (SERIES, answer({"error": "try later", "data": {"prices": []}}), "*", "try later"),
    (SERIES, answer(PAGE), "invalid_data", "HTML page"),
    (SERIES, answer(b'{"data": {"prices": [{"da'), "invalid_data", "does not parse"),
    (SERIES, answer(b"", 204), "empty", ""),
    (SERIES, answer({"error": "no such item"}, 404), "not_found", "no such item"),
    (SERIES, answer({"message": "slow down"}, 429), "rate_limit", "HTTP 429"),
    (SERIES, answer(b"oops", 503), "server_error", "HTTP 503"),
    (SERIES, Response(no_answer=NoAnswer.TIMEOUT, detail="1 s"), "timeout", "1 s"),
    (TOP, answer([["2026-03-03", 2.5], [1772582400, 3]]), "ok", "2 rows of close"),
    (TOP, answer([["2026-03-03"]]), "invalid_data", "[0].1 is missing: the list has 1 entries"),
    # one moment
    (ONE, answer({"updated": 1772582400, "price": {"amount": 4}}), "ok", "1 row of "),
    (ONE, answer({"updated": 1772582400, "price": {"amount": None}}), "empty", "price.amount"),
    (ONE, answer({"updated": True, "price": {"amount": 4}}), "invalid_data", "updated is a bool"),
    (ONE, answer({"updated": 10**15, "price": {"amount": 4}}), "invalid_data", "no plausible"),
    (ONE, answer(b'{"updated": 1772582400, "price": {"amount": 1e999}}'), "invalid_data", "finite"),
    (AS_TEXT, answer({"t": "1772582400", "p": "4.50"}), "ok", "1 row of "),
    (AS_TEXT, answer({"t": "1772582400", "p": "NaN"}), "invalid_data", "p is text"),
    # what must hold
    (expect("status: [200, 404]"), answer(b"gone", 404), "ok", "HTTP 404"),
    (expect("status: [404]"), answer(b"here"), "invalid_data", "HTTP 200, shop: expected status 4"),
    (expect("status: 2xx"), answer(b"oops", 500), "server_error", "HTTP 500"),
    (expect("body: {status: UP}"), answer(UP), "ok", "as expected"),
    (expect("body: {status: DOWN}"), answer(UP), "invalid_data", "status is 'UP', expected 'DOWN'"),
    (expect("body: {state: UP}"), answer(UP), "invalid_data", "state is missing"),
    (expect("body: {status: UP}"), answer(b"UP"), "invalid_data", "instead of JSON"),
    (expect('body: {queue.0: {">": 6, "<=": 7}}'), answer(UP), "ok", ""),
    (expect('body: {queue.0: {">": 7}}'), answer(UP), "invalid_data", "queue.0 is 7, expected > 7"),
    (expect('body: {queue.1: {">": 7}}'), answer(UP), "invalid_data", "queue.1 is 'x', expected >"),
    (expect("body: {queue: {length: 2}}"), answer(UP), "ok", ""),
    (expect("body: {queue: {length: {'>': 2}}}"), answer(UP), "invalid_data", "length of queue is"),
    (expect("body: {parts.a: {length: 1}}"), answer(UP), "invalid_data", "has no length"),
    (expect("body: {parts.a: 1}"), answer(UP), "ok", ""),
    (expect('body: {parts.a: "1"}'), answer(UP), "invalid_data", "parts.a is 1, expected '1'"),
    (expect("body: {parts.a: true}"), answer(UP), "invalid_data", "is 1, expected true"),
    (expect("body: {none: null}"), answer(UP), "ok", ""),
    (expect('body: {none: "None"}'), answer(UP), "invalid_data", "none is null, expected 'None'"),
    (expect('body: {on: "True"}'), answer(UP), "invalid_data", "on is true, expected 'True'"),
    (expect("body: {status: {any_of: [UP, OK]}}"), answer(UP), "ok", ""),
    (expect("body: {status: {any_of: [OK]}}"), answer(UP), "invalid_data", "expected one of 'OK'"),
    (expect('body: {name: {like: "shop-*"}}'), answer(UP), "ok", ""),
    (expect('body: {name: {like: "x*"}}'), answer(UP), "invalid_data", "something like 'x*'"),
    (expect("body: {error: {present: false}}"), answer(UP), "ok", ""),
    (expect("body: {name: {present: false}}"), answer(UP), "invalid_data", "name is there"),
    (expect("text: All is"), answer(PAGE), "ok", ""),
    (expect("text: Nothing is"), answer(PAGE), "invalid_data", "'Nothing is' is not in"),
    (expect("within_s: 0.5"), answer(PAGE, elapsed_s=0.5), "ok", ""),
    (expect("within_s: 0.5"), answer(PAGE, elapsed_s=0.6), "slow", "took 0.60 s, expected within"),
    (expect("content_type: text/html"), answer(PAGE, content_type="text/HTML; x=1"), "ok", ""),
    (expect("content_type: text/html"), answer(PAGE), "invalid_data", "type is not stated"),
    # nothing expected: any good answer will do, and one that says it is none does not
    (expect(""), answer(PAGE), "ok", ""),
    (expect(""), answer(b"", 204), "ok", ""),
    (expect(""), answer({"status": "ok", "message": "alive"}), "ok", ""),
    (expect(""), answer({"status": "error"}), "invalid_data", "error"),
    (expect(""), answer({"error": "rate limit exceeded"}), "rate_limit", "rate limit"),
    (expect(""), answer(CHALLENGE), "bot_block", "Just a moment"),
    # both
    (
        f"{ONE}\n    {expect('within_s: 0.5')}",
        answer({"updated": 1772582400, "price": {"amount": 4}}, elapsed_s=1),
        "slow",
        "took 1.00 s",
    ),
]


@pytest.mark.parametrize(("rules", "response", "failure_class", "evidence"), CASES)
def test_an_answer_is_judged_by_the_rules(tmp_path, rules, response, failure_class, evidence):
    provider, request = speaker_of(tmp_path, rules)
    verdict, reading = provider.examine(response, request.line)
    assert failure_class in {"*", verdict.failure_class}, verdict
    assert evidence in verdict.evidence
    assert (reading is None) is (not verdict.is_ok)
    assert provider.classify(response, request.line) == verdict
    if reading is not None:
        assert provider.read(response.body, request.line) == reading


# -- what is read ----------------------------------------------------------------------------------

NAMES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=5)
VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
SECONDS = st.integers(int(datetime(1990, 1, 2, tzinfo=UTC).timestamp()), 4_000_000_000)


def told(at_s: int, form: str) -> object:
    at = datetime.fromtimestamp(at_s, UTC)
    east = at.astimezone(tz=None if form == "local" else UTC)
    return {
        "seconds": at_s,
        "milliseconds": at_s * 1000,
        "iso": at.isoformat(),
        "local": east.isoformat(),
        "plain": f"{at:%Y-%m-%d %H:%M:%S}",
        "z": f"{at:%Y-%m-%dT%H:%M:%S.000Z}",
    }[form]


@given(
    rows=st.dictionaries(SECONDS, st.tuples(VALUES, VALUES | st.none()), min_size=1, max_size=6),
    wrapping=st.lists(NAMES, max_size=3),
    names=st.lists(NAMES, min_size=3, max_size=3, unique=True),
    form=st.sampled_from(["seconds", "milliseconds", "iso", "local", "plain", "z"]),
)
def test_what_was_declared_is_what_is_read(rows, wrapping, names, form):
    at_name, one, other = names
    body: object = [
        {at_name: told(at_s, form), one: first, other: second}
        for at_s, (first, second) in rows.items()
    ]
    for name in reversed(wrapping):
        body = {"beside": [1], name: body}
    rules = Read(
        fields={"a": (one,), "b": (other,)}, instrument="W", rows=tuple(wrapping), at=(at_name,),
        interval="rows",
    )  # fmt: skip
    read = Examiner("shop", "W", Expect(), rules).read_body(
        json.dumps(body).encode(), RequestLine()
    )
    assert isinstance(read, Reading)
    meant = {
        (datetime.fromtimestamp(at_s, UTC), field): value
        for at_s, row in rows.items()
        for field, value in zip("ab", row, strict=True)
        if value is not None
    }
    assert {(each.at, each.field): each.value for each in read.points} == meant
    assert read.as_of == max(at for at, _ in meant)


ODD = st.sampled_from(["2026-03-04", "1.5", 10**400, True, None])
MEMBERS = st.sampled_from(["a", "b", "t", "0", "error", "message"])
JSON = st.recursive(
    VALUES | st.text(max_size=8) | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=12,
)
STEPS = st.lists(st.sampled_from(["a", "b", "t", "0", "-1", "99999999999"]), max_size=3).map(tuple)
RULES = st.builds(
    Read,
    fields=st.dictionaries(st.sampled_from("xy"), STEPS, min_size=1),
    instrument=st.just("W"),
    rows=st.just(None),
    at=st.none() | STEPS,
    numbers_as_text=st.booleans(),
) | st.builds(
    Read,
    fields=st.dictionaries(st.sampled_from("xy"), STEPS, min_size=1),
    instrument=st.just("W"),
    rows=STEPS,
    at=STEPS,
    interval=st.just("rows"),
)
CONDITIONS = st.builds(
    Condition,
    steps=STEPS,
    comparison=st.sampled_from(Comparison),
    value=st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    of_length=st.booleans(),
)
EXPECTS = st.builds(
    Expect,
    status=st.sampled_from([frozenset({200}), frozenset({404}), frozenset(range(200, 300))]),
    within_s=st.none() | st.floats(0.1, 1),
    body=st.lists(CONDITIONS, max_size=2).map(tuple),
    text=st.none() | st.just("a"),
)


ROW = st.dictionaries(st.sampled_from("abt"), VALUES | ODD | SECONDS, min_size=2)
PLAIN_ROW = st.fixed_dictionaries({"a": VALUES, "b": VALUES | st.none(), "t": SECONDS})


@given(
    rows=st.lists(PLAIN_ROW, max_size=4) | st.lists(PLAIN_ROW | ROW | JSON, max_size=4),
    names=st.lists(st.sampled_from("abt"), min_size=2, max_size=3, unique=True),
)
def test_rows_read_as_columns_say_what_they_say_one_by_one(rows, names):
    fields = {name: (name,) for name in names[1:]}
    rules = Read(fields=fields, instrument="W", rows=(), at=(names[0],), interval="rows")
    at_once = read_columns(rows, rules)
    if at_once is not None:
        assert at_once == one_by_one(rows, rules)


def test_plain_rows_are_read_as_columns():
    rows = [{"t": at_s, "v": {"a": at_s / 2}} for at_s in (1772582400, 1772668800)]
    rules = Read(fields={"a": ("v", "a")}, instrument="W", rows=(), at=("t",), interval="rows")
    assert read_columns(rows, rules) == one_by_one(rows, rules)
    of_lists = [[each["t"], each["v"]["a"]] for each in reversed(rows)]
    rules = Read(fields={"a": ("1",)}, instrument="W", rows=(), at=("0",), interval="rows")
    assert read_columns(of_lists, rules) == one_by_one(of_lists, rules)


@given(
    body=st.binary(max_size=40) | JSON.map(lambda each: json.dumps(each).encode()),
    status=st.sampled_from([None, 200, 204, 206, 301, 404, 429, 500, 999]),
    age=st.sampled_from([None, "0", "30", "99999999999", "-1", "x"]),
    rules=st.none() | RULES,
    expected=EXPECTS,
)
def test_no_answer_whatever_makes_the_rules_raise(body, status, age, rules, expected):
    examiner = Examiner("shop", "W", expected, rules)
    headers = {} if age is None else {"age": age}
    line = RequestLine("/x", asked_at=NOW)
    verdict, reading = examiner.examine(Response(status, headers, body, 0.2), line)
    assert verdict.is_ok is (reading is not None)
    assert isinstance(examiner.read_body(body, line), Reading | Unreadable)


@given(
    secret=st.text(st.sampled_from("abcdef0123456789"), min_size=24, max_size=32).filter(
        lambda it: not it.isalpha()
    ),
    place=st.sampled_from(["value", "name", "moment", "text", "message"]),
    rules=st.none() | RULES,
    expected=EXPECTS,
)
def test_no_key_in_a_body_gets_into_evidence(secret, place, rules, expected):
    value = {
        "value": {"a": secret, "t": 1772582400, "b": [secret]},
        "name": {secret: 1, "a": {secret: 1}},
        "moment": {"t": secret, "a": 1, "b": 1},
        "text": f"{secret} a",
        "message": {"message": f"your key {secret} is wrong", "a": 1},
    }[place]
    examiner = Examiner("shop", "W", expected, rules)
    response = answer(value, 200)
    verdict, _ = examiner.examine(response, RequestLine("/x", asked_at=NOW))
    assert secret not in verdict.evidence
    read = examiner.read_body(response.body, RequestLine("/x", asked_at=NOW))
    assert isinstance(read, Reading) or secret not in read.evidence


def test_no_part_of_a_key_is_shown_where_a_long_text_is_cut(tmp_path):
    provider, request = speaker_of(tmp_path, expect("body: {status: UP}"))
    secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    verdict = provider.classify(answer({"status": f"{'so many words ' * 2}{secret}"}), request.line)
    assert "so many words" in verdict.evidence
    assert secret[:4] not in verdict.evidence


# -- when it was -----------------------------------------------------------------------------------


def test_an_answer_without_a_moment_is_of_when_it_was_asked_for_less_its_age(tmp_path):
    provider, request = speaker_of(tmp_path, UNDATED)
    fresh = answer({"price": {"amount": 4}})
    _, reading = provider.examine(fresh, request.line)
    assert reading == Reading("WIDGET", "now", (Point(NOW, "price", 4.0),), NOW)
    # A cache between us tells how long it has had the body.
    _, reading = provider.examine(answer({"price": {"amount": 4}}, age="90"), request.line)
    assert reading.as_of == NOW - timedelta(seconds=90)
    nobody_knows = RequestLine(request.line.path)
    assert isinstance(provider.read(fresh.body, nobody_knows), Unreadable)


def test_that_somebody_answered_is_true_of_now_however_old_a_page_is(tmp_path):
    provider, request = speaker_of(tmp_path, expect("text: All is well"))
    _, reading = provider.examine(answer(PAGE, age="90"), request.line)
    assert reading == Reading("SHOP/WIDGET", "now", (Point(NOW, "answered", 1.0),), NOW)


# -- how it is asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key_in", "headers", "query"),
    [
        ("{header: X-Api-Key}", {"X-Api-Key": KEY}, ""),
        ("bearer", {"Authorization": f"Bearer {KEY}"}, ""),
        ("{param: k}", {}, f"?k={KEY}"),
    ],
)
def test_the_key_goes_where_it_is_wanted_and_nowhere_else(tmp_path, key_in, headers, query):
    head = HEAD.replace("key_in: {header: X-Api-Key}", f"key_in: {key_in}")
    _, request = speaker_of(tmp_path, ONE, head)
    assert request.url == f"https://api.shop.example/widget{query}"
    assert {k: v for k, v in request.headers.items() if k != "User-Agent"} == headers
    assert request.key_name == "main"
    assert KEY not in repr(request)


def test_less_is_asked_for_only_where_the_rules_name_what_counts_the_rows(tmp_path):
    rules = SERIES.replace("}}", "}, limit_param: n}\n    params: {n: 30, days: 7}")
    provider, _ = speaker_of(tmp_path, rules)
    asked = {"n": "30", "days": "7"}
    endpoint = type("Endpoint", (), {"path": "/widget", "params": asked})()
    assert provider.smaller(endpoint, asked, 0.5, NOW) == ("/widget", {"n": "15", "days": "7"})
    assert provider.smaller(endpoint, {**asked, "n": "1"}, 0.5, NOW) is None
    assert speaker_of(tmp_path, SERIES)[0].smaller(endpoint, asked, 0.5, NOW) is None


# -- in its form -----------------------------------------------------------------------------------

FORMS = st.sampled_from([None, *MomentForm])


@given(
    rows=st.dictionaries(SECONDS, st.tuples(VALUES, VALUES), min_size=1, max_size=4),
    form=FORMS,
    wrapping=st.none() | st.lists(st.sampled_from(["data", "rows", "0"]), max_size=2).map(tuple),
    at=st.sampled_from([("t",), ("when", "t"), ("v", "a")]),
    as_text=st.booleans(),
)
def test_what_is_written_in_its_form_reads_as_what_was_meant(rows, form, wrapping, at, as_text):
    rules = Read(
        fields={"a": ("v", "a"), "b": ("v", "b")},
        instrument="W",
        rows=wrapping,
        at=at,
        at_form=form,
        interval="now" if wrapping is None else "rows",
        numbers_as_text=as_text,
    )
    later = timedelta(milliseconds=321 if form is MomentForm.MILLISECONDS else 0)
    points = tuple(
        Point(datetime.fromtimestamp(at_s, UTC) + later, field, float(value))
        for at_s, row in sorted(rows.items())
        for field, value in zip("ab", row, strict=True)
    )
    reading = Reading("W", rules.interval, points, points[-1].at)
    examiner = Examiner("shop", "W", Expect(), rules)
    body = rendered(examiner, reading, "/x", {}, NOW)
    cannot = form is None or at == ("v", "a") or (wrapping is None and len(rows) > 1)
    if cannot or "0" in (wrapping or ()):
        assert body is None
    elif form is MomentForm.DATE:
        # Two moments of one day are one in this form: then it cannot say them.
        if body is not None:
            back = examiner.read_body(body, RequestLine())
            assert [each.value for each in back.points] == [each.value for each in points]
            assert back.as_of <= reading.as_of
    else:
        assert body is not None
        assert examiner.read_body(body, RequestLine()) == reading


def test_every_class_that_the_cases_name_is_one():
    assert {each[2] for each in CASES} - {"*"} <= set(map(str, FailureClass))
