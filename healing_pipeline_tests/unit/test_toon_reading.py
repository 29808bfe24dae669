"""Tables that somebody else wrote: what is clear is taken, all else refused with line and cure."""

from __future__ import annotations

import pickle
import time
from datetime import UTC, datetime

import pytest
import structured_rows as rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.reporting.cells import UnreadableError
from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.structures import FALLBACK_CHAINS, STRUCTURES, Structure
from healing_pipeline.reporting.table_reading import read_csv, read_json
from healing_pipeline.reporting.tables import Table, as_csv, table_of
from healing_pipeline.reporting.toon import as_toon
from healing_pipeline.reporting.toon_reading import detect, read_toon

EVENTS = Structure(
    "events",
    (
        Column("at", "timestamp", "", nullable=False),
        Column("name", "string", ""),
        Column("count", "int", ""),
        Column("share", "float", ""),
        Column("ok", "bool", ""),
    ),
    "",
)
KNOWN = {"events": EVENTS}
HEAD = "events[1]{at,name,count,share,ok}:"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ROW = {"at": NOON, "name": "a", "count": 1, "share": 1.0, "ok": True}
LINE = "20260302T120000Z,a,1,1,true"


def read(text: str) -> list[dict]:
    (table,) = read_toon(text, KNOWN)
    return [dict(each) for each in table.rows]


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}\n  {LINE}",
        f"{HEAD}\r\n  {LINE}\r\n",
        f"\ufeff{HEAD}\n  {LINE}\n\n",
        f"```toon\n{HEAD}\n  {LINE}\n```",
        f"Here it is: the table\n\n```\n{HEAD}\n  {LINE}\n```\nI hope it helps: ask again.",
        f"~~~ toon\n{HEAD}\n  {LINE}\n~~~~",
        f"{HEAD}\n  2026-03-02T12:00:00Z,a,1,1,true",
        f"{HEAD}\n  2026-03-02 12:00:00+00:00,a,1,1,true",
        f'{HEAD}\n  "2026-03-02T13:00:00.000+01:00","a",1,1.0,true',
        "events[1]{ok, share, count, name, at}:\n  true, 1, 1, a, 20260302T120000Z",
        "events[1|]{at|name|count|share|ok}:\n  2026-03-02T12:00:00Z|a|1|1|true",
        "events[1\t]{at\tname\tcount\tshare\tok}:\n  2026-03-02T12:00:00Z\ta\t1\t1\ttrue",
        f"# a comment\nuntil: 2026-03-02T12:00:00Z\n{HEAD}\n  # another\n  {LINE}\nwindow: 1 day",
        "events[1]:\n  - at: 20260302T120000Z\n    name: a\n    count: 1\n    share: 1\n"
        "    ok: true",
    ],
)
def test_what_is_clear_is_taken_however_it_is_written(text):
    assert read(text) == [ROW]
    assert {name: type(cell) for name, cell in read(text)[0].items()} == {
        name: type(cell) for name, cell in ROW.items()
    }
    assert detect(text, KNOWN) == ("events",)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "nothing in it"),
        (" \n\ufeff", None, "nothing in it"),
        ("Sorry, I cannot help", 1, "no table"),
        ("\nHere it is: ok", 2, "no table"),
        ("{}", 1, "no table"),
        (f"events{HEAD[9:]}\n  {LINE}", 1, "no header of events"),
        (f"events[]{HEAD[9:]}\n  {LINE}", 1, r"Write events\[N\]\{at,name,count,share,ok\}:"),
        (f"  {HEAD}\n    {LINE}", 1, "at the begin of the line"),
        (f"**{HEAD}**\n  {LINE}", 1, "no header of events"),
        (f"events[1:]{HEAD[9:]}\n  a: {LINE}", 1, "no header of events"),
        ("evnts[1]{at}:\n  1", 1, "Known are events"),
        (f"Of course!\n{HEAD}\n  {LINE}", 1, "Leave out everything"),
        (f"{HEAD}\n  {LINE}\nI hope it helps", 3, "Leave out everything"),
        (f"{HEAD}\n  {LINE}\nNote: I hope", 3, "'Note' is no table"),
        (f"```toon\n{HEAD}\n  {LINE}", 1, "not closed"),
        (f"{HEAD}\n  {LINE}\n```\nx\n```", 1, "outside of the fences"),
        ("events[3]{at,name,count,share,ok}:\n  " + LINE, 2, "announces 3 rows and has 1"),
        (f"{HEAD}\n  {LINE}\n  {LINE}", 3, r"write events\[2\]"),
        (f"{HEAD}\n{LINE}", 1, "indented"),
        (f"{HEAD}\n    {LINE}", 2, "Indent"),
        (f"{HEAD}\n\t{LINE}", 2, "Indent"),
        (f"{HEAD}\n  {LINE},1", 2, "value for every column"),
        ("events[1]{at,name,count,share}:\n  20260302T120000Z,a,1,1", 1, "lacks 'ok'"),
        ("events[1]{at,name,count,share,ok,x}:\n  " + LINE + ",1", 1, "'x' besides"),
        ("events[1]{at,name,count,share,okay}:\n  " + LINE, 1, "lacks 'ok' and has 'okay'"),
        (f"{HEAD}\n  at 12:00,a,1,1,true", 2, "in quotes"),
        (f"{HEAD}\n  2026-03-02T12:00:00,a,1,1,true", 2, "no time zone"),
        (f"{HEAD}\n  20260302T120000.0000001Z,a,1,1,true", 2, "microsecond"),
        (f"{HEAD}\n  20261302T120000Z,a,1,1,true", 2, "no such moment"),
        (f"{HEAD}\n  00010101T000000+0100,a,1,1,true", 2, "no such moment"),
        (f"{HEAD}\n  1772452800,a,1,1,true", 2, "takes a moment"),
        (f"{HEAD}\n  null,a,1,1,true", 2, "always has a value"),
        (f"{HEAD}\n  20260302T120000Z,12,1,1,true", 2, "in quotes if it is meant as a text"),
        (f"{HEAD}\n  20260302T120000Z,a,1.5,1,true", 2, "whole number"),
        (f"{HEAD}\n  20260302T120000Z,a,one,1,true", 2, "whole number"),
        (f'{HEAD}\n  20260302T120000Z,a,"1",1,true', 2, "without quotes"),
        (f"{HEAD}\n  20260302T120000Z,a,1,NaN,true", 2, "takes a number"),
        (f"{HEAD}\n  20260302T120000Z,a,1,1e400,true", 2, "null where there is no number"),
        (f"{HEAD}\n  20260302T120000Z,a,1,{'9' * 400},true", 2, "or a smaller one"),
        (f"{HEAD}\n  20260302T120000Z,a,1,1,yes", 2, "true or false"),
        (f'{HEAD}\n  20260302T120000Z,"a,1,1,true', 2, "Close the quote"),
        (f"{HEAD}\n  {LINE}\n{HEAD}\n  {LINE}", 3, "once"),
        ("events[2]{at,name,count,share,ok}:\n  " + LINE + "\n\n  " + LINE, 3, "no line blank"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line_and_its_cure(text, line, said):
    with pytest.raises(UnreadableError, match=said) as caught:
        read(text)
    assert caught.value.line == line
    assert isinstance(caught.value, ValueError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@settings(max_examples=60)
@given(rows_of.tables(FALLBACK_CHAINS, 2).map(as_toon), st.integers(0, 10**6), st.text(max_size=3))
def test_a_text_that_was_changed_is_read_or_refused_and_never_breaks(text, place, added):
    place %= len(text) + 1
    for changed in (text[:place], text[:place] + added + text[place:], text[place:]):
        try:
            tables = read_toon(changed)
        except UnreadableError:
            continue
        assert all(table_of(t.name, t.columns, t.rows).rows == t.rows for t in tables)


@given(rows_of.tables(FALLBACK_CHAINS, 3))
@settings(max_examples=30)
def test_a_text_that_was_cut_between_rows_is_refused(table):
    lines = as_toon(table).split("\n")
    for kept in range(len(lines) - len(table.rows), len(lines)):
        with pytest.raises(UnreadableError):
            read_toon("\n".join(lines[:kept]))


@pytest.mark.parametrize(
    "text",
    [
        "events[1]{" + "a," * 50_000 + "b}:\n  1",
        f"{HEAD}\n  " + '"' * 100_000,
        f"{HEAD}\n" + "  " * 50_000 + "a: 1",
        f"{HEAD}\n" + "  " * 50_000 + "a",
        "```" * 50_000,
        "```" + " " * 100_000 + "`",
        "a" * 100_000,
        f"{HEAD}\n  " + "2026-03-02T12:00" * 20_000,
        "events[" + "9" * 5_000 + "]{at}:",
    ],
)
def test_a_text_made_to_hurt_is_refused_at_once(text):
    began = time.monotonic()
    with pytest.raises(UnreadableError):
        read(text)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("share", float("nan")),
        ("share", float("-inf")),
        ("count", 1.5),
        ("count", True),
        ("name", ["a", "b"]),
        ("name", {"a": 1}),
        ("name", "a\ud800"),
        ("at", NOON.replace(tzinfo=None)),
        ("at", None),
        ("ok", 1),
    ],
)
def test_what_toon_would_change_in_silence_is_not_written(name, cell):
    with pytest.raises(ValueError, match=f"Row 1 of events: '{name}'"):
        as_toon(Table("events", EVENTS.columns, [{**ROW, name: cell}]))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "no known table"),
        ("at;name\n1;2", 1, "no known table"),
        ("at,name,count,share\n", 1, "lacks 'ok'"),
        ("at,name,count,share,ok,ok\n", 1, "twice"),
        ("at,name,count,share,ok\n2026-03-02T12:00:00Z,a,1,1\n", 2, "4 cells"),
        ('at,name,count,share,ok\n2026-03-02T12:00:00Z,"a\nb",1,1,x\n', 2, "true or false"),
        ("at,name,count,share,ok\n2026-03-02T12:00:00Z,a,1E3,1,true\n", 2, "whole number"),
        ('at,name,count,share,ok\n2026-03-02T12:00:00Z,"a', 2, "no CSV"),
    ],
)
def test_csv_that_is_wrong_is_refused_with_its_line(text, line, said):
    with pytest.raises(UnreadableError, match=said) as caught:
        read_csv(text, KNOWN)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("1", "no table"),
        ("{}", "no table"),
        ('{"a": 1}', "'a' is no table"),
        ('{"events": 1}', "no list"),
        ('{"events": [1]}', "row 1 of events"),
        ('{"events": [{"at": null}]}', "lacks"),
        ('{"events": [], "events": []}', "twice"),
        ('{"events": [NaN]}', "NaN"),
        (
            '[{"at": "2026-03-02T12:00:00Z", "name": 1, "count": 1, "share": 1, "ok": true}]',
            "row 1 of events: 'name'",
        ),
    ],
)
def test_json_that_is_wrong_is_refused(text, said):
    with pytest.raises(UnreadableError, match=said):
        read_json(text, KNOWN)


def test_the_guard_against_formulas_is_taken_off_again_and_only_it():
    names = ["=1+1", "'=1+1", "'", "", None, "''a", "+1", "a'", "\t", "-"]
    table = table_of("events", EVENTS.columns, [{**ROW, "name": each} for each in names])
    cells = [line.split(",")[1] for line in as_csv(table).splitlines()[1:]]
    assert cells[:6] == ["'=1+1", "''=1+1", "''", "'", "", "'''a"]
    assert [row["name"] for row in read_csv(as_csv(table), KNOWN).rows] == names


def test_the_eight_are_known_by_their_columns_in_csv():
    for structure in STRUCTURES.values():
        empty = table_of(structure.name, structure.columns, [])
        assert read_csv(as_csv(empty)).name == structure.name
