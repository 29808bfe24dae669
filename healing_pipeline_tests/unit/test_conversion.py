"""Any document in, another format out: nothing lost in silence, nothing guessed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.reporting.cells import UnreadableError
from healing_pipeline.reporting.conversion import convert, form_of
from healing_pipeline.reporting.markup import as_markdown
from healing_pipeline.reporting.structures import ERROR_EVENTS, MONITORING_TARGETS, STRUCTURES
from healing_pipeline.reporting.tables import as_csv, as_json, table_of
from healing_pipeline.reporting.toon import as_toon

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EVENT = {
    "at": NOW,
    "source": "yahoo",
    "endpoint": "yahoo/quote-spy",
    "failure_class": "timeout",
    "seen_by": "probe",
    "seconds": 1.0,
    "status": None,
    "evidence": '=no "answer", within 1 s',
}
TARGET = {
    "source": "fred",
    "endpoint": "fred/dgs10",
    "host": "api",
    "path": "/fred/series",
    "interval_s": 60.0,
    "deadline_s": 3.0,
    "accepts": "exact|stale",
}
EVENTS = table_of("error_events", ERROR_EVENTS.columns, [EVENT, EVENT], {"made_at": NOW})
TARGETS = table_of("monitoring_targets", MONITORING_TARGETS.columns, [TARGET], {"made_at": NOW})
WRITTEN = {"toon": as_toon(EVENTS), "json": as_json(EVENTS).decode(), "csv": as_csv(EVENTS)}


@pytest.mark.parametrize("given_as", WRITTEN)
@pytest.mark.parametrize("to", WRITTEN)
def test_a_structure_goes_from_any_format_to_any_other_without_loss(given_as, to):
    made = convert(WRITTEN[given_as], to=to)
    assert made.read_as == given_as
    assert made.structures == ("error_events",)
    if "csv" not in (given_as, to):
        assert made.text == WRITTEN[to]
    # CSV alone has no place for when it was made.
    assert convert(made.text, to="csv").text == WRITTEN["csv"]
    assert made.notes == (
        ("CSV has no place for what holds for all rows: made_at.",)
        if to == "csv" and given_as != "csv"
        else ()
    )


def test_several_structures_stay_together_but_in_csv():
    both = as_toon(EVENTS, TARGETS)
    made = convert(both, to="json")
    assert made.structures == ("error_events", "monitoring_targets")
    assert convert(made.text, to="toon").text == both
    with pytest.raises(UnreadableError, match=r"--structure: error_events, monitoring_targets"):
        convert(both, to="csv")
    only = convert(both, to="csv", structure="monitoring_targets")
    assert only.text == as_csv(TARGETS)
    with pytest.raises(UnreadableError, match=r"no active_alerts in it. It holds error_events"):
        convert(both, structure="active_alerts")


def test_without_a_wish_toon_becomes_json_and_all_else_toon():
    assert convert("a: 1").text == '{\n  "a": 1\n}'
    assert convert('{"a": 1}').text == "a: 1"
    assert convert("a,b\n1,x\n").text == "[1]{a,b}:\n  1,x"


def test_objects_on_a_line_each_are_rows():
    assert convert('{"a": 1}\n{"a": 2}\n\n').text == "[2]{a}:\n  1\n  2"
    with pytest.raises(UnreadableError, match="Line 3: This is no JSON"):
        convert('{"a": 1}\n{"a": 2}\n{"a":\n')


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('{"a": 1}', "json"),
        ("\ufeff  [1, 2]", "json"),
        ("[]", "json"),
        ('"abc"', "json"),
        ("12", "json"),
        ("```json\n[1]\n```", "json"),
        ("[2]: a,b", "toon"),
        ("[1]{a,b}:\n  1,2", "toon"),
        ("a: 1", "toon"),
        ("a:\n  b: 1", "toon"),
        ("made_at: 20260302T120000Z\nrows[1]{a,b}:\n  1,2", "toon"),
        ('"a b"[1]{c}:\n  1', "toon"),
        ("Here you are:\n```toon\na: 1\n```", "toon"),
        ("a,b\r\n1,2\r\n", "csv"),
        ('"a, b",c\n"x\ny",2', "csv"),
    ],
)
def test_a_document_tells_what_it_is(text, form):
    assert form_of(text) == form


@pytest.mark.parametrize("text", ["Sorry, I cannot help", "nothing", "a\tb\n1\t2", "a,b\n1,2,3"])
def test_what_is_none_of_them_has_to_be_named(text):
    with pytest.raises(UnreadableError, match="--from"):
        convert(text)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", {}, "nothing in it"),
        (" \n\ufeff\n", {}, "nothing in it"),
        ("Sorry, I cannot help", {"read_as": "toon"}, "prose"),
        ('{"a": 1, "a": 2}', {}, "'a' stands twice"),
        ('{"a": NaN}', {}, "NaN is no JSON"),
        ('{"a": 1e999}', {}, "too large a number"),
        ('{"a": 1\n"b": 2}', {}, "Line 2: This is no JSON"),
        ("[" * 100_000, {}, "nested too deeply|no JSON"),
        (f"[{'9' * 5000}]", {}, "no JSON that can be read"),
        ('["\\ud800"]', {}, "TOON cannot keep this"),
        ('["\\ud800"]', {"to": "json"}, "half a surrogate pair"),
        ("a[2]{b,c}:\n  1,2\n", {}, "Line 1|Line 2|Line 3"),
        ("a[1]{b,c}:\n  1\n", {}, "Give each row a value for every column"),
        ('a: "x', {}, "quote"),
        ("a,b\n1\n", {"read_as": "csv"}, "Line 2: There are 1 cells under 2 names"),
        ("a,a\n1,2\n", {"read_as": "csv"}, "not all different"),
        ('a,b\n1,"2\n', {"read_as": "csv"}, "no CSV"),
        ('{"a": 1}', {"to": "csv"}, "CSV holds one table, and this has no list"),
        ('{"a": [], "b": []}', {"to": "md"}, "Markdown holds one table, and this has 2 lists"),
        ('[{"a": [1]}]', {"to": "csv"}, "'a' of row 1 holds more than one value"),
        ("[1]", {"to": "csv"}, "Row 1 is no object"),
        ('{"a": 1}', {"structure": "things"}, "no structure 'things'. Name one of error_events"),
        ('{"a": 1}', {"structure": "error_events"}, "no table"),
        ("a,b\n1,2", {"structure": "error_events"}, "error_events|known table"),
        ('{"error_events": [{"a": 1}]}', {}, "error_events lacks 'at'"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_reason(text, options, said):
    with pytest.raises(UnreadableError, match=said):
        convert(text, **options)


def test_a_foreign_table_by_the_name_of_ours_is_converted_when_that_is_asked_for():
    foreign = '{"error_events": [{"a": 1}, {"a": 2}]}'
    assert convert(foreign, structure="none").text == "error_events[2]{a}:\n  1\n  2"


def test_what_toon_does_not_keep_is_said():
    made = convert('{"a": 1.0, "b": [2.0, 2.5], "c": 12345678901234567890123}')
    assert made.text == "a: 1\nb[2]: 2,2.5\nc: 12345678901234567890123"
    assert made.notes == (
        "Numbers such as 1.0 are written as 1 (2 of them): TOON does not tell whole numbers from "
        "others.",
    )
    assert convert('{"a": 0.1234567890123456789}').notes == (
        "1 numbers have more digits than a double holds and were rounded.",
    )
    uneven = json.dumps([{"a": 1, "b": [1]}, {"a": 2}] * 30)
    assert "longer than compact JSON" in convert(uneven).notes[0]


def test_csv_says_what_it_leaves_out_and_runs_in_no_spreadsheet():
    made = convert('{"by": "me", "rows": [{"=a": "=1+1", "b": null}, {"=a": "\'x"}]}', to="csv")
    assert made.text == "'=a,b\r\n'=1+1,\r\n''x,\r\n"
    assert made.notes == (
        "CSV has no place for what stands beside the table: by.",
        "1 rows lack a value that others have; each got an empty cell.",
    )


def test_a_cell_of_csv_is_a_number_only_when_it_comes_back_the_same():
    made = convert("a,b\n007,1\n1.50,1.5\n-0,true\n1e5,'x\n,'=1\n", to="json")
    assert [list(row.values()) for row in json.loads(made.text)] == [
        ["007", 1],
        ["1.50", 1.5],
        ["-0", True],
        ["1e5", "'x"],
        [None, "=1"],
    ]


def test_markdown_of_a_table_stays_one_line_a_row_and_follows_nothing():
    made = convert('[{"a|b": "x|y\\nz", "c": "<b>&", "d": true}]', to="md").text
    assert made == (
        "| a&#124;b | c | d |\n| --- | --- | --- |\n| x&#124;y<br>z | &lt;b&gt;&amp; | true |\n"
    )
    assert convert(WRITTEN["json"], to="md").text == as_markdown(EVENTS)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        "true",
        "null",
        "1",
        "1.0",
        "-",
        "a: b",
        "[1]: x",
        "- x",
        "#",
        "```",
        "2026-03-02T12:00:00Z",
    ]
)
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | texts
scalars |= st.floats(allow_nan=False, allow_infinity=False).filter(lambda each: each % 1 != 0)
values = st.recursive(
    st.dictionaries(texts, scalars, max_size=3) | st.lists(scalars, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
).filter(lambda value: not (set(value) & set(STRUCTURES) if isinstance(value, dict) else ()))


@given(values)
def test_any_json_comes_back_from_toon_as_it_went(value):
    toon = convert(json.dumps(value), read_as="json").text
    back = convert(toon, read_as="toon").text
    assert json.loads(back) == value
    assert form_of(toon) in {"toon", "json"} if toon.strip() else value == {}


@given(
    st.lists(
        st.fixed_dictionaries({"a": texts, "b": st.none() | st.integers(-(10**9), 10**9)}),
        min_size=1,
        max_size=4,
    )
)
def test_text_comes_back_from_csv_but_for_nul_and_what_looks_like_a_number(rows):
    rows = [{**row, "a": row["a"].replace("\0", "") + "x"} for row in rows]
    text = convert(json.dumps(rows), to="csv").text
    assert json.loads(convert(text, read_as="csv", to="json").text) == rows
